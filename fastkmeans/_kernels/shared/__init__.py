"""Kernels that several steps use.

pack          points and centers, laid out for the tile
update        the M step: sums and means
moves         rows that move between the sums
differences   sums of differences to the centers, for statistics that are merged
lengths       lengths of rows, for clustering by cosine
moments       mean, variance and extremes of the columns
"""
