"""The E step for many features: bounds on distances, and scores in codes.

quantize   rows and centers as codes
bounds     distances, bounded from iteration to iteration
tile       the micro-kernel in codes
rivals     the centers that codes cannot exclude
screen     all of it, for a range of rows
"""
