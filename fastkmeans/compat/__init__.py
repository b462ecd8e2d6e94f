"""fastkmeans in the shape of other libraries, for code written for them.

sklearn       estimators that inherit from scikit-learn's base classes
faiss         Kmeans with the parameters and methods of faiss.Kmeans
fastkmeans    FastKMeans of the PyPI package that has our import name
_faiss        its parameters and its random numbers
_centroids    centers as float32
"""
