"""Centers as float32, the type of ``centroids`` in the libraries that ``compat`` stands for."""

import numpy as np
from numpy.typing import NDArray


def as_float32(centers: NDArray[np.floating], rows: str) -> NDArray[np.float32]:
    """Round centers to float32; raise a ValueError if it cannot hold them.

    ``rows`` is the name of the argument that the centers were learned from.
    """
    sizes, limits = np.abs(centers), np.finfo(np.float32)
    largest = float(sizes.max())
    if 0.0 < largest < float(limits.tiny) or largest > float(limits.max):
        row, column = np.argwhere(sizes == largest)[0].tolist()
        raise ValueError(
            f"Center {row} is {centers[row, column]:.3g} in column {column}, which float32, the "
            f"type of centroids, cannot hold: scale {rows}, or use fastkmeans.KMeans, whose "
            "centers are float64."
        )
    return centers.astype(np.float32)
