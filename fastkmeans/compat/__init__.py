"""fastkmeans in the shape of other libraries, for code written for them.

sklearn    estimators that inherit from scikit-learn's base classes
"""
