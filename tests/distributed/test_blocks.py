"""Blocks of any kind, and errors that name the argument, the row and the column."""

from __future__ import annotations

import pickle
from functools import partial
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from numpy.typing import NDArray

from fastkmeans import merge_statistics, open_dataset, partial_statistics

Array = NDArray[Any]
X = np.random.default_rng(0).normal(size=(40, 4))
START = X[:3]


def test_blocks_of_any_kind(tmp_path: Any) -> None:
    """Frames, sparse matrices, files: what a fit takes; without rows, too."""
    pandas, pyarrow = (pytest.importorskip(name) for name in ("pandas", "pyarrow"))
    np.save(tmp_path / "block.npy", X)
    frame = pandas.DataFrame(X, columns=list("abcd"))
    expected = partial_statistics(X, START)
    batch = pyarrow.RecordBatch.from_pandas(frame)
    for block in (frame, batch, pyarrow.table(frame), scipy.sparse.csr_array(X), X.tolist()):
        assert partial_statistics(block, START).label_hash == expected.label_hash
    assert partial_statistics(tmp_path / "block.npy", START).inertia == expected.inertia
    kinds = (X, frame, batch, pyarrow.table(frame), scipy.sparse.csr_array(X), frame.astype(object))
    for block in kinds:
        none = partial_statistics(block[:0], START)
        assert (none.n_rows, none.inertia, none.n_empty) == (0, 0.0, 3)
        merged = merge_statistics([none, expected, none])
        assert pickle.dumps(merged) == pickle.dumps(merge_statistics([expected]))


def spoiled(value: float, row: int, column: int) -> Array:
    block = X.copy()
    block[row, column] = value
    return block


REFUSED: list[tuple[Any, str]] = [
    (partial(partial_statistics, spoiled(np.nan, 3, 2), START), "block.*NaN at row 3, column 2"),
    (
        partial(partial_statistics, spoiled(np.inf, 1, 0), START, metric="cosine"),
        "block.*infinity at row 1, column 0",
    ),
    (partial(partial_statistics, [["a", "b", "c", "d"]], START), "block holds text.*'a'"),
    (partial(partial_statistics, [[1, 2, 3, 4], [5]], START), "block is ragged: row 0.*row 1"),
    (partial(partial_statistics, X[0], START), "block has shape"),
    (partial(partial_statistics, X[:, :3], START), "block has 3 columns, but centers has 4"),
    (partial(partial_statistics, X[:0, :3], START), "block has 3 columns, but centers has 4"),
    (partial(partial_statistics, X, spoiled(np.nan, 1, 1)), "centers.*NaN at row 1, column 1"),
    (partial(partial_statistics, X, START[0]), "centers has shape"),
    (
        partial(partial_statistics, X, np.zeros((2, 4)), metric="cosine"),
        "centers has length 0 in row 0",
    ),
    (partial(partial_statistics, X, START, [1, 2]), r"sample_weight.shape == \(2,\), expected"),
    (
        partial(partial_statistics, X, START, [1, 2, -1] + [0] * 37),
        "sample_weight holds -1.0 at row 2",
    ),
    (partial(partial_statistics, X, START, [1e300] * 40), "sample_weight is 1e.300 at most"),
    (partial(partial_statistics, X, START, metric="l1"), "metric must be"),
    (partial(partial_statistics, X, START, n_threads=0), "n_threads must be at least 1"),
    (partial(merge_statistics, []), "parts is empty"),
    (
        lambda: merge_statistics([partial_statistics(X, c) for c in (START, START + 1)]),
        r"parts\[1\] belongs to other centers than parts\[0\]",
    ),
    (
        lambda: merge_statistics([partial_statistics(c, c) for c in (START, START.reshape(4, 3))]),
        r"parts\[1\] belongs to other centers than parts\[0\]",
    ),
    (
        lambda: merge_statistics(
            [partial_statistics(X, START, metric=m) for m in ("cosine", "euclidean")]
        ),
        r"parts\[1\] belongs to another metric",
    ),
    (lambda: partial_statistics(X, START).centers(START + 1), "previous are not the centers"),
    (lambda: partial_statistics(X, START).step(START[:2]), "previous needs one row per cluster"),
    (
        lambda: partial_statistics(X, START).centers(START[:2]),
        r"The shape of previous \(2, \d\) does not match",
    ),
    (lambda: partial_statistics(X, START).step(START, tol=-1), "tol must be finite"),
    (lambda: partial_statistics(X[:0], START).centers(START), "there is no row"),
    (lambda: partial_statistics(X, START, [0] * 40).step(START), "no row has a positive weight"),
    (
        lambda: partial_statistics(X * 0.0, START, metric="cosine").centers(START),
        "no row has a positive weight and a length above 0",
    ),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_errors_name_the_argument_and_the_place(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_the_sign_of_zero_makes_no_other_centers() -> None:
    parts = [partial_statistics(X, np.outer([1, 2], [1, 1, 1, zero])) for zero in (0.0, -0.0)]
    assert merge_statistics(parts).n_rows == 80


def test_a_step_of_other_centers_is_refused() -> None:
    """A loop that goes on with the step of another fit would end by its rules."""
    first = partial_statistics(X, START).step(START)
    now = partial_statistics(X, first.centers)
    assert not now.step(first.centers, first).n_relocated
    for other in (START[:2], START + 1.0):
        step = partial_statistics(X, other).step(other)
        with pytest.raises(ValueError, match="before is not the step that led to previous"):
            now.step(first.centers, step)


def test_errors_of_type() -> None:
    now = partial_statistics(X, START)
    for call, message in (
        (lambda: merge_statistics([now, None]), r"parts\[1\] is None"),  # type: ignore[list-item]
        (lambda: merge_statistics(now), "parts must be several"),  # type: ignore[arg-type]
        (lambda: now.step(START, 3), "before must be None or the Step"),  # type: ignore[arg-type]
    ):
        with pytest.raises(TypeError, match=message):
            call()


def test_a_standardised_dataset_is_refused(tmp_path: Any) -> None:
    """Each block would be standardised by its own mean."""
    np.save(tmp_path / "block.npy", X)
    with (
        open_dataset(tmp_path / "block.npy", standardize=True) as dataset,
        pytest.raises(ValueError, match="block is a dataset that was standardised by its own"),
    ):
        partial_statistics(dataset, START)
