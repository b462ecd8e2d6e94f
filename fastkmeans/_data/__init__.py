"""Tables as the kernels read them: blocks of rows, without a copy.

problem      rows, weights, scaling, threads    validation   checked weights, centers, numbers
tables       arrays and lists as rows           dataframes   pandas, polars, pyarrow
rows         blocks of rows of any table        tensors      tensors of other libraries
sparse       sparse matrices as rows            room         centers that fit no memory
scaling      shift and scale of the data        moments      mean, variance, extremes
lengths      lengths of rows, for cosine    sample       rows at random, of any number, not copied
"""
