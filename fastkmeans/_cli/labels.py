"""The files of labels, of centers and of skipped rows."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._data.lengths import to_length_one
from .._data.rows import Rows
from .._files import Dataset
from .._files.readers.pieces import Skipped
from .._runtime.arrays import Floats, Labels
from .._runtime.extras import need
from .outputs import open_csv, open_packed, suffix_of

BATCH_ROWS = 1 << 16
CHUNK_VALUES = 1 << 19
"""Values (rows times columns) per step of the distances: bounds the copies in float64."""

Write = Callable[[dict[str, Any]], None]


@contextlib.contextmanager
def labels_file(
    path: Path, id_column: str | None, dialect: tuple[str, str]
) -> Iterator[Callable[..., None]]:
    """Open a file with a line per input row, in order; yield a function that writes rows.

    The file is Parquet if it ends in .parquet, else CSV.  ``id_column`` names the ids; None writes
    row numbers.  ``dialect`` is the delimiter and the decimal point of CSV.
    """
    pa, id_name, n_rows = need("pyarrow"), "row" if id_column is None else id_column, 0

    def write(
        ids: Any,
        kept: NDArray[np.bool_],
        labels: Labels,  # of the kept rows only, as the distances
        distances: Floats | None,
    ) -> None:
        nonlocal n_rows
        if ids is None:
            ids = pa.array(np.arange(n_rows + 1, n_rows + len(kept) + 1))
        columns = {id_name: ids, another("cluster", id_name): _spread(labels, kept)}
        if distances is not None:
            columns[another("distance", id_name)] = _spread(distances, kept)
        write_columns(columns)
        n_rows += len(kept)

    opened = _parquet if suffix_of(path) == ".parquet" else _text
    with opened(path, dialect) as write_columns:
        yield write


def write_labels(
    path: Path,
    dataset: Dataset,
    id_column: str | None,
    labels: Labels,
    distances: Callable[[int, int], Floats] | None,
    dialect: tuple[str, str],
) -> None:
    """Write the labels of a dataset; ``distances(i, j)`` returns those of rows i to j."""
    first = at = 0  # positions among the input rows, and among the kept rows
    with labels_file(path, id_column, dialect) as write:
        for ids, n in _ids(dataset):
            kept = np.ones(n, np.bool_)
            if dataset.kept is not None:
                kept = np.asarray(dataset.kept[first : first + n]).view(np.bool_)
            stop = at + int(kept.sum())
            far = distances(at, stop) if distances is not None else None
            write(ids, kept, labels[at:stop], far)
            first, at = first + n, stop


def another(name: str, *taken: str) -> str:
    """Return a name for a column next to others that may have it already."""
    while name in taken:
        name += "_"
    return name


def _ids(dataset: Dataset) -> Iterator[tuple[Any, int]]:
    """Yield ids (or None) and their number, at most ``BATCH_ROWS`` input rows at a time."""
    if dataset.id_column is not None:
        for ids in dataset.id_batches():
            for start in range(0, len(ids), BATCH_ROWS):
                piece = ids.slice(start, BATCH_ROWS)
                yield piece, len(piece)
    else:
        for start in range(0, dataset.n_source_rows, BATCH_ROWS):
            yield None, min(BATCH_ROWS, dataset.n_source_rows - start)


def _spread(values: NDArray[Any], kept: NDArray[np.bool_]) -> Any:
    """Return a column of the values of the kept rows, and of nulls for the others."""
    pa = need("pyarrow")
    if kept.all():
        return pa.array(values)
    spread = np.zeros(kept.size, values.dtype)
    spread[kept] = values
    return pa.array(spread, mask=~kept)


@contextlib.contextmanager
def _parquet(path: Path, _dialect: tuple[str, str]) -> Iterator[Write]:
    pa, parquet = need("pyarrow"), need("pyarrow.parquet")
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(open(path, "xb"))
        writers: list[Any] = []

        def write(columns: dict[str, Any]) -> None:
            batch = pa.table(columns)
            if not writers:
                writers.append(stack.enter_context(parquet.ParquetWriter(file, batch.schema)))
            writers[0].write_table(batch)

        yield write


@contextlib.contextmanager
def _text(path: Path, dialect: tuple[str, str]) -> Iterator[Write]:
    with open_packed(path) as file:
        begun: list[bool] = []

        def write(columns: dict[str, Any]) -> None:
            if not begun:
                file.write(lines_of([[name] for name in columns], dialect))
                begun.append(True)
            file.write(lines_of(list(columns.values()), dialect))

        yield write


def lines_of(columns: Sequence[Any], dialect: tuple[str, str]) -> bytes:
    """Return columns as lines of CSV, as Python's `csv` writes them but many times faster."""
    pa, pc = need("pyarrow"), need("pyarrow.compute")
    delimiter, decimal = dialect
    texts = []
    for column in columns:
        array = pa.array(column) if isinstance(column, list) else column
        text = array.cast(pa.large_string())
        if decimal != "." and pa.types.is_floating(array.type):
            text = pc.replace_substring(text, ".", decimal)
        text = pc.fill_null(text, "") if text.null_count else text
        texts.append(_quoted(pa, pc, text, delimiter))
    texts[-1] = _joined(pa, pc, texts[-1], "", "\n")
    joined = _joined(pa, pc, *texts, delimiter)
    return _bytes_of(joined)


