"""What a fit of ours costs as the data grow: ``compare scaling``.

Rows, features and clusters vary one at a time around one shape; a last run shows the
iterations one by one.  The default engine stands beside the plain one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _shared import blamed_on, need, whole_files
from benchmarks.datasets import CELLS, Cell

from .fits import ITERATIONS, run_fits
from .results import Outcome
from .tasks import Log, Options
from .worker import Worker

SHAPE = (200_000, 8, 64)
FACTORS = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)
FEATURES = (2, 4, 8, 16, 32, 64, 128)
CLUSTERS = (8, 16, 32, 64, 128, 256, 512, 1024)
RUN = "overlap-100kx64-k200"
"""The cell whose iterations are shown one by one."""
ENGINES = {"fastkmeans": ("auto", "#0072b2", "o"), "fastkmeans-lloyd": ("lloyd", "#d55e00", "s")}
"""Name, colour and marker in the figure by library."""
AXES = {"n": "rows n", "d": "features d", "k": "clusters k"}


def sweeps(shape: tuple[int, int, int]) -> dict[str, list[Cell]]:
    """Return the cells in which one of n, d and k varies."""
    n, d, k = shape
    values: dict[str, Sequence[int]] = {
        "n": [round(n * factor) for factor in FACTORS],
        "d": sorted({d, *FEATURES}),
        "k": sorted({k, *CLUSTERS}),
    }
    found: dict[str, list[Cell]] = {}
    for name, numbers in values.items():
        shapes = [{"n": n, "d": d, "k": k, name: number} for number in numbers]
        found[name] = [Cell("{n}x{d}-k{k}".format(**s), **s) for s in shapes if s["k"] <= s["n"]]
    return found


def run_scaling(
    workers: Sequence[Worker],
    shape: tuple[int, int, int],
    dtype: str,
    options: Options,
    log: Log,
    quick: bool = False,
) -> list[Outcome]:
    """Time the fits of all panels, each cell once."""
    cells = {cell.name: cell for panel in sweeps(shape).values() for cell in panel}
    outcomes: list[Outcome] = []
    for cell in cells.values():
        outcomes += run_fits(workers, cell, dtype, "fits", options, log)
    run = CELLS[RUN].quick() if quick else CELLS[RUN]
    return outcomes + run_fits(workers, run, dtype, "convergence", options, log)


def draw_scaling(path: Path, outcomes: Sequence[Outcome], shape: tuple[int, int, int]) -> None:
    """Draw the four panels into a PNG file."""
    figure = need("matplotlib.figure", "plots").Figure(
        figsize=(10, 7.5), dpi=130, layout="constrained"
    )
    axes = figure.subplots(2, 2).ravel()
    timed = [o for o in outcomes if o.task == "fits" and math.isfinite(o.seconds)]
    seconds = {(o.cell, o.library): o.seconds for o in timed}
    for axis, (name, cells) in zip(axes, sweeps(shape).items(), strict=False):
        draw_sweep(axis, name, cells, seconds, shape)
    limits = min(seconds.values()) / 1.5, max(seconds.values()) * 1.5
    for axis in axes[:3]:
        axis.set_ylim(limits)
    draw_run(axes[3], [o for o in outcomes if o.task == "convergence"])
    axes[0].legend(frameon=False)
    with whole_files(path) as [temporary], blamed_on(path):
        figure.savefig(temporary, format="png")


def draw_sweep(
    axis: Any,
    name: str,
    cells: Sequence[Cell],
    seconds: dict[tuple[str, str], float],
    shape: tuple[int, int, int],
) -> None:
    """Draw the time of a fit against one of n, d and k, and what slope 1 would be."""
    x = [getattr(cell, name) for cell in cells]
    for library, (title, colour, marker) in ENGINES.items():
        y = [seconds.get((cell.name, library), math.nan) for cell in cells]
        axis.plot(x, y, marker=marker, markersize=5, color=colour, label=title)
    guide = [y[-1] * value / x[-1] for value in x]  # through the end of the plain engine's
    axis.plot(x, guide, color="#999999", linewidth=0.8, zorder=1, label="slope 1")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xticks(x, [short(value) for value in x])
    axis.set_xticks([], minor=True)
    fixed = [
        f"{letter} = {short(value)}"
        for letter, value in zip("ndk", shape, strict=True)
        if letter != name
    ]
    axis.set_title(", ".join(fixed), fontsize=11)
    axis.set(xlabel=AXES[name], ylabel=f"seconds per fit of {ITERATIONS['fits']} iterations")
    axis.spines[["top", "right"]].set_visible(False)


def draw_run(axis: Any, outcomes: Sequence[Outcome]) -> None:
    """Draw the milliseconds of every iteration of one run."""
    for outcome in outcomes:
        title, colour, _ = ENGINES[outcome.library]
        y = [1e3 * step[1] for step in outcome.details.get("history", ())]
        axis.plot(range(1, len(y) + 1), y, color=colour, label=title)
    axis.set_ylim(bottom=0)
    axis.set_title(f"one run to convergence: {outcomes[0].cell}", fontsize=11)
    axis.set(xlabel="iteration", ylabel="milliseconds per iteration")
    axis.spines[["top", "right"]].set_visible(False)


def short(number: int) -> str:
    """Write a number with its thousands or millions as a letter."""
    for size, letter in ((1_000_000, "M"), (1000, "k")):
        if number >= size and number % (size // 10) == 0:
            return f"{number / size:g}{letter}"
    return str(number)
