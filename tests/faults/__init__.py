"""The faults that ``tests/mutations.py`` makes, by folder of the package.

plain, shared (with emit), boxes, bytes, seeding, search, sparse, metrics, line
    in ``_kernels``
engines
    in ``_engines``
lloyd
    in ``_lloyd``, and in ``_data``
distributed
    in ``_distributed``, with its kernels
mutation
    what one of them holds
"""

from __future__ import annotations

from faults import (
    bounded,
    boxes,
    bytes,
    distributed,
    engines,
    line,
    lloyd,
    metrics,
    plain,
    search,
    seeding,
    shared,
    sparse,
)
from faults.mutation import Mutation

__all__ = ["MUTATIONS", "Mutation"]

MUTATIONS: list[Mutation] = [
    *plain.MUTATIONS,
    *shared.MUTATIONS,
    *seeding.MUTATIONS,
    *search.MUTATIONS,
    *sparse.MUTATIONS,
    *metrics.MUTATIONS,
    *line.MUTATIONS,
    *boxes.MUTATIONS,
    *bytes.MUTATIONS,
    *bounded.MUTATIONS,
    *engines.MUTATIONS,
    *lloyd.MUTATIONS,
    *distributed.MUTATIONS,
]
