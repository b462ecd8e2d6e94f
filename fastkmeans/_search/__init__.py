"""Local search: better centers after a run.

swaps     how the search goes, when it ends, and what "auto" means
state     rows in blocks, their two closest centers, and the clusters
moves    the end check: whether it would lower the inertia to move one row
"""
