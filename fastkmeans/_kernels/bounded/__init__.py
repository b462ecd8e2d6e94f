"""The E step with bounds on distances, in float32: for rows of few or some features.

group   the micro-kernels: the bounds of a row, a block of rows against a group of centers
bounds  the bounds of a range of rows: they widen, and tell what each row needs
rows    all of it, for a range of rows
"""
