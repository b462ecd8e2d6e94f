"""What the tests of files share: tables, how they are written, and the rows of a dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet

from fastkmeans._files import Dataset

NAMES = list("abcd")


def table_of(X: np.ndarray) -> pa.Table:
    return pa.table({name: X[:, j] for j, name in enumerate(NAMES[: X.shape[1]])})


def data(n: int = 3000, d: int = 4, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, d)) + rng.integers(0, 4, (n, 1)) * 2).astype(np.float32)


def write_every_format(folder: Path, X: np.ndarray) -> dict[str, Path]:
    """Write a table as a file of every format; return the paths by name."""
    table, paths = table_of(X), {}
    for name in ("t.csv", "t.parquet", "t.arrow", "t.arrows", "t.feather", "t.npy"):
        paths[name] = folder / name
    pa.csv.write_csv(table, paths["t.csv"])
    pa.parquet.write_table(table, paths["t.parquet"], row_group_size=1000)
    with pa.ipc.new_file(paths["t.arrow"], table.schema) as file:
        file.write_table(table, max_chunksize=700)
    with pa.ipc.new_stream(paths["t.arrows"], table.schema) as file:
        file.write_table(table, max_chunksize=700)
    pa.feather.write_feather(table, str(paths["t.feather"]), compression="zstd")
    np.save(paths["t.npy"], X)
    return paths


def rows_in(found: Dataset) -> np.ndarray:
    """Return all rows of a dataset."""
    return np.concatenate([block[0] for _, block in found.rows.blocks()])


def csv_file(path: Path, n: int = 200, last: int = 7) -> Path:
    """Write a CSV file of two columns, n + 1 rows; ``last`` is the last value."""
    path.write_text("a,b\n" + "".join(f"{i},{i % 9}\n" for i in range(n)) + f"1,{last}\n")
    return path
