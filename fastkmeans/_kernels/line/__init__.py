"""Values of one feature, sorted: the sums of squares of any segment, and the best cuts.

moments    weight, mean and squares of the segments of sorted values
cuts       one more cluster: the best last cut of every prefix of the values
cells      lower bounds that show in which cells of the values a cut can lie
pointers   the best cuts of every prefix, in two bits each
"""
