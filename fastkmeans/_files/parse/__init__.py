"""One pass over all files of a table, into files that can be mapped.

table        several files as one table
finish       gaps and scales, after the first pass
first_pass   pieces in; rows, weights, ids out
growing      the files that they go into
"""
