"""Results of ``compare``: outcomes, when two of them agree, ratios, tables.

Pure functions of numbers: nothing here imports or times a library.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

TOLERANCE = {
    **{task: {"float32": 1e-4, "float64": 1e-6} for task in ("iterations", "fits", "convergence")},
    "seeding": {"float32": 0.02, "float64": 0.02},
    "small": {"float32": 0.02, "float64": 0.02},
    "calls": {"float32": 0.02, "float64": 0.02},
    "minibatch": {"float32": 0.0, "float64": 0.0},
}
"""Largest relative difference of inertias at which two times may be compared.

From the same centers the inertias must be equal but for rounding.  Seeding, small fits
and mini-batches draw at random: there, means over a few draws are compared, and three
standard errors are added.  Of mini-batches, a lower inertia is no objection."""


@dataclass
class Outcome:
    """What one library did in one cell.

    ``start`` names the initial centers: outcomes are comparable only where it is equal.
    ``error`` is the standard error of ``inertia`` where that is a mean over draws.
    ``seconds`` is not a number where there is no valid time, and ``note`` says why;
    ``remark`` is what to know about a valid one.
    """

    task: str
    cell: str
    dtype: str
    library: str
    start: str = "shared"
    seconds: float = math.nan
    inertia: float = math.nan
    error: float = 0.0
    note: str = ""
    remark: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What outcomes must share to be compared."""
        return self.task, self.cell, self.dtype, self.start


@dataclass(frozen=True)
class Ratio:
    """A peer's time over the baseline's, or the reason why there is none."""

    value: float | None
    reason: str = ""


def geometric_mean(values: Iterable[float]) -> float:
    """Return the geometric mean, not a number of an empty sequence."""
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean of some draws and its standard error (0 of a single draw)."""
    if len(values) < 2:
        return values[0], 0.0
    return statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))


def per_iteration(
    short: Sequence[float], long: Sequence[float], n_short: int, n_long: int
) -> tuple[float, float]:
    """Return seconds per iteration and their relative spread.

    Parameters
    ----------
    short, long : sequence of float
        Seconds of interleaved runs of ``n_short`` and of ``n_long`` iterations.
    n_short, n_long : int
        The iterations that were really run.

    Returns
    -------
    seconds : float
        Difference of the least times over the difference of iterations: what a run
        pays once (validation, a last pass) cancels, and so does most noise, which only
        ever adds.  Not a number where nothing can be said.
    spread : float
        Half the range between the quartiles of the paired differences, relative.
    """
    if n_long <= n_short or not short or not long:
        return math.nan, math.nan
    seconds = (min(long) - min(short)) / (n_long - n_short)
    if seconds <= 0.0:
        return math.nan, math.nan
    paired = sorted(b - a for a, b in zip(short, long, strict=False))
    if len(paired) < 2:
        return seconds, math.nan
    low, _, high = statistics.quantiles(paired, n=4, method="inclusive")
    return seconds, (high - low) / 2 / (n_long - n_short) / seconds


def agree(ours: Outcome, theirs: Outcome) -> bool:
    """Return whether two inertias are equal within the tolerance of the task.

    Ours of mini-batches may be lower.
    """
    if not (math.isfinite(ours.inertia) and math.isfinite(theirs.inertia)):
        return False
    scale = max(abs(ours.inertia), abs(theirs.inertia))
    slack = TOLERANCE[ours.task][ours.dtype] * scale + 3.0 * math.hypot(ours.error, theirs.error)
    excess = ours.inertia - theirs.inertia
    return (excess if ours.task == "minibatch" else abs(excess)) <= slack


def ratio(baseline: Outcome | None, peer: Outcome) -> Ratio:
    """Return how many times as long the peer takes, if the comparison is fair."""
    if not math.isfinite(peer.seconds):
        return Ratio(None, peer.note or "no time")
    if baseline is None or not math.isfinite(baseline.seconds):
        reason = baseline.note if baseline is not None else "not run"
        return Ratio(None, f"no baseline: {reason or 'no time'}")
    if not agree(baseline, peer):
        difference = peer.inertia / baseline.inertia - 1.0 if baseline.inertia else math.inf
        return Ratio(None, f"not comparable: inertia differs by {difference:+.1e}")
    return Ratio(peer.seconds / baseline.seconds)


def ratios(outcomes: Iterable[Outcome], baseline: str) -> list[tuple[Outcome, Ratio]]:
    """Pair every peer's outcome with its ratio to the baseline from the same start."""
    outcomes = list(outcomes)
    ours = {outcome.key: outcome for outcome in outcomes if outcome.library == baseline}
    return [
        (outcome, ratio(ours.get(outcome.key), outcome))
        for outcome in outcomes
        if outcome.library != baseline
    ]


