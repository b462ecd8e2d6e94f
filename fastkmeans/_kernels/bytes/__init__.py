"""The E step for many features: bounds on distances, and scores in bytes.

quantize   rows and centers as bytes
bounds     distances, bounded from iteration to iteration
tile       the micro-kernel in bytes
rivals     the centers that bytes cannot exclude
screen     all of it, for a range of rows
"""
