"""Fits by batches of rows.

fit      from parameters to centers
nested   batches that grow             random   batches drawn at random
step     running means of batches
"""
