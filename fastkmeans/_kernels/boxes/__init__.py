"""The E step for few features: boxes of neighbouring rows.

order        rows sorted in space
tree         the boxes of these rows, and boxes of boxes
extents      how far boxes reach
candidates   the centers that may be closest to a point of a box
near         the labels of the rows of a box that has several candidates
sums         the sums of the clusters, box by box
by_row       or row by row: the bits of plain Lloyd
visit        all boxes, in order
"""
