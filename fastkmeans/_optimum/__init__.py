"""The global optimum of one feature.

fit       the outcome of a fit: values in, centers and labels out
cuts      where the clusters of sorted values begin
limits    where they can begin, by bounds
"""
