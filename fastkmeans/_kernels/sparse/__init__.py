"""Sparse rows: lanes are centers, so that one stored value meets a run of centers.

rows        stored values; moments of the columns
order       the order of columns within rows
table       the centers feature by feature, in tiles of lanes
score       the micro-kernel: one row against a tile of centers
assign      labels, certified, and those that stay open
settle      the labels that stay open, in float64
directions  the cosine: lengths of rows, and the labels that float32 leaves open
update      sums of the clusters; distances of rows to their own centers
differences sums of differences to the centers, for statistics that are merged
distances   distances of rows to all centers
seeding     greedy k-means++ by passes over all rows
postings    greedy k-means++ by the rows that share a column with a candidate
"""
