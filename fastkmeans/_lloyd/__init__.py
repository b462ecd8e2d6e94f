"""Lloyd's algorithm, and labels for given centers.

loop              the iterations of a run, and the rules that end it
run               one run: its buffers, one iteration
watch             listeners to a fit, the user's callback among them
empty             empty clusters
checkpoint        a fit's state on disk
predict           labels, distances and inertia for given centers
representatives   the rows closest to each center
squares           squared distances of rows to their own centers
"""
