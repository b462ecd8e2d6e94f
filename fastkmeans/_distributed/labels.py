"""A hash of labels that can be merged: equal hashes mean that no row changed its cluster.

A block hashes its labels to a number ``h``.  The hash of two blocks of ``m`` and ``n`` rows is
``h1 B^n + h2`` modulo a prime.  So the hash of all rows does not depend on how blocks are merged,
though it depends on where the rows are cut.
"""

import hashlib
import zlib

import numpy as np

from .._runtime.arrays import Floats, Labels

PRIME, BASE = (1 << 61) - 1, 0x9E3779B97F4A7C15 % ((1 << 61) - 1)


def hash_of_labels(labels: Labels) -> int:
    """Return the hash of the labels of one block."""
    if not len(labels):
        return 0
    content = np.ascontiguousarray(labels, "<i4").data
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little") % PRIME


def merged_hash(first: int, second: int, n_second: int) -> int:
    """Return the hash of two blocks; ``n_second`` rows are in the second."""
    return (first * pow(BASE, n_second, PRIME) + second) % PRIME


def mark_of_centers(centers: Floats) -> int:
    """Return a checksum of centers: statistics of other centers must not be merged.

    It depends on their shape, too.  0.0 and -0.0 are equal.
    """
    shape = zlib.crc32(repr(centers.shape).encode())
    return zlib.crc32(np.ascontiguousarray(centers + 0.0, "<f8").data, shape)
