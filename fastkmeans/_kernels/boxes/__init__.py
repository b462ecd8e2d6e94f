"""The E step for few features: boxes of neighbouring rows.

order        rows sorted in space
candidates   the centers that may be closest to a point of a box
visit        all boxes, in order
"""
