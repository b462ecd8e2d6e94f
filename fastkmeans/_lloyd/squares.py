"""Squared distances of rows to their own centers: how far the rows of a problem lie."""

import numpy as np

from .._data.problem import Problem
from .._data.rows import CHUNK
from .._data.sparse import SparseRows
from .._engines.sums import sparse_squares
from .._kernels.plain.distances import own_squares
from .._runtime.arrays import Floats, Labels


def squares_of(problem: Problem, labels: Labels, centers: Floats) -> Floats:
    """Return the squared distances of all rows to their centers, in scaled units."""
    if isinstance(problem.rows, SparseRows):
        return sparse_squares(problem, labels, centers)
    scaling, team = problem.scaling, problem.team
    scale = 1.0 if scaling.by_cosine else scaling.scale
    squares = problem.rows.empty(len(labels), np.float64)
    for part, X in problem.blocks():
        rest = labels[part], centers, scale, scaling.by_cosine, squares[part]
        for at in range(0, X.shape[1], CHUNK):
            block = X[:, at : at + CHUNK]
            m = block.shape[1]
            piece = rest[0][at : at + m], *rest[1:4], rest[4][at : at + m]
            team.run(own_squares, block, team.cut(m), piece)
    return squares
