"""Lloyd's algorithm: runs, empty clusters, checkpoints; and labels for given centers.

loop         one run
empty        empty clusters
checkpoint   a fit's state on disk
predict      labels, distances and inertia for given centers
"""
