"""What everything runs on: compiler, threads, files, errors.  Knows nothing of clustering.

jit       the compiler's policy, and the digest that names compiled code
threads   how many threads run a kernel, over which rows
drive     a kernel over ranges of rows, in numba's threads        calls   by address
disk      files that are whole or absent                          archive arrays in a file
aligned   arrays that begin with a cache line                     errors  and warnings
adding    sums in one order everywhere
"""
