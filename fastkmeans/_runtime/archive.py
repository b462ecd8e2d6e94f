"""Archives of arrays: an ``.npz`` file with a ``metadata.json``, read without pickle."""

import io
import json
import math
import os
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from .disk import replacing

METADATA = "metadata.json"
DTYPES = ("<f8", "<f4", "<i8", "<i4", "|b1")
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip archive can hold
Arrays = dict[str, NDArray[Any]]


def write_archive(
    path: str | os.PathLike[str], metadata: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write metadata that JSON can hold, and arrays whose types are in ``DTYPES``."""
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "x") as archive:
        # A lone surrogate, which UTF-8 lacks, is escaped as JSON has it.
        text = json.dumps(metadata, indent=1, ensure_ascii=False)
        archive.writestr(
            zipfile.ZipInfo(METADATA, LONG_AGO), text.encode("utf-8", "backslashreplace")
        )
        for name, array in arrays.items():
            file = io.BytesIO()
            np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", LONG_AGO), file.getbuffer())


def read_archive(
    path: str | os.PathLike[str], kind: str, version: int
) -> tuple[dict[str, Any], Arrays]:
    """Read an archive of ``write_archive``, if its metadata name this kind and version.

    Raises a ``ValueError`` if the file is something else or damaged, an ``OSError`` if it cannot
    be read.  Nothing in it is ever unpickled.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: archive.read(info) for info in archive.infolist()}
        metadata = json.loads(members.pop(METADATA))
        if not isinstance(metadata, dict) or metadata.get("format") != kind:
            raise KeyError(METADATA)
    except (KeyError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a {kind}: it was written by something else.") from error
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ValueError(f"{path} is not a {kind}, or it is damaged: {error}.") from error
    if metadata.get("format_version") != version:
        raise ValueError(
            f"{path} is a {kind} of version {metadata.get('format_version')}, written by "
            f"fastkmeans {metadata.get('fastkmeans')}; fastkmeans {__version__} reads version "
            f"{version}."
        )
    try:
        arrays = {name.removesuffix(".npy"): _array(data) for name, data in members.items()}
    except (ValueError, SyntaxError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {error}.") from error
    return metadata, arrays


def _array(data: bytes) -> NDArray[Any]:
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("an array in an unknown form")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.str not in DTYPES or fortran:
        raise ValueError(f"an array of type {dtype.str}, which is never written")
    if math.prod(shape) * dtype.itemsize != len(data) - file.tell():
        raise ValueError(f"an array of shape {shape} with other than its number of bytes")
    return np.frombuffer(data, dtype, offset=file.tell()).reshape(shape).copy()
