"""Initial centers.

initial    by name, array or callable
auto       which of these: k-means++, cells, a sample
plusplus   greedy k-means++           cells     candidates from cells of rows
sparse     the same on sparse rows    sampled   Lloyd's algorithm on a growing sample
"""
