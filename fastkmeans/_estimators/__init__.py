"""The estimators and functions that users call.

kmeans             KMeans
minibatch          MiniBatchKMeans
functions          k_means, kmeans_plusplus
clusterer          the base of both estimators
sklearn_protocol   parameters, tags and feature names in the way of scikit-learn
routing            requests for weights, in the way of scikit-learn
printing           what ``verbose`` prints
tasks              scikit-learn's callbacks
model_file         fitted models in files
exchange           fitted models from and to scikit-learn and ONNX
inputs             from ``X`` to a table
"""
