"""The plain E step: every row against every center.

tile        the micro-kernel: a block of points, a tile of centers
start       where the scores of a block begin: at nothing, or at the labels of the rows
exact       the closest center of one row in float64, which decides every label
bound       the margin between two scores that proves a label
assign      labels, certified
distances   distances of rows to all centers, or to the own one
serial      whole iterations of a small table in one call
"""
