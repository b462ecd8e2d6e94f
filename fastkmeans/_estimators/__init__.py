"""What users call: estimators and functions.

kmeans             KMeans
minibatch          MiniBatchKMeans
functions          k_means, kmeans_plusplus
clusterer          what both estimators share
sklearn_protocol   parameters, tags and names, as scikit-learn's tools ask for them
model_file         fitted models in files
inputs             what is passed as ``X``
"""
