"""Greedy k-means++.

potential   candidates and the potential they leave
compare     a block of rows against one candidate
pool        candidates for many steps at once
"""
