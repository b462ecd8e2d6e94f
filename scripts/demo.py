"""Show k-means at work on the lesson's sample: 300 points around three centers.

    python scripts/demo.py --out demo.png

k-means is written here with the lesson's three functions, and runs from several random starts.
The run with the lowest distortion is kept and drawn; if several reach it, the longest one, which
shows most. There is a panel per iteration: the points in the colour of their cluster, and the path
of every centroid so far.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from _shared import (
    Parser,
    blamed_on,
    check_outputs,
    exit_with,
    guarded,
    need,
    whole_files,
    whole_number,
)

K = 3
MOST_PANELS = 12
COLOURS = ("#0072b2", "#d55e00", "#009e73")  # told apart by colour-blind eyes too


class Run(NamedTuple):
    """One run of k-means, iteration by iteration."""

    centroids: list[np.ndarray]  # before the first iteration, and after each
    labels: list[np.ndarray]  # of each iteration, by the centroids before it
    distortions: list[float]  # of each iteration, with those labels and centroids


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; return its exit code."""
    args = _parser().parse_args(argv)
    return guarded(lambda: demo(args))


def demo(args: argparse.Namespace) -> None:
    """Run k-means from several starts, print the distortions and draw the best run."""
    check_outputs({"--out": args.out})
    need("matplotlib", "plots")
    X = sample_points(args.seed)
    np.random.seed(args.seed)  # noqa: NPY002  kMeans_init_centroids draws from here, as in the lesson
    runs = [run_kmeans(X, K, args.iterations) for _ in range(args.starts)]
    best = min(
        range(len(runs)),
        key=lambda r: (round(runs[r].distortions[-1], 9), -len(runs[r].distortions)),
    )
    for number, run in enumerate(runs):
        kept = "  <- lowest, kept" if number == best else ""
        path = " ".join(f"{distortion:.4f}" for distortion in run.distortions)
        print(f"start {number + 1}: distortion {path}{kept}")
    with whole_files(args.out) as [temporary], blamed_on(args.out):
        draw(temporary, X, runs, best)
    print(f"written: {args.out}")


def sample_points(seed: int, n: int = 300) -> np.ndarray:
    """Draw points around the three centers of the lesson's sample."""
    rng = np.random.default_rng(seed)
    middles = np.array([[2.0, 5.0], [3.0, 1.0], [6.0, 3.0]])
    return middles[np.arange(n) % 3] + rng.normal(scale=0.75, size=(n, 2))


def run_kmeans(X: np.ndarray, K: int, iterations: int) -> Run:
    """Label and move in turn, from a random start, until the centroids stay where they are.

    The functions are those of the lesson.  The run ends after ``iterations`` at the latest.
    """
    lesson = need("fastkmeans")
    run = Run([lesson.kMeans_init_centroids(X, K)], [], [])
    moved = True
    while moved and len(run.labels) < iterations:
        old = run.centroids[-1]
        labels = lesson.find_closest_centroids(X, old)
        new = lesson.compute_centroids(X, labels, K)
        run.labels.append(labels)
        run.distortions.append(float(((X - old[labels]) ** 2).sum(axis=1).mean()))
        run.centroids.append(new)
        moved = not np.array_equal(old, new)
    return run


def draw(path: Path, X: np.ndarray, runs: list[Run], best: int) -> None:
    """Draw the best run, a panel per iteration, and the distortions of all runs in the last."""
    run = runs[best]
    shown = list(range(len(run.labels)))
    if len(shown) > MOST_PANELS - 1:  # the first ones, and the end
        shown = [*shown[: MOST_PANELS - 2], shown[-1]]
    columns = min(3 if len(shown) + 1 in (5, 6, 9) else 4, len(shown) + 1)
    rows = -(-(len(shown) + 1) // columns)
    figure = need("matplotlib.figure", "plots").Figure(
        figsize=(3.4 * columns, 3.3 * rows + 0.5), dpi=120, layout="constrained"
    )
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, iteration in zip(axes, shown, strict=False):
        draw_iteration(axis, X, run, iteration)
    draw_distortions(axes[len(shown)], runs, best)
    for axis in axes[len(shown) + 1 :]:
        axis.set_axis_off()
    figure.suptitle(
        f"k-means on {len(X)} points: crosses are the centroids, dots where they were", fontsize=13
    )
    figure.savefig(path, format="png")


def draw_iteration(axis: Any, X: np.ndarray, run: Run, iteration: int) -> None:
    """Draw the points by cluster, and where the centroids come from and stand now."""
    path = np.stack(run.centroids[: iteration + 1])  # (steps, K, 2)
    for k in range(path.shape[1]):
        points = X[run.labels[iteration] == k]
        colour = COLOURS[k % len(COLOURS)]
        axis.scatter(*points.T, s=11, color=colour, alpha=0.45, linewidths=0)
        axis.plot(*path[:, k].T, color="black", linewidth=1.3, zorder=3)
        axis.scatter(*path[:-1, k].T, s=16, color="black", zorder=4)
        axis.scatter(
            *path[-1, k],
            s=110,
            marker="X",
            color=colour,
            edgecolors="black",
            linewidths=1.3,
            zorder=5,
        )
    axis.set_title(
        f"iteration {iteration + 1}, distortion {run.distortions[iteration]:.3f}", fontsize=11
    )
    axis.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")


def draw_distortions(axis: Any, runs: list[Run], best: int) -> None:
    """Draw how the distortion falls, the best run in black, the others in grey."""
    order = [number for number in range(len(runs)) if number != best] + [best]
    for number in order:
        distortions = runs[number].distortions
        style = {"color": "black", "linewidth": 2} if number == best else {"color": "#b0b0b0"}
        label = {order[0]: "other starts", best: "kept"}.get(number)
        axis.plot(range(1, len(distortions) + 1), distortions, marker=".", label=label, **style)
    axis.set_title("distortion, all starts" if len(runs) > 1 else "distortion", fontsize=11)
    axis.set_xlabel("iteration")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--out", type=Path, default=Path("demo.png"), help="the picture (default: %(default)s)")
    add("--starts", type=whole_number(1), default=5, help="random starts (default: %(default)s)")
    add(
        "--iterations",
        type=whole_number(1),
        default=10,
        help="at most so many (default: %(default)s)",
    )
    add(
        "--seed",
        type=whole_number(0),
        default=0,
        help="seed of points and starts (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    exit_with(main)
