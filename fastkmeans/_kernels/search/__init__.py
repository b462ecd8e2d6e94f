"""Kernels of the local search: a row in the place of a center, tried with few distances.

closest   the closest and the second-closest center of rows
swaps     the search: candidates, their prices, iterations of the clusters around them
"""
