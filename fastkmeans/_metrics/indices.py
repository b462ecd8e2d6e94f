"""Indices made from the weights, means and spreads of the clusters."""

import math

import numpy as np

from .._runtime.adding import total_of
from .._runtime.arrays import Floats
from .clusters import Clusters

ROUNDING = 1e-26
"""Share of the scatter of all rows; a scatter within the clusters below it is rounding error."""


def between(clusters: Clusters) -> float:
    """Return the scatter of the means around the mean of all rows, weighted."""
    weights = clusters.weights[:, None]
    around = clusters.means - (weights * clusters.means).sum(axis=0) / clusters.weight
    return total_of(weights * (around * around))


def calinski_harabasz(clusters: Clusters) -> float:
    """Return the ratio of the scatter between clusters to that within, each by its freedom."""
    weight, k = clusters.weight, len(clusters.weights)
    outer, inner = between(clusters), total_of(clusters.squares)
    if inner <= ROUNDING * outer:
        return 1.0
    return ratio(outer, inner, weight, k, clusters.unit)


def ratio(outer: float, inner: float, weight: float, k: int, unit: float) -> float:
    """Return the ratio of two scatters by their freedom; ``weight * unit`` counts the rows."""
    small = 0.5 ** math.frexp(weight)[1]  # so that no product overflows
    return outer * small * (weight - k / unit) / (inner * small * (k - 1.0)) * unit


def davies_bouldin(clusters: Clusters) -> float:
    """Return the mean, over the clusters, of the likeness to the cluster most like it."""
    radii = clusters.distances / clusters.weights
    outer, inner = between(clusters), total_of(clusters.squares)
    if inner <= ROUNDING * outer:
        return 0.0
    return total_of(likeness(radii, clusters.means)) / len(radii)


def likeness(radii: Floats, means: Floats) -> Floats:
    """Return for each cluster the largest ratio of two radii to the distance of the two means.

    Equal means count as infinitely far apart, as in scikit-learn.
    """
    worst = np.empty(len(radii))
    for j, mean in enumerate(means):
        difference = means - mean
        distances = np.sqrt((difference * difference).sum(axis=1))
        distances[distances == 0.0] = np.inf
        worst[j] = ((radii + radii[j]) / distances).max()
    return worst


def bayesian(clusters: Clusters, n_features: int) -> float:
    """Return the BIC of spherical Gaussians of one variance; smaller is better."""
    weight, k, d = clusters.weight, len(clusters.weights), n_features
    n = weight * clusters.unit
    inner = total_of(clusters.squares)
    if inner <= ROUNDING * between(clusters) or inner == 0.0:
        return -math.inf
    log_variance = math.log(inner / (weight * d)) - 2.0 * math.log(clusters.scale)
    shares = total_of(clusters.weights * np.log(clusters.weights / weight)) * clusters.unit
    likelihood = shares - 0.5 * n * d * (math.log(2.0 * math.pi) + log_variance + 1.0)
    n_parameters = (k - 1) + k * d + 1
    return -2.0 * likelihood + n_parameters * math.log(n)
