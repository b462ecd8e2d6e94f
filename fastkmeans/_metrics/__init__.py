"""Indices of the quality of a clustering.

arguments    arguments of the indices, checked
labels       clusters from labels of any kind, and the refusals
clusters     weight, mean and spread of every cluster
indices      indices made from those: Calinski-Harabasz, Davies-Bouldin, BIC, distortion
silhouette   the silhouette, exact
simplified   the silhouette against centers, in one pass
"""
