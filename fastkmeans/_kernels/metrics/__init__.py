"""Quality of a clustering.

spread       distances of rows to the means of their clusters, added up by cluster
own          the micro-kernel: squared distances to the own center and to the closest other one
simplified   the simplified silhouette
"""
