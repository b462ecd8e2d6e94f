"""Statistics of blocks of rows, for a fit on many machines by any engine that maps and reduces.

partial      the map: statistics of one block
merge        the reduction: statistics of all blocks
statistics   the statistics, and the centers that follow from them
totals       their sums, and rows that stay apart from the sums
labels       a hash of labels: whether a row changed its cluster
"""
