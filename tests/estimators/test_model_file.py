"""Model files: what comes back, and what is refused."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans as SklearnKMeans

import fastkmeans
from fastkmeans import KMeans
from fastkmeans._estimators.model_file import Preparation, read_model


@pytest.fixture(name="X", scope="module")
def rows() -> Any:
    return np.random.default_rng(0).normal(size=(200, 3))


@pytest.fixture
def file(X: Any, tmp_path: Path) -> Path:
    KMeans(3, random_state=0).fit(X).save(tmp_path / "model.npz")
    return tmp_path / "model.npz"


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, parts: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


def as_npy(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def test_a_loaded_model_is_the_one_that_was_saved(X: Any, tmp_path: Path) -> None:
    frame = pd.DataFrame(X, columns=["a", "größe", "c"])
    model = KMeans(np.int64(3), tol=0.0, random_state=7, n_threads=1).fit(frame)
    model.save(str(tmp_path / "m"))  # the name is taken as it is
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
    loaded = KMeans.load(tmp_path / "m")
    assert repr(loaded) == "KMeans(n_clusters=3, tol=0.0, random_state=7, n_threads=1)"
    assert loaded.cluster_centers_.tobytes() == model.cluster_centers_.tobytes()
    for name in ("inertia_", "n_iter_", "converged_", "stop_reason_", "n_features_in_"):
        assert getattr(loaded, name) == getattr(model, name)
    assert loaded.history_ == [step._replace(seconds=0.0) for step in model.history_]
    assert loaded.feature_names_in_.tolist() == ["a", "größe", "c"]
    np.testing.assert_array_equal(loaded.predict(frame), model.labels_)
    with pytest.raises(ValueError, match="feature names should match"):
        loaded.predict(frame[["c", "a", "größe"]])
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()


def test_the_file_can_be_read_by_anyone(file: Path) -> None:
    with np.load(file, allow_pickle=False) as arrays:
        assert arrays["cluster_centers_"].shape == (3, 3)
    metadata = json.loads(members(file)["metadata.json"])
    assert metadata["parameters"]["n_clusters"] == 3
    assert metadata["fastkmeans"] == fastkmeans.__version__
    assert metadata["feature_names"] is None


def test_initial_centers_are_kept_and_functions_are_named(X: Any, tmp_path: Path) -> None:
    KMeans(3, init=X[:3]).fit(X).save(tmp_path / "m")
    np.testing.assert_array_equal(KMeans.load(tmp_path / "m").init, X[:3])
    with pytest.warns(UserWarning, match="init=.* is not saved"):
        KMeans(3, init=lambda X, k, random_state: X[:k]).fit(X).save(tmp_path / "m")
    assert KMeans.load(tmp_path / "m").init == "k-means++"


def test_a_standardised_model_takes_rows_as_they_are(X: Any, tmp_path: Path) -> None:
    raw = X * [1.0, 1e3, 1e-3] + [5.0, -1e4, 0.0]
    shift, scale = raw.mean(axis=0), raw.std(axis=0)
    standard = (raw - shift) / scale
    model = KMeans(3, random_state=0).fit(standard)
    model.preparation_ = Preparation(shift, scale, shift, "mean", "float64")
    model.save(tmp_path / "m")
    loaded = KMeans.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.predict(raw), model.labels_)
    np.testing.assert_array_equal(loaded.predict(raw[:2]), model.labels_[:2])
    np.testing.assert_array_equal(loaded.predict(raw.tolist()), model.labels_)
    assert loaded.score(raw) == pytest.approx(-model.inertia_)
    plain = KMeans(3, random_state=0).fit(standard)
    np.testing.assert_allclose(loaded.transform(raw), plain.transform(standard))
    assert loaded.preparation_.missing == "mean"
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()
    assert loaded.fit(raw).preparation_ is None  # a new fit is one of the rows it is given
    assert loaded.score(raw) == pytest.approx(-loaded.inertia_)


def test_only_fitted_models_are_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not fitted"):
        KMeans().save(tmp_path / "m")
    with pytest.raises(OSError, match="No such file"):
        KMeans.load(tmp_path / "m")


class Trap:
    """An object that writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_nothing_is_unpickled(file: Path, tmp_path: Path, X: Any) -> None:
    trap = tmp_path / "sprung"
    array = np.array([Trap(trap)], dtype=object)
    parts = members(file) | {"cluster_centers_.npy": as_npy(array, allow_pickle=True)}
    with pytest.raises(ValueError, match="damaged: an array of type"):
        KMeans.load(write(tmp_path / "a", parts))
    (tmp_path / "b").write_bytes(pickle.dumps(Trap(trap)))
    np.save(tmp_path / "c.npy", array, allow_pickle=True)
    np.savez(tmp_path / "d.npz", metadata=array, centers=array)
    (tmp_path / "e").write_bytes(pickle.dumps(SklearnKMeans(2, n_init=1).fit(X)))
    for name in ("b", "c.npy", "d.npz", "e"):
        with pytest.raises(ValueError, match=f"{name} is not a fastkmeans model"):
            KMeans.load(tmp_path / name)
    assert not trap.exists()


