"""What the engines are expected to cost, in nanoseconds on one thread; ``auto`` compares it.

The shape of the data tells whether an engine may pay at all.  The costs were fitted to measured
times: for bytes with AVX-512 VNNI (Intel Xeon), for codes of 16 bits with AVX2 (AMD Zen 3).  Other
processors differ, but their ratios less so.  A wrong cost costs time, never a label.
"""

import math
from typing import NamedTuple

from .._kernels.emit.simd import CODES, VECTOR_BYTES


class Costs(NamedTuple):
    """Nanoseconds per unit of work; a pair of numbers is a constant and one per feature."""

    row: tuple[float, float]  # plain: a row, whatever the clusters
    pair: tuple[float, float]  # plain: a row and a center
    begin: tuple[float, float]  # codes: a row is written as codes
    carried: float  # codes: the bounds of a row are widened
    met: tuple[float, float]  # codes: the bounds of a row meet
    screened: tuple[float, float]  # codes: a row and a center are compared in codes
    listed: float  # codes: a candidate waits in a list
    scored: tuple[float, float]  # codes: an exact score


MEASURED = {
    8: Costs(
        row=(5, 0.3), pair=(0.065, 0.0129), begin=(40, 0.85), carried=4.0,
        met=(38, 0.047), screened=(0.06, 0.0033), listed=9.3, scored=(36, 0.43),
    ),
    16: Costs(
        row=(5, 0.8), pair=(0.35, 0.0217), begin=(25, 0.7), carried=5.0,
        met=(90, 0.5), screened=(0.38, 0.0177), listed=9.3, scored=(150, 0.3),
    ),
}  # fmt: skip
"""The costs by the bits of a code."""
COSTS = MEASURED[CODES.bits]

MOST_FEATURES, ENOUGH_PAIRS = 4, 12_000_000
"""Most features, and fewest pairs of a row and a center, for which ``auto`` tries boxes.
With three features, 20 iterations break even at 400 000 x 64 and 200 000 x 128 pairs."""
BY_ROW_FEATURES = (2, 3) if VECTOR_BYTES < 64 else ()
"""Numbers of features for which ``auto`` tries boxes that add the sums row by row.  These pay with
few clusters, too: a plain iteration takes 10 ns per row besides its pairs, theirs 2 or 3.  They
keep the bits of plain Lloyd, so each processor may have its rule.  Measured with AVX2; with
AVX-512 nothing is known of them."""
LEAST_ROWS = 300_000
"""Fewest rows for them: with fewer, calls and threads take as long as the rows."""
REPAID_AFTER = 8
"""Iterations that repay the sort of boxes.  It takes about three iterations of plain Lloyd."""
FEWEST_FEATURES = (16 if CODES.bits == 8 else 64) if CODES.product else math.inf
"""Fewest features for codes.  Below them, what a row costs besides its scores is more than all its
scores.  Without an instruction for products of codes they never pay."""
FEWEST_CLUSTERS, FEWEST_PRODUCTS = 32, 1024
"""Fewest clusters for codes, and fewest multiplications of a row with all centers.  Below these,
the gain is not worth the seconds that the kernels take to compile, once."""

FEW_MOVED, BOUNDS_REPAID = 0.05, 6
"""Most moved rows, as a share of all, for which ``auto`` tries bounds in float32, and the fewest
iterations that must be left.  The first one takes up to 1.6 times as long as a plain one."""
FEWEST_FOR_BOUNDS, CLUSTERS_FOR_BOUNDS, PRODUCTS_FOR_BOUNDS = 10, 32, 768
"""Fewest features and clusters for them, and fewest multiplications of a row with all centers.
Below these, what a row costs besides its scores is more than they spare.  With fewer features,
they would also take more memory than the rows."""
PANEL = 1 << 17
"""Most values of the centers for them: beyond, the tiles leave the second-level cache."""


class BoundedCosts(NamedTuple):
    """The same for bounds in float32; the pairs cost what they cost in plain Lloyd."""

    carried: float  # the bounds of a row are widened
    met: tuple[float, float]  # a row needs a group of centers
    rival: tuple[float, float]  # a row has a rival


BOUNDED = BoundedCosts(carried=9.0, met=(17, 1.05), rival=(200, 6.0))
"""Measured with AVX2 (AMD Zen 3), and scaled to the costs of plain Lloyd above."""

Shape = tuple[int, int]


def boxes_may_pay(shape: Shape, n_clusters: int) -> bool:
    """Return whether boxes are likely to pay.

    The sort costs some iterations of plain Lloyd, fewer if there are more clusters.  With
    more features, more boxes lie on a border between clusters.
    """
    n, d = shape
    return d <= MOST_FEATURES and n * n_clusters >= ENOUGH_PAIRS * max(1, d - 1)


def boxes_by_row_may_pay(shape: Shape, n_clusters: int) -> bool:
    """Return whether boxes that add the sums row by row are likely to pay."""
    n, d = shape
    return d in BY_ROW_FEATURES and n >= LEAST_ROWS


def codes_may_pay(shape: Shape, n_clusters: int) -> bool:
    """Return whether codes may pay."""
    much = n_clusters >= max(FEWEST_CLUSTERS, -(-FEWEST_PRODUCTS // shape[1]))
    return shape[1] >= FEWEST_FEATURES and much


def bounds_may_pay(shape: Shape, n_clusters: int) -> bool:
    """Return whether bounds in float32 may pay."""
    _, d = shape
    much = n_clusters >= max(CLUSTERS_FOR_BOUNDS, -(-PRODUCTS_FOR_BOUNDS // d))
    return d >= FEWEST_FOR_BOUNDS and much and n_clusters * (d + 1) <= PANEL


def bounded_cost(shape: Shape, met: int, scored: int, rivals: int) -> float:
    """Estimate the cost of an iteration from the counts of ``bounded_rows``."""
    n, d = shape
    by_row = BOUNDED.carried * n + _of(BOUNDED.met, d) * met + _of(BOUNDED.rival, d) * rivals
    return by_row + _of(COSTS.pair, d) * scored


def _of(cost: tuple[float, float], n_features: int) -> float:
    return cost[0] + cost[1] * n_features


def plain_cost(shape: Shape, n_clusters: int) -> float:
    """Estimate the cost of comparing all rows with all centers."""
    n, d = shape
    return n * (_of(COSTS.row, d) + n_clusters * _of(COSTS.pair, d))


def codes_cost(
    shape: Shape, met: float, screened: float, listed: float = 0.0, scored: float = 0.0
) -> float:
    """Estimate the cost of an iteration from the counts of ``screen_rows``."""
    n, d = shape
    by_codes = _of(COSTS.met, d) * met + _of(COSTS.screened, d) * screened + COSTS.listed * listed
    return COSTS.carried * n + by_codes + _of(COSTS.scored, d) * scored


def least_cost(shape: Shape, k: int, n_moved: int) -> float:
    """Estimate the least cost of an iteration: a row that moves has a candidate."""
    return codes_cost(shape, n_moved, n_moved * k, n_moved, 2.0 * n_moved)


def least_first_cost(shape: Shape, k: int) -> float:
    """Estimate the least cost of the first iteration of a run: every row has candidates.

    Each row lists the centers that score higher than all before them: about ``ln k``.
    """
    n = shape[0]
    return codes_cost(shape, n, n * k, math.log(k) * n, n)


def cost_to_begin(shape: Shape) -> float:
    """Estimate the cost of writing the rows as codes."""
    n, d = shape
    return n * _of(COSTS.begin, d)