def format_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], markdown: bool = False
) -> str:
    """Align a table: the first column to the left, the others to the right."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]

    def render(line: Sequence[str]) -> str:
        cells = [
            text.ljust(width) if i == 0 else text.rjust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        return "| " + " | ".join(cells) + " |" if markdown else "  ".join(cells).rstrip()

    rule = ["-" * width for width in widths]
    if markdown:
        rule = [rule[0], *(dashes[:-1] + ":" for dashes in rule[1:])]
    return "\n".join([render(lines[0]), render(rule), *(render(line) for line in lines[1:])])


def format_seconds(seconds: float) -> str:
    """Write a time with three digits and a unit."""
    if not math.isfinite(seconds):
        return "-"
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1.0:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"


def summarize(
    outcomes: Sequence[Outcome], task: str, dtype: str, baseline: str
) -> tuple[list[str], list[list[str]], list[str]]:
    """Return header, rows and foot notes of one task's table for one dtype.

    One row per cell: the baseline's time, then each peer's ratio to it (above 1: the
    baseline is faster).  The last row holds the geometric means.
    """
    chosen = [o for o in outcomes if o.task == task and o.dtype == dtype]
    paired = ratios(chosen, baseline)
    found = {(o.cell, o.library): r for o, r in paired}
    peers = list(dict.fromkeys(o.library for o, _ in paired))
    ours = {o.cell: o for o in chosen if o.library == baseline and o.start == "shared"}
    rows = []
    for cell in dict.fromkeys(o.cell for o in chosen):
        seconds = ours[cell].seconds if cell in ours else math.nan
        values = [found.get((cell, peer), Ratio(None)).value for peer in peers]
        rows.append([cell, format_seconds(seconds), *(format_ratio(v) for v in values)])
    means = [
        geometric_mean(r.value for (_, name), r in found.items() if name == peer and r.value)
        for peer in peers
    ]
    rows.append(["geometric mean", "", *(format_ratio(mean) for mean in means)])
    return [f"{task}, {dtype}", baseline, *peers], rows, foot_notes(chosen, paired, baseline)


def format_ratio(value: float | None) -> str:
    """Write a ratio, or a dash where there is none."""
    return "-" if value is None or math.isnan(value) else f"{value:.2f}"


def foot_notes(
    chosen: Sequence[Outcome], paired: Iterable[tuple[Outcome, Ratio]], baseline: str
) -> list[str]:
    """Say why ratios are missing and what to know about the others, once per reason."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for outcome, result in paired:
        reason = result.reason if result.value is None else outcome.remark
        if reason:
            reasons.setdefault((outcome.library, reason), []).append(outcome.cell)
    for outcome in chosen:
        reason = outcome.note or outcome.remark
        if outcome.library == baseline and reason:
            reasons.setdefault((baseline, reason), []).append(outcome.cell)
    dtype = next((outcome.dtype for outcome in chosen), "")
    return [
        f"{library}, {dtype}: {reason} ({', '.join(dict.fromkeys(cells))})"
        for (library, reason), cells in reasons.items()
    ]


def slower_cells(outcomes: Iterable[Outcome], baseline: str) -> list[str]:
    """Return a line for every cell where a peer beats the baseline."""
    return [
        f"{outcome.task} {outcome.cell} {outcome.dtype}: {outcome.library} is faster "
        f"({result.value:.2f})"
        for outcome, result in ratios(outcomes, baseline)
        if result.value is not None and result.value < 1.0
    ]
