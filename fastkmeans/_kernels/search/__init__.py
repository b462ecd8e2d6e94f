"""Kernels of the local search: a row in the place of a center, tried with few distances.

closest   records; the closest and the second-closest center of rows
renew     the same for all rows after some centers moved, and the potentials
prices    candidates, and the price of each in the place of every center
around    the clusters around a swap, and the iterations that move them
tries     one swap after another, until one gains
moves     whether it lowers the inertia to move one row
"""
