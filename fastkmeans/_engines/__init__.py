"""Engines find the closest center of every row and keep the sums of the clusters.

auto     chooses among the engines
plain    every row against every center
boxes    boxes of neighbouring rows, for few features
bytes    bounds and products of codes, for many features
bounded  bounds and scores in float32, late in a run
csr      every sparse row against every center
costs    what auto expects them to cost
forecast how long a run is likely to be
sums     the M step: weighted sums of the clusters
base     what the engines share
"""
