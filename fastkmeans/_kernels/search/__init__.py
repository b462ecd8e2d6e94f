"""Kernels of the local search: a row in the place of a center, tried with few distances.

closest   the closest and the second-closest center of rows
prices    candidates, and the price of each in the place of every center
around    the clusters around a swap, and the iterations that move them
moves     whether it lowers the inertia to move one row
"""
