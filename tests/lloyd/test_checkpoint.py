"""A fit that is stopped and resumed ends with the bits of one that was left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastkmeans import KMeans
from fastkmeans._engines import sums
from fastkmeans._lloyd import checkpoint as _checkpoint
from fastkmeans._lloyd.checkpoint import Checkpoint
from fastkmeans._lloyd.loop import MAX_ITER
from tests.helpers.checkpoints import JOB, StoppedError, Stopping, bits, fit, stop_and_resume


def noise(n: int, d: int, dtype: Any = np.float32) -> NDArray[Any]:
    return np.random.default_rng(n + d).normal(size=(n, d)).astype(dtype)


@pytest.mark.parametrize("algorithm", ["lloyd", "bytes"])
@pytest.mark.parametrize(
    ("n", "d", "dtype", "threads"),
    [(1500, 5, np.float64, 1), (1500, 5, np.float32, 1), (20_000, 6, np.float64, 2)],
    ids=["small", "small float32", "shared out"],
)
@pytest.mark.parametrize("after", [(1,), (2,), (9,), (5, 1, 6)], ids=str)
def test_a_run_goes_on_with_the_same_bits(
    tmp_path: Path, monkeypatch: Any, n: int, d: int, dtype: Any, threads: int, algorithm: str,
    after: tuple[int, ...],
) -> None:  # fmt: skip
    monkeypatch.setattr(sums, "REBUILD_AFTER", 7)
    X = noise(n, d, dtype)
    options = {"tol": 0.0, "max_iter": 25, "algorithm": algorithm, "n_threads": threads}
    expected = KMeans(8, random_state=1, **options).fit(X)
    assert expected.n_iter_ > 15
    model = stop_and_resume(KMeans(8, random_state=1, **options), X, tmp_path / "c", after)
    assert bits(model) == bits(expected)


def test_the_sums_are_part_of_the_state(tmp_path: Path) -> None:
    """Sums built anew would be rounded in another way."""
    X = noise(20_000, 6, np.float64)
    options = {"tol": 0.0, "max_iter": 40, "random_state": 1, "algorithm": "lloyd"}
    expected = KMeans(8, **options).fit(X)
    with pytest.raises(StoppedError):
        fit(KMeans(8, **options), X, Stopping(tmp_path / "c", False, 20))
    forgetful = Stopping(tmp_path / "c", True, -1)
    assert forgetful._found is not None
    forgetful._found[0]["sums"]["rebuild"] = True
    assert bits(fit(KMeans(8, **options), X, forgetful))[0] != bits(expected)[0]


@pytest.mark.parametrize("after", [(1,), (4,), (14,), (30,), (3, 20, 20)], ids=str)
@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_restarts_go_on_with_the_same_draws(
    tmp_path: Path, init: str, after: tuple[int, ...]
) -> None:
    X = noise(400, 3)
    options = {"init": init, "n_init": 6, "max_iter": 9, "tol": 0.0, "random_state": 5}
    expected = KMeans(8, **options).fit(X)
    model = stop_and_resume(KMeans(8, **options), X, tmp_path / "c", after)
    assert bits(model) == bits(expected)


@pytest.mark.parametrize("after", [(1,), (3,), (5, 2)], ids=str)
def test_weights_and_relocations(tmp_path: Path, after: tuple[int, ...]) -> None:
    X = noise(1000, 2, np.float64)
    weights = np.random.default_rng(1).gamma(1.0, size=1000)
    init = np.vstack([X[:4], np.full((4, 2), 50.0)])  # four clusters begin without a row
    options = {"init": init, "tol": 1e-6, "n_init": 1}
    expected = KMeans(8, **options).fit(X, sample_weight=weights)
    assert expected.n_iter_ > 8
    model = stop_and_resume(KMeans(8, **options), X, tmp_path / "c", after, weights)
    assert bits(model) == bits(expected)


@pytest.mark.parametrize("algorithm", ["boxes", "lloyd"])
def test_a_run_of_boxes_goes_on_from_its_beginning(tmp_path: Path, algorithm: str) -> None:
    X = noise(20_000, 2)
    options = {"tol": 0.0, "max_iter": 12, "random_state": 0, "algorithm": algorithm, "n_init": 2}
    expected = KMeans(8, **options).fit(X)
    checkpoint = Stopping(tmp_path / "c", False, 20)
    with pytest.raises(StoppedError):
        fit(KMeans(8, **options), X, checkpoint)
    history = Checkpoint(tmp_path / "c", JOB, True)._found[0]["history"]
    assert len(history) == (0 if algorithm == "boxes" else 5)
    model = fit(KMeans(8, **options), X, Stopping(tmp_path / "c", True, -1))
    assert bits(model) == bits(expected)


def test_the_last_iteration_there_may_be(tmp_path: Path) -> None:
    X = noise(500, 3)
    options = {"tol": 0.0, "max_iter": 4, "random_state": 0}
    expected = KMeans(8, **options).fit(X)
    assert expected.stop_reason_ == MAX_ITER
    model = stop_and_resume(KMeans(8, **options), X, tmp_path / "c", (5,))
    assert bits(model) == bits(expected)


def test_another_job_is_refused_and_damage_named(tmp_path: Path) -> None:
    X = noise(300, 2)
    path = tmp_path / "c"
    assert not Checkpoint(path, JOB, True).found  # nothing there: begin
    with pytest.raises(StoppedError):
        fit(KMeans(8, random_state=0), X, Stopping(path, False, 3))
    with pytest.raises(ValueError, match="another job: -k was 8, and is 9 now"):
        Checkpoint(path, {"-k": 9}, True)
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(ValueError, match="damaged"):
        Checkpoint(path, JOB, True)
    path.write_bytes(whole)
    Checkpoint(path, JOB, False)  # a new start
    assert not path.exists()


def test_a_checkpoint_of_another_version_is_refused_and_kept(tmp_path: Path) -> None:
    model, X, path = KMeans(5, random_state=0, tol=0.0), noise(1500, 5), tmp_path / "state"
    with pytest.raises(StoppedError):
        fit(model, X, Stopping(path, False, 3))
    metadata, arrays = _checkpoint.read_archive(path, _checkpoint.CHECKPOINT, _checkpoint.VERSION)
    del arrays["heaviest"]
    _checkpoint.write_archive(path, metadata, arrays)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="lacks heaviest, as of another version"):
        fit(model, X, Stopping(path, True, -1))
    assert path.read_bytes() == before
    older = _checkpoint.VERSION - 1  # its sums were added up in another order
    _checkpoint.write_archive(path, metadata | {"format_version": older}, arrays)
    with pytest.raises(ValueError, match=f"of version {older}"):
        Checkpoint(path, JOB, True)


def test_no_iteration_follows_where_more_were_done_than_are_wanted(tmp_path: Path) -> None:
    X, path = noise(1500, 5), tmp_path / "state"
    with pytest.raises(StoppedError):
        fit(KMeans(5, random_state=0, tol=0.0), X, Stopping(path, False, 4))
    resumed = fit(KMeans(5, random_state=0, tol=0.0, max_iter=1), X, Checkpoint(path, JOB, True))
    assert resumed.n_iter_ == len(resumed.history_) > 1


def test_a_short_fit_writes_nothing(tmp_path: Path) -> None:
    fit(KMeans(3, random_state=0), noise(300, 2), Checkpoint(tmp_path / "c", JOB, False))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_does_not_end_the_fit(tmp_path: Path, monkeypatch: Any) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    X = noise(300, 2)
    expected = KMeans(8, random_state=0).fit(X)
    monkeypatch.setattr(_checkpoint, "write_archive", full)
    with pytest.warns(UserWarning, match="c could not be written: No space left") as caught:
        model = fit(KMeans(8, random_state=0), X, Stopping(tmp_path / "c", False, -1))
    assert len(caught) == 1
    assert bits(model) == bits(expected)


def test_slow_checkpoints_are_seldom(tmp_path: Path, monkeypatch: Any) -> None:
    clock, writes = [100.0], []

    def slow(*_: object) -> None:
        writes.append(clock[0])
        clock[0] += 1.0

    monkeypatch.setattr(_checkpoint.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(_checkpoint, "write_archive", slow)
    checkpoint, rng = Checkpoint(tmp_path / "c", JOB, False), np.random.default_rng(0)
    while clock[0] < 150.0:
        checkpoint.save(rng, 0, None, None, [])
        clock[0] += 0.5
    assert writes == [102.0, 123.0, 144.0]  # a second in twenty
