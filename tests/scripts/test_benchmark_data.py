"""Data of the benchmarks: mixtures whose components are known, and real rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.usefixtures("scripts_path")


def test_mixtures_are_as_their_names_say() -> None:
    from benchmarks.datasets import make
    from benchmarks.optima import OPTIMA, true_centers

    assert len({cell.name for cell in OPTIMA}) == 20
    by_name = {cell.name: cell for cell in OPTIMA}
    for cell in OPTIMA:
        small = cell.quick()
        X, _ = make(small, "float64")
        means = true_centers(cell)
        assert X.shape == (min(cell.n, 40 * cell.k), cell.d)
        assert means.shape == (cell.k, cell.d)
        squared = ((X[:, None] - means) ** 2).sum(axis=2)
        spread = np.sqrt(squared.min(axis=1).mean() / cell.d)
        assert 0.5 * (cell.spread or 0.0) < spread < 1.2 * (cell.spread or 0.0), cell.name
        distances = np.sqrt(((means[:, None] - means) ** 2).sum(axis=2))
        np.fill_diagonal(distances, np.inf)
        assert np.median(distances.min(axis=1)) == pytest.approx(1.0)
    a, d = (true_centers(by_name[f"scattered15-{letter}"]) for letter in "ad")
    assert np.array_equal(a, d)
    X, _ = make(by_name["unbalanced8"], "float64")
    squared = ((X[:, None] - true_centers(by_name["unbalanced8"])) ** 2).sum(axis=2)
    sizes = np.bincount(squared.argmin(axis=1), minlength=8)
    assert sizes[:3].min() > 15 * sizes[3:].max()


def test_a_grid_needs_a_power_of_its_side() -> None:
    from benchmarks.optima import Known, true_centers

    with pytest.raises(ValueError, match="no grid of 10 means in 2 dimensions"):
        true_centers(Known("a", 100, 2, 10, "grid", 0.1))


def test_real_data_are_complete(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    from benchmarks.datasets import make
    from benchmarks.real import FLIGHTS, real_cells

    np.save(tmp_path / "rows.npy", np.random.default_rng(0).random((300, 4)))
    cells = {cell.name: cell for cell in real_cells(tmp_path / "rows.npy", FLIGHTS)}
    assert list(cells)[:3] == ["digits-k10", "digits-k30", "flights-32k-k12"]
    X, centers = make(cells["flights-32k-k12"], "float64")
    assert np.isfinite(X).all()
    assert X.std(axis=0) == pytest.approx(1.0)
    assert centers.shape == (12, 13)
    X, _ = make(cells["digits-k10"].quick(), "float32")
    assert X.shape == (1797, 64)
    assert [c for c in cells if c.startswith("real")] == ["real-300x4-k50", "real-300x4-k200"]
