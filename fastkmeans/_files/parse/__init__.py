"""One pass over all files of a table writes files that can be memory-mapped.

table        several files as one table
finish       missing values and scaling, after the first pass
first_pass   pieces in; rows, weights, ids out
growing      the files that the first pass writes
"""
