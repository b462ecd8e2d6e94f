"""Full disks, memory that does not grow with the table, and memory limits."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fastkmeans import KMeans, open_dataset
from fastkmeans._data.rows import SMALL_STATE, MappedRows
from fastkmeans._files import PathError
from fastkmeans._files.readers import csv_blocks
from tests.conftest import room_for
from tests.helpers.files import csv_file, data


def test_a_full_disk_is_noticed_before(tmp_path, monkeypatch):
    path = csv_file(tmp_path / "t.csv", 100_000)
    monkeypatch.setattr(csv_blocks, "BLOCK_BYTES", 20_000)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    written = []
    message = r"keep has 1\.0 MB free, and the parsed table takes about .*cache"
    with pytest.raises(PathError, match=message):
        open_dataset(path, cache=tmp_path / "keep", progress=lambda *at: written.append(at))
    assert not written  # after one block
    assert not list((tmp_path / "keep").iterdir())


@pytest.mark.parametrize("policy", ["error", "mean"])
def test_a_full_disk_on_the_way(tmp_path, policy):
    path = csv_file(tmp_path / "t.csv", 20_000)
    with (
        room_for(50_000),
        pytest.raises(PathError, match="keep could not be written: File too large"),
    ):
        open_dataset(path, cache=tmp_path / "keep", missing=policy)
    assert not list((tmp_path / "keep").iterdir())


def test_a_disk_without_any_room(tmp_path):
    path = csv_file(tmp_path / "t.csv")
    with (
        room_for(100),  # less than the first write takes
        pytest.raises(PathError, match="keep could not be written: File too large"),
    ):
        open_dataset(path, cache=tmp_path / "keep")
    assert not list((tmp_path / "keep").iterdir())


def test_no_room_for_labels(tmp_path):
    np.save(tmp_path / "t.npy", np.arange(600_000.0)[:, None] % 7)
    refusal = pytest.raises(OSError, match="labels and the like could not be kept")
    with open_dataset(tmp_path / "t.npy") as found, room_for(2_000_000), refusal:
        KMeans(2, max_iter=2).fit(found)


# --- memory ---------------------------------------------------------------------------------------


MEMORY = """
import sys, threading, time
import numpy as np
from fastkmeans import KMeans, open_dataset

def anonymous():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon")) / 1024

def work(path):
    with open_dataset(path, missing="mean") as found:
        model = KMeans(3, max_iter=3, random_state=0).fit(found)
        model.predict(found)
        return model.labels_

work(sys.argv[1])
before = peak = anonymous()
ended = threading.Event()

def watch():
    global peak
    while not ended.wait(0.002):
        peak = max(peak, anonymous())

thread = threading.Thread(target=watch)
thread.start()
labels = work(sys.argv[2])
ended.set()
thread.join()
print(peak - before, labels.nbytes / 2**20)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_memory_does_not_grow_with_the_table(tmp_path):
    n = 12_000_000  # labels alone would take 46 MB, thrice
    np.save(tmp_path / "small.npy", np.arange(300_000, dtype=np.float32)[:, None] % 1000)
    np.save(tmp_path / "large.npy", np.arange(n, dtype=np.float32)[:, None] % 1000)
    program = [sys.executable, "-c", MEMORY, tmp_path / "small.npy", tmp_path / "large.npy"]
    done = subprocess.run(program, timeout=120, capture_output=True, text=True, check=True)
    grown, labels = map(float, done.stdout.split())
    assert labels > 45
    assert grown < 40


def test_state_of_mapped_rows_lies_in_files_without_names(tmp_path):
    np.save(tmp_path / "t.npy", np.ones((4, 1), np.float32))
    rows = MappedRows(np.load(tmp_path / "t.npy", mmap_mode="r"), tmp_path)
    state = rows.empty((SMALL_STATE, 2), np.int32)
    state[:] = 7
    assert isinstance(state.base, np.memmap)
    assert type(state) is np.ndarray
    assert [path.name for path in tmp_path.iterdir()] == ["t.npy"]
    assert rows.empty(10, np.int32).base is None


def test_engines_keep_within_the_room(tmp_path):
    X = np.random.default_rng(0).normal(size=(200_000, 2)).astype(np.float32)
    np.save(tmp_path / "t.npy", X)
    expected = KMeans(80, random_state=0, local_search=0, max_iter=10).fit(X)
    for limit, avoids in ((None, True), (1 << 20, False)):
        with open_dataset(tmp_path / "t.npy", memory_limit=limit) as found:
            model = KMeans(80, random_state=0, max_iter=10).fit(found)
        np.testing.assert_array_equal(model.labels_, expected.labels_)
        assert (model.history_[-1].avoided > 0) == avoids


@pytest.mark.parametrize("algorithm", ["boxes", "bytes"])
def test_an_engine_beyond_the_limit_is_refused(tmp_path, algorithm):
    X = data(200_000, 2)
    np.save(tmp_path / "t.npy", X)
    start = X[:40].copy()
    model = KMeans(40, init=start, max_iter=2, algorithm=algorithm)
    with open_dataset(tmp_path / "t.npy", memory_limit=301 << 20) as found:
        message = (
            rf"algorithm='{algorithm}' takes \d\.\d MB for .* 200000 rows, and about 314\.6 MB "
            r"besides, which is more than 315\.6 MB, the memory_limit .* use algorithm='auto'"
        )
        with pytest.raises(ValueError, match=message):
            model.fit(found)
        KMeans(40, init=start, max_iter=2).fit(found)
    for limit in (None, 400 << 20):
        with open_dataset(tmp_path / "t.npy", memory_limit=limit) as found:
            assert model.fit(found).history_[-1].avoided > 0.0
    few = X[:1000]
    np.save(tmp_path / "few.npy", few)
    with open_dataset(tmp_path / "few.npy", memory_limit=250 << 20) as found:
        KMeans(2, algorithm=algorithm).fit(found)  # a small table always fits
