"""Local search: what Lloyd's algorithm leaves undone.

swaps    rows in the place of centers, after the run of a fit
"""
