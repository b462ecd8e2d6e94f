"""``metric="cosine"`` batch by batch."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone

from fastkmeans import MiniBatchKMeans
from tests.helpers import reference
from tests.helpers.cosine import cosines, rows_of_many_lengths, spherical

Array = NDArray[Any]
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture(scope="module")
def rows() -> Array:
    return rows_of_many_lengths()


@pytest.fixture(scope="module")
def moving(rows: Array) -> Array:
    return rows[rows.any(axis=1)]


@each_dtype
@pytest.mark.parametrize("weighted", [False, True])
def test_partial_fit_follows_the_rule(dtype: Any, weighted: bool, rows: Array) -> None:
    """A center is the mean, brought to length 1, of all rows that were ever assigned to it."""
    rng = np.random.default_rng(1)
    X = rows.astype(dtype)
    init = X[rows.any(axis=1)][:12]
    model = spherical(MiniBatchKMeans, init=init, reassignment_ratio=0.0)
    centers, sums = reference.directions(init), np.zeros((12, 6))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* length 0")
        for start, stop in ((0, 300), (300, 900), (900, 1000), (1000, 3000)):
            batch = X[start:stop]
            w = rng.integers(0, 4, len(batch)).astype(float) if weighted else np.ones(len(batch))
            model.partial_fit(batch, sample_weight=w if weighted else None)
            labels = reference.closest_directions(batch, centers)
            np.add.at(sums, labels, w[:, None] * reference.directions(batch))
            seen = np.abs(sums).any(axis=1)
            centers[seen] = reference.directions(sums[seen])
            np.testing.assert_allclose(model.cluster_centers_, centers, atol=1e-12)
            expected = reference.closest_directions(batch, model.cluster_centers_)
            np.testing.assert_array_equal(model.labels_, expected)
            best = cosines(batch, centers).max(axis=1)
            best[~batch.any(axis=1)] = 0.0
            assert model.inertia_ == pytest.approx((2.0 * (1.0 - best) * w).sum(), rel=1e-11)


@pytest.mark.parametrize("schedule", ["nested", "random"])
@pytest.mark.parametrize("weighted", [False, True])
def test_batches_come_close_to_a_full_fit(schedule: str, weighted: bool, moving: Array) -> None:
    weights = np.random.default_rng(2).uniform(0.1, 3.0, len(moving)) if weighted else None
    full = spherical(n_init=3).fit(moving, sample_weight=weights)
    model = spherical(MiniBatchKMeans, n_init=3, batch_size=512, schedule=schedule)
    model.fit(moving, sample_weight=weights)
    assert model.inertia_ < 1.2 * full.inertia_
    w = 1.0 if weights is None else weights
    exact = (2.0 * (1.0 - cosines(moving, model.cluster_centers_).max(axis=1)) * w).sum()
    assert model.inertia_ == pytest.approx(exact, rel=1e-11)
    shorter = clone(model).set_params(compute_labels=False)
    assert not hasattr(shorter.fit(moving, sample_weight=weights), "labels_")
    assert shorter.inertia_ == pytest.approx(exact, rel=0.15)
    assert all(0.0 < step.inertia < 2.0 for step in model.history_)


@pytest.mark.parametrize("schedule", ["nested", "random"])
def test_a_fit_goes_on_batch_by_batch(schedule: str, moving: Array, tmp_path: Path) -> None:
    """Also from a file: the lengths of the means before they were brought to length 1 are kept."""
    model = spherical(MiniBatchKMeans, batch_size=512, schedule=schedule).fit(moving)
    model.save(tmp_path / "m.npz")
    loaded = MiniBatchKMeans.load(tmp_path / "m.npz")
    copied = pickle.loads(pickle.dumps(model))
    for other in (model, loaded, copied):
        other.set_params(reassignment_ratio=0.0).partial_fit(moving[:700])
    assert loaded.cluster_centers_.tobytes() == model.cluster_centers_.tobytes()
    assert copied.cluster_centers_.tobytes() == model.cluster_centers_.tobytes()
    with pytest.raises(ValueError, match="metric is 'euclidean', but the model learned by anoth"):
        model.set_params(metric="euclidean").partial_fit(moving[:700])
    other = MiniBatchKMeans(12, random_state=0).partial_fit(moving[:700])
    with pytest.raises(ValueError, match="metric is 'cosine', but the model learned by another"):
        other.set_params(metric="cosine").partial_fit(moving[:700])
