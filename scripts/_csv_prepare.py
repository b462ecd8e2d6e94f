"""From the columns of a table to the array that is clustered: missing values and scales."""

from __future__ import annotations

import numpy as np
from _csv_table import Table
from _shared import UserError, note


def take_rows(table: Table, policy: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Deal with missing values.

    Returns
    -------
    X
        The rows to cluster.
    keep
        Which rows of the file those are; None for all.
    """
    gaps = {name: table.missing_in(name) for name in table.names}
    gaps = {name: mask for name, mask in gaps.items() if mask.any()}
    if not gaps:
        return table.to_array(), None
    if policy == "mean":
        return table.to_array(fill=True), None
    anywhere = np.logical_or.reduce(list(gaps.values()))
    path, missing = table.source.path, int(anywhere.sum())
    if policy == "error":
        first = int(anywhere.argmax())
        name = next(name for name, mask in gaps.items() if mask[first])
        counts = ", ".join(f"{name} {mask.sum()}" for name, mask in gaps.items())
        raise UserError(
            f"{path}: {missing} of {table.n_rows} rows lack a value, first "
            f"{table.source.place(first + 1)} in column {name!r} (missing by column: {counts}). "
            "Use --missing drop to leave such rows out, or --missing mean to fill in the mean"
        )
    if missing == table.n_rows:
        worst = max(gaps, key=lambda name: int(gaps[name].sum()))
        raise UserError(
            f"{path}: every row lacks a value in some column, so --missing drop leaves none; "
            f"--exclude {worst} (the emptiest column), or use --missing mean"
        )
    return table.to_array(~anywhere), ~anywhere


def standardize(X: np.ndarray, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Bring every column of X, in place, to mean 0 and standard deviation 1.

    Returns
    -------
    shift, scale
        What turns the new values back into the old: `new * scale + shift`.
    """
    shift, scale = np.zeros(X.shape[1]), np.ones(X.shape[1])
    for j, name in enumerate(names):
        column = X[:, j].astype(np.float64)
        shift[j] = column.mean()
        if column.min() == column.max():
            note(
                f"warning: column {name!r} is constant ({column[0]:g}): it does not tell rows apart"
            )
            shift[j] = column[0]
        else:
            scale[j] = column.std()
        X[:, j] = (column - shift[j]) / scale[j]
    return shift, scale


def note_dominance(X: np.ndarray, names: list[str]) -> None:
    """Point out a column whose numbers are so large that the others hardly count."""
    spread = np.array([X[:, j].var(dtype=np.float64) for j in range(X.shape[1])])
    largest, total = int(spread.argmax()), float(spread.sum())
    if len(names) > 1 and spread[largest] > 0.9 * total:
        note(
            f"note: column {names[largest]!r} makes up {spread[largest] / total:.1%} of the "
            "variance, so the others hardly count: --standardize gives all the same weight, "
            "--exclude leaves it out"
        )
