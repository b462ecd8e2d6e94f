"""How many clusters: fits for several k, and which k stands out.

choose      choose_k
choice      what it returns
fits        the fits for rising k, on shared work
assess      the indices of one fit, and whether it may be recommended
reference   fits of rows without clusters
decision    which k stands out, and why
"""
