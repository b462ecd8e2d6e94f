"""Quality of a clustering.

silhouette   sums of the distances of every row to the rows of every cluster
strips       the rows packed for it, in strips
pairs        its micro-kernels: distances of rows to rows, added up for both
sparse_pairs the same sums for sparse rows
spread       distances of rows to the means of their clusters, added up by cluster
own          the micro-kernel: squared distances to the own center and to the closest other one
simplified   the simplified silhouette
"""
