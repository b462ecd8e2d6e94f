"""Local search: what Lloyd's algorithm leaves undone.

swaps    rows in the place of centers, after the run of a fit
moves    the end check: whether it would lower the inertia to move one row
"""