def test_files_of_something_else_are_refused(file: Path, tmp_path: Path) -> None:
    parts = members(file)
    (tmp_path / "text").write_text("a,b\n1,2\n")
    (tmp_path / "empty").touch()
    np.savez(tmp_path / "numpy.npz", X=np.zeros(3))
    write(tmp_path / "list", {"metadata.json": b"[1, 2]"})
    write(tmp_path / "other", {"metadata.json": b'{"format": "fastkmeans checkpoint"}'})
    write(tmp_path / "no json", parts | {"metadata.json": b"{"})
    write(tmp_path / "not text", parts | {"metadata.json": b"\xff\xfe\xff"})
    for name in ("text", "empty", "numpy.npz", "list", "other", "no json", "not text"):
        with pytest.raises(ValueError, match=f"{name} is not a fastkmeans model"):
            KMeans.load(tmp_path / name)


def test_damage_is_noticed(file: Path, tmp_path: Path) -> None:
    whole, parts = file.read_bytes(), members(file)
    centers = parts["cluster_centers_.npy"]
    at = whole.index(centers[-24:])
    damaged = tmp_path / "damaged"
    for data in (whole[:-1], whole[: len(whole) // 2], whole[:at] + b"\1" + whole[at + 1 :]):
        damaged.write_bytes(data)
        with pytest.raises(ValueError, match="damaged"):
            KMeans.load(damaged)
    for name, data in (
        ("cluster_centers_.npy", centers[:-8]),
        ("cluster_centers_.npy", centers[:40]),
        ("cluster_centers_.npy", b"nonsense"),
        ("cluster_centers_.npy", as_npy(np.zeros((2, 3)))),
        ("cluster_centers_.npy", as_npy(np.zeros((3, 4)))),
        ("cluster_centers_.npy", as_npy(np.zeros(3))),
        ("cluster_centers_.npy", as_npy(np.full((3, 3), np.nan))),
        ("cluster_centers_.npy", as_npy(np.zeros((3, 3), complex))),
        ("cluster_centers_.npy", as_npy(np.asfortranarray(np.ones((3, 3))))),
    ):
        with pytest.raises(ValueError, match="damaged"):
            KMeans.load(write(damaged, parts | {name: data}))
    for key in ("parameters", "fitted", "feature_names"):
        metadata = json.loads(parts["metadata.json"])
        del metadata[key]
        changed = {"metadata.json": json.dumps(metadata).encode()}
        with pytest.raises(ValueError, match=f"damaged.*'{key}'"):
            KMeans.load(write(damaged, parts | changed))


def test_metadata_of_a_wrong_type_are_damage(file: Path, tmp_path: Path) -> None:
    parts = members(file)
    metadata = json.loads(parts["metadata.json"])
    fitted, own = metadata["fitted"], {"missing": "guess", "dtype": "float64"}
    for change in (
        *({"class": name} for name in ("kmeans_plusplus", "__version__", ["KMeans"], None)),
        *({"fitted": fitted | {"n_features_in_": value}} for value in ([3], 3.0, True, "3")),
        *({"feature_names": names} for names in ([1, 2, 3], "abc", ["a", ["b"], "c"], {})),
        *({"preparation": own | part} for part in ({}, {"missing": ["drop"]}, {"dtype": "int8"})),
    ):
        changed = {"metadata.json": json.dumps(metadata | change).encode()}
        write(tmp_path / "m", parts | changed)
        for load in (KMeans.load, read_model):  # of one class, of any
            with pytest.raises(ValueError, match="is damaged"):
                load(tmp_path / "m")


def test_a_subclass_reads_its_own_file(X: Any, tmp_path: Path) -> None:
    class Mine(KMeans):
        pass

    model = Mine(3, random_state=0).fit(X)
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(Mine.load(tmp_path / "m").predict(X), model.labels_)


def test_equal_fits_give_equal_files(file: Path, X: Any) -> None:
    before = file.read_bytes()
    KMeans(3, random_state=0).fit(X).save(file)
    assert file.read_bytes() == before


def test_later_versions_and_other_classes_are_named(file: Path, tmp_path: Path) -> None:
    parts = members(file)
    metadata = json.loads(parts["metadata.json"])
    for change, message in (
        ({"format_version": 2, "fastkmeans": "9.9"}, "version 2, written by fastkmeans 9.9"),
        ({"class": "KMedians"}, "damaged, or of a later version: it holds a 'KMedians'"),
        ({"class": "MiniBatchKMeans"}, "not a KMeans: use MiniBatchKMeans.load"),
    ):
        changed = {"metadata.json": json.dumps(metadata | change).encode()}
        with pytest.raises(ValueError, match=message):
            KMeans.load(write(tmp_path / "m", parts | changed))


def test_a_failure_leaves_the_old_file(file: Path, X: Any, monkeypatch: Any) -> None:
    before = file.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(OSError, match="No space left"):
        KMeans(2, random_state=0).fit(X).save(file)
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]
