"""Initial centers.

initial    by name, array or callable
plusplus   greedy k-means++
"""
