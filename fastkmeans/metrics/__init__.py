"""Indices of the quality of a clustering, with scikit-learn's names and values.

Weights are frequencies in all of them: a row of weight 2 counts as two equal rows, and a row of
weight 0 does not count.

silhouettes   how well each row lies in its cluster, exact or by the centers
clusters      indices of the clusters: their means, spread and likelihood
"""

from .clusters import bic, calinski_harabasz_score, davies_bouldin_score, distortion
from .silhouettes import (
    silhouette_samples,
    silhouette_score,
    simplified_silhouette_samples,
    simplified_silhouette_score,
)

__all__ = [
    "bic",
    "calinski_harabasz_score",
    "davies_bouldin_score",
    "distortion",
    "silhouette_samples",
    "silhouette_score",
    "simplified_silhouette_samples",
    "simplified_silhouette_score",
]
