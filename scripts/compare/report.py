"""What ``compare`` prints: the tables of every task, then what to know about them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from .curve import curve_rows
from .fits import SHOWN, fits_table, history_rows
from .optimum import KNOWN, REAL, optimum_tables
from .ours import is_checkout, tree_of
from .peer import WHOLE
from .results import (
    TOLERANCE,
    Outcome,
    foot_notes,
    format_table,
    geometric_mean,
    ratios,
    slower_cells,
    summarize,
)


def rate_rows(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """Return the rows of the table of arithmetic rates, in GFLOP/s."""
    rows = []
    for outcome in outcomes:
        rates = outcome.details
        if "gemm_gflops" not in rates:
            continue
        names = ("iteration_gflops", "e_step_gflops", "gemm_gflops", "square_gflops")
        row = [f"{rates[name]:.0f}" if name in rates else "-" for name in names]
        for machine in ("gemm_gflops", "square_gflops"):
            known = "e_step_gflops" in rates
            row.append(f"{rates['e_step_gflops'] / rates[machine]:.2f}" if known else "-")
        rows.append([f"{outcome.cell} {outcome.dtype}", *row])
    return rows


def quality_rows(outcomes: Sequence[Outcome], task: str, baseline: str) -> list[list[str]]:
    """Return the rows of the table of inertias: the baseline's over the peer's."""
    chosen = [o for o in outcomes if o.task == task and o.inertia > 0.0]
    ours = {o.key: o for o in chosen if o.library == baseline}
    rows = []
    for o in chosen:
        if o.library != baseline and o.key in ours:
            b = ours[o.key]
            ratio = b.inertia / o.inertia
            error = ratio * math.hypot(b.error / b.inertia, o.error / o.inertia)
            draws = len(o.details.get("seconds", ()))
            rows.append(
                [f"{o.cell} {o.dtype}", o.library, f"{ratio:.4f}", f"{error:.4f}", f"{draws}"]
            )
    return rows


def checkout_lines(outcomes: Sequence[Outcome], baseline: str) -> list[str]:
    """Return a line for every task and checkout: its times over the baseline's.

    If a checkout was given several times, the later ones are also set against the first.
    """
    names = [name for name in dict.fromkeys(o.library for o in outcomes) if is_checkout(name)]
    first = {tree_of(name): name for name in reversed(names)}
    pairs = [(baseline, name) for name in names]
    pairs += [(first[tree_of(name)], name) for name in names if first[tree_of(name)] != name]
    lines = []
    for task in dict.fromkeys(o.task for o in outcomes):
        for base, name in pairs:
            both = [o for o in outcomes if o.task == task and o.library in (base, name)]
            found = {f"{o.cell} {o.dtype}": r.value for o, r in ratios(both, base) if r.value}
            if found:
                worst, best = min(found, key=found.__getitem__), max(found, key=found.__getitem__)
                lines.append(
                    f"{task}: {name} / {base}: geometric mean "
                    f"{geometric_mean(found.values()):.3f} of {len(found)} cells, "
                    f"worst {found[worst]:.3f} ({worst}), best {found[best]:.3f} ({best})"
                )
    return lines


def print_starts(
    outcomes: Sequence[Outcome], table: Callable[[Sequence[str], Sequence[Sequence[str]]], None]
) -> list[str]:
    """Print the tables of fits from the libraries' own starts; return their foot notes."""
    dtype = next((o.dtype for o in outcomes), "")
    for task in (KNOWN, REAL):
        for header, rows in optimum_tables(outcomes, task, dtype):
            table(header, rows)
    for cell in dict.fromkeys(o.cell for o in outcomes if o.task == "curve"):
        table([f"{cell}, {dtype}", "time", "inertia", "excess"], curve_rows(outcomes, cell))
    return [
        line
        for name in dict.fromkeys(o.library for o in outcomes)
        for line in foot_notes([o for o in outcomes if o.library == name], [], name)
    ]


def print_report(
    outcomes: Sequence[Outcome],
    dtypes: Sequence[str],
    baselines: Sequence[str],
    notes: Sequence[str],
    markdown: bool = False,
) -> None:
    """Print the tables, then what was left out and why.

    Parameters
    ----------
    outcomes : sequence of Outcome
    dtypes : sequence of str
        In the order of the tables.
    baselines : sequence of str
        What the others are compared with; after the first, further engines of ours.
    notes : sequence of str
        What else there is to say, printed first among the foot notes.
    markdown : bool
    """

    def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        if rows:
            print("\n" + format_table(header, rows, markdown))

    starts = [o for o in outcomes if o.task not in TOLERANCE]
    outcomes = [o for o in outcomes if o.task in TOLERANCE]
    lines = [*checkout_lines(outcomes, baselines[0]), *notes, *print_starts(starts, table)]
    for task in dict.fromkeys(o.task for o in outcomes):
        for dtype in [d for d in dtypes if any((o.task, o.dtype) == (task, d) for o in outcomes)]:
            if task in WHOLE:
                header, rows, found = fits_table(outcomes, task, dtype, baselines)
            else:
                header, rows, found = summarize(outcomes, task, dtype, baselines[0])
            table(header, rows)
            lines += found
    for dtype in dtypes:
        names = [f"iteration {SHOWN[0]}", *map(str, SHOWN[1:])]
        header = [f"distances avoided, ms; {dtype}", *names]
        table(header, list(history_rows(outcomes, dtype, baselines)))
    names = ["iteration", "E step", "gemm", "square", "E/gemm", "E/square"]
    table(["GFLOP/s", *names], rate_rows(outcomes))
    names = ["peer", "baseline/peer", "+-", "draws"]
    table(["potential after seeding", *names], quality_rows(outcomes, "seeding", baselines[0]))
    table(["inertia by mini-batches", *names], quality_rows(outcomes, "minibatch", baselines[0]))
    others = [o for o in outcomes if o.library not in baselines[1:]]
    for line in dict.fromkeys(lines + slower_cells(others, baselines[0])):
        print(f"- {line}" if markdown else f"  {line}")