def _bytes_of(text: Any) -> bytes:
    """Return the bytes of all texts of an array, joined."""
    if not len(text):
        return b""
    _, offsets, data = text.buffers()
    ends = np.frombuffer(offsets, np.int64)[text.offset : text.offset + len(text) + 1]
    values: bytes = data[int(ends[0]) : int(ends[-1])].to_pybytes() if data else b""
    return values


def _joined(pa: Any, pc: Any, *parts: Any) -> Any:
    """Join texts row by row; the last part is the separator."""
    kind = pa.large_string()
    return pc.binary_join_element_wise(
        *(pa.scalar(part, kind) if isinstance(part, str) else part for part in parts)
    )


def _quoted(pa: Any, pc: Any, text: Any, delimiter: str) -> Any:
    """Quote the values that need it."""
    values = _bytes_of(text)
    if not any(special in values for special in (b'"', b"\n", b"\r", delimiter.encode())):
        return text
    special = pc.match_substring_regex(text, f'[\\x{ord(delimiter):02x}"\r\n]')
    doubled = pc.replace_substring(text, '"', '""')
    return pc.if_else(special, _joined(pa, pc, '"', doubled, '"', ""), text)


def own_distances(
    X: Rows | NDArray[Any], centers: Floats, labels: Labels, by_cosine: bool = False
) -> Callable[[int, int], Floats]:
    """Return a function ``(i, j)``: the distances of rows i to j to their centers."""
    height = max(1, CHUNK_VALUES // X.shape[1])

    def distances(start: int, stop: int) -> Floats:
        out = np.empty(stop - start)
        for at in range(start, stop, height):
            part = np.arange(at, min(stop, at + height))
            rows = X[part] if isinstance(X, np.ndarray) else X.take(part)
            points = to_length_one(rows) if by_cosine else rows.astype(np.float64)
            apart = points - centers[labels[part]]
            squares = np.einsum("ij,ij->i", apart, apart)
            if by_cosine:
                squares[~points.any(axis=1)] = 2.0  # cosine 0
            out[part - start] = 0.5 * squares if by_cosine else np.sqrt(squares)
        return out

    return distances


def write_centers(
    path: Path,
    names: list[str],
    centers: Floats,
    sizes: NDArray[np.int64],
    dialect: tuple[str, str],
) -> None:
    """Write one line per cluster: its number, its size, its center."""
    delimiter, decimal = dialect
    with open_csv(path, delimiter) as writer:
        writer.writerow([another("cluster", *names), another("size", *names), *names])
        for cluster, (size, center) in enumerate(zip(sizes, centers, strict=True)):
            values = [str(value).replace(".", decimal) for value in center.tolist()]
            writer.writerow([cluster, size, *values])


def write_skipped(path: Path, skipped: Iterable[Skipped], delimiter: str) -> None:
    """Write one line per unreadable row: its place, the reason and its text."""
    with open_csv(path, delimiter) as writer:
        writer.writerow(["file", "place", "reason", "text"])
        writer.writerows(skipped)
