"""Records of arrays between kernels: each set of types has machine code of its own."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from numba import config

from fastkmeans._runtime.jit import address_of, jit
from fastkmeans._runtime.threads import Team, cut


class Pair(NamedTuple):
    """Two arrays for the kernel of this test."""

    left: Any  # in (1,) float32 or float64
    right: Any  # in (1,) float32 or float64


@jit
def subtract(
    X,  # unused
    start,
    stop,
    pair,
    out,  # out (1,) float64
):
    """Write the difference of two arrays' first items."""
    out[0] = pair.left[0] - pair.right[0]


def pair_of(left: Any, right: Any) -> Pair:
    return Pair(np.array([2.5], left), np.array([1.25], right))


@pytest.mark.skipif(config.DISABLE_JIT, reason="without JIT there are no addresses")
def test_records_of_two_dtypes_have_two_addresses() -> None:
    X, item = np.zeros((2, 2, 1)), np.zeros(1)
    kinds = [(a, b) for a in ("f4", "f8") for b in ("f4", "f8")]
    addresses = {address_of(subtract, (X, 0, 0, pair_of(*kind), item)) for kind in kinds}
    assert len(addresses) == len(kinds)


@pytest.mark.parametrize("left", ["f4", "f8"])
@pytest.mark.parametrize("right", ["f4", "f8"])
def test_a_driver_hands_records_on(left: str, right: str) -> None:
    out = np.zeros((2, 1))
    with Team(2, 1e12) as team:
        X = np.zeros((2, 1024, 1))
        team.run(subtract, X, cut(1024, 2), (pair_of(left, right),), (out,), prange=True)
    assert out.tolist() == [[1.25], [1.25]]
