"""What the indices refuse, in words and as scikit-learn does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from sklearn import metrics as theirs

from fastkmeans import metrics, open_dataset

X = np.arange(12.0).reshape(6, 2)
CENTERS = X[:3]
SILHOUETTES: dict[str, Callable[..., Any]] = {
    "samples": metrics.silhouette_samples,
    "score": metrics.silhouette_score,
    "simplified samples": lambda X, y, **rest: metrics.simplified_silhouette_samples(
        X, y, CENTERS, **rest
    ),
    "simplified score": lambda X, y, **rest: metrics.simplified_silhouette_score(
        X, y, CENTERS, **rest
    ),
}
INDICES = SILHOUETTES | {
    "calinski": metrics.calinski_harabasz_score,
    "davies": metrics.davies_bouldin_score,
    "bic": metrics.bic,
    "distortion": metrics.distortion,
}


@pytest.mark.parametrize("name", sorted({*INDICES} - {"bic", "distortion"}))
def test_one_label(name: str) -> None:
    with pytest.raises(ValueError, match=r"Number of labels is 1\. Valid values are 2 to"):
        INDICES[name](X, [0] * 6)
    with pytest.raises(ValueError, match="Number of labels is 1"):
        theirs.silhouette_score(X, [0] * 6)


@pytest.mark.parametrize("name", ["samples", "score", "calinski", "davies", "bic"])
def test_as_many_labels_as_rows(name: str) -> None:
    for labels in (range(6), list("abcdef")):
        with pytest.raises(ValueError, match="Number of labels is 6"):
            INDICES[name](X, labels)
    assert np.isfinite(INDICES[name](X, range(6), sample_weight=[2] * 6)).all() or name == "bic"
    with pytest.raises(ValueError, match=r"Number of labels is 2.* X has 2 rows, each counted"):
        INDICES[name](X, [0, 0, 0, 1, 1, 1], sample_weight=[1, 0, 0, 1, 0, 0])
    with pytest.raises(ValueError, match=r"Number of labels is 2.* X has 0\.5 rows"):
        INDICES[name](X, [0, 0, 0, 1, 1, 1], sample_weight=np.full(6, 0.5 / 6))


def test_as_many_centers_as_rows() -> None:
    with pytest.raises(ValueError, match="Number of labels is 6"):
        metrics.simplified_silhouette_samples(X, range(6), X)


@pytest.mark.parametrize("name", INDICES)
def test_labels_of_another_length(name: str) -> None:
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[6, 5\]"):
        INDICES[name](X, [0, 0, 0, 1, 1])
    with pytest.raises(ValueError, match=r"labels has shape \(6, 1\).*\n?.*1d array"):
        INDICES[name](X, [[0], [0], [0], [1], [1], [1]])


@pytest.mark.parametrize("name", ["samples", "calinski"])
def test_labels_that_are_none(name: str) -> None:
    with pytest.raises(ValueError, match="labels holds nan at row 4"):
        INDICES[name](X, [0, 0, 1, 1, np.nan, 1])
    with pytest.raises(TypeError, match="labels cannot be sorted"):
        INDICES[name](X, np.array([0, "a", 3, 1, 2, "b"], object))


@pytest.mark.parametrize("labels", [[-5, 3, 10**15, -5, 3, 3], [2.5, 1, 1, 2.5, 7, 7]])
def test_labels_of_any_numbers(labels: Any) -> None:
    wanted = theirs.silhouette_samples(X, labels)
    np.testing.assert_allclose(metrics.silhouette_samples(X, labels), wanted)


def test_unsigned_labels_from_far_up() -> None:
    labels = np.array([0, 0, 1, 1, 2, 2], np.uint64) + np.uint64(2**64 - 3)
    wanted = theirs.silhouette_samples(X, [0, 0, 1, 1, 2, 2])
    np.testing.assert_allclose(metrics.silhouette_samples(X, labels), wanted)
    labels = np.array([-128, -128, 127, 127, 0, 0], np.int8)
    wanted = theirs.silhouette_samples(X, labels)
    np.testing.assert_allclose(metrics.silhouette_samples(X, labels), wanted)


def test_labels_that_name_no_center() -> None:
    for call in (
        lambda y: metrics.simplified_silhouette_score(X, y, CENTERS),
        lambda y: metrics.distortion(X, y, CENTERS),
    ):
        with pytest.raises(ValueError, match="labels holds 3 at row 2; there are 3 centers"):
            call([0, 1, 3, 0, 1, 2])
        with pytest.raises(ValueError, match="labels holds -1 at row 1"):
            call([0, -1, 2, 0, 1, 2])
        with pytest.raises(TypeError, match="labels has dtype"):
            call(list("aabbcc"))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", INDICES)
def test_values_that_are_not_finite(name: str, value: float) -> None:
    for dtype in (np.float32, np.float64):
        bad = X.astype(dtype)
        bad[4, 1] = value
        with pytest.raises(ValueError, match=r"Input X contains .* at row 4, column 1"):
            INDICES[name](bad, [0, 0, 0, 1, 1, 1])
    rows = scipy.sparse.csr_matrix(bad)
    with pytest.raises(ValueError, match=r"Input X contains .* at row 4, column 1"):
        INDICES[name](rows, [0, 0, 0, 1, 1, 1])


@pytest.mark.parametrize("name", SILHOUETTES)
def test_an_unknown_metric(name: str) -> None:
    with pytest.raises(ValueError, match="metric must be 'euclidean' or 'cosine', got 'l1'"):
        SILHOUETTES[name](X, [0, 0, 0, 1, 1, 1], metric="l1")


def test_arguments_of_other_kinds(tmp_path: Any) -> None:
    labels = [0, 0, 0, 1, 1, 1]
    with pytest.raises(ValueError, match="sample_size must be at least 1"):
        metrics.silhouette_score(X, labels, sample_size=0)
    with pytest.raises(TypeError, match="n_threads must be an integer"):
        metrics.bic(X, labels, n_threads=1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="random_state must be"):
        metrics.silhouette_score(X, labels, sample_size=4, random_state="no")
    with pytest.raises(ValueError, match=r"sample_weight holds -1\.0 at row 2"):
        metrics.silhouette_score(X, labels, sample_weight=[1, 1, -1, 1, 1, 1])
    with pytest.raises(ValueError, match="centers"):
        metrics.simplified_silhouette_score(X, labels, np.zeros((3, 5)))
    with pytest.raises(ValueError, match="centers has length 0 in row 0"):
        metrics.simplified_silhouette_score(X, labels, np.zeros((2, 2)), metric="cosine")
    np.savetxt(tmp_path / "x.csv", X, delimiter=",")
    with (
        open_dataset(tmp_path / "x.csv", standardize=True) as dataset,
        pytest.raises(ValueError, match="metric='cosine' compares directions"),
    ):
        metrics.silhouette_score(dataset, labels, metric="cosine")


@pytest.mark.parametrize(
    "label",
    [
        None,
        float("nan"),
        float("inf"),
        np.datetime64("NaT", "s"),
        np.timedelta64("NaT", "s"),
        complex("nan"),
    ],
)
@pytest.mark.parametrize("of_objects", [False, True])
def test_a_label_that_is_none_is_named(label: Any, of_objects: bool) -> None:
    """Whatever its type, in an array of its type or in one of objects."""
    if label is None:
        other: Any = "a"
    elif isinstance(label, np.generic):
        other = type(label)(1, "D")
    else:
        other = type(label)(1)
    labels = [other, other, other, other, label, other]
    of_objects = of_objects or label is None
    with pytest.raises(ValueError, match=r"labels holds .* at row 4"):
        metrics.silhouette_score(X, np.array(labels, object) if of_objects else np.array(labels))


def test_labels_of_pandas_that_are_missing() -> None:
    pd = pytest.importorskip("pandas")
    for dtype, other in (("string", "a"), ("Int64", 1), ("category", "a")):
        labels = pd.Series([other, other, None, other, other, other], dtype=dtype)
        with pytest.raises(ValueError, match=r"labels holds .* at row 2"):
            metrics.silhouette_score(X, labels)


def test_ragged_labels() -> None:
    with pytest.raises(ValueError, match="labels is a list of lists of different lengths"):
        metrics.silhouette_score(X, [[1], [1, 2], 3, 4, 5, 6])


def test_far_centers() -> None:
    """The sum of the distances is beyond float64, the silhouettes are not."""
    values = metrics.simplified_silhouette_samples(
        X, [0, 0, 0, 1, 1, 1], np.full((2, X.shape[1]), 1e308)
    )
    assert np.isfinite(values).all()
