"""What everything runs on: compiler, threads, files, errors.

No module here knows clustering, except that ``target`` tells how many centers a tile holds.

jit       options of the compiler, and the digest that names compiled code
compiler  the steps in which numba compiles a kernel          code_cache  compiled kernels on disk
threads   how many threads run a kernel, over which rows
drive     a kernel over ranges of rows, in numba's threads    calls    kernels by address
disk      files that are whole or absent                      archive  arrays in one file
aligned   arrays that begin with a cache line                 errors   errors and warnings
adding    sums in one order everywhere                        extras   libraries for some uses
waiting   a line while kernels compile                        target   what the processor can do
text      the user's text in messages                   memory   how much memory there is
"""
