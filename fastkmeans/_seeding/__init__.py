"""Initial centers.

initial    by name, array or callable
plusplus   greedy k-means++
sparse     greedy k-means++ on sparse rows
"""
