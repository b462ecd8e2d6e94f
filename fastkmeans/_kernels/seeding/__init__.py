"""Greedy k-means++.

potential   candidates and the potential they leave
pool        candidates for many steps at once
"""
