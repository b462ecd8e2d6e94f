"""asv benchmarks of fastkmeans.

``datasets`` holds the data, ``optima`` and ``real`` further ones, ``common`` what all
benchmarks share; ``kernels`` times one E or M step and the iterations of each engine,
``kmeans`` the public estimator and functions, ``optimum`` local search, several runs and
one feature, ``sparse`` fits of texts, ``metrics`` indices of quality, ``startup`` the import
and the first call, ``processor`` what the kernels were compiled for.  ``scripts/compare``
uses the data and ``steps`` too.
"""
