"""asv benchmarks of fastkmeans.

``datasets`` holds the data, ``common`` what all benchmarks share; ``kernels`` times
one E or M step and the iterations of each engine, ``kmeans`` the public estimator and
functions, ``sparse`` fits of texts, ``metrics`` indices of quality, ``startup`` the import
and the first call, ``processor`` what the kernels were compiled for.  ``scripts/compare``
uses ``datasets`` and ``steps`` too.
"""
