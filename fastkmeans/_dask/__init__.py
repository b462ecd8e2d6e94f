"""KMeans on a Dask cluster; ``fastkmeans.dask`` is its public face.

kmeans       parameters and the fit
model        the methods of a fitted model
loop         one run of Lloyd's algorithm
seeding      initial centers
parallel     k-means||, on a sample of the rows
passes       one task per partition, and the tree of merges
worker       what the tasks do
partitions   from ``X`` to keys of a graph and futures
outputs      labels and distances as dask arrays
client       the active client
"""
