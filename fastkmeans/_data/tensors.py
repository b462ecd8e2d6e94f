"""Arrays of any kind: tensors of other libraries, read in place, and arrays with a mask.

Tensors are read by ``__array__`` or DLPack; no library of them is imported.
"""

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

ON_CPU = (1, 3, 11)
"""DLPack's codes of memory that a CPU reads: plain, pinned by CUDA, pinned by ROCm."""
TO_CPU = {
    "torch": "{}.cpu()",
    "cupy": "{}.get()",
    "jax": "jax.device_get({})",
    "jaxlib": "jax.device_get({})",
    "tensorflow": "{}.numpy()",
    "numba": "{}.copy_to_host()",
}
"""How to copy a tensor to the CPU, by the library it is from."""


def as_array(X: Any, name: str) -> NDArray[Any]:
    """Return anything array-like as an array, without a copy if its type allows.

    Masked values raise a ValueError, and tensors that a CPU cannot read a TypeError.
    """
    if type(X) is np.ndarray:
        return X
    refuse_mask(X, name)
    if is_tensor(X) and not isinstance(X, np.ndarray):
        return tensor_as_array(X, name)
    return np.asarray(X)


def refuse_mask(X: Any, name: str) -> None:
    """Raise if an array, or an array in a list, has masked values: NumPy would read them."""
    if "numpy.ma" not in sys.modules:  # it takes 20 ms to import, and makes all such arrays
        return
    parts = [(name, X)]
    if isinstance(X, list | tuple):
        parts = [(f"{name}[{i}]", part) for i, part in enumerate(X)]
    for part_name, part in parts:
        if isinstance(part, np.ma.MaskedArray) and np.ma.is_masked(part):
            place = np.argwhere(np.ma.getmaskarray(part))[0].tolist()
            where = "row {}, column {}" if len(place) == 2 else "position {}"
            raise ValueError(
                f"{part_name} has masked values, the first at {where.format(*place)}; fill them "
                f"({part_name}.filled(...)) or drop those rows."
            )


def is_tensor(X: Any) -> bool:
    """Return whether X comes from a library of tensors, on any device."""
    return hasattr(X, "__dlpack__") or hasattr(X, "__cuda_array_interface__")


def tensor_as_array(X: Any, name: str) -> NDArray[Any]:
    """Return a tensor in memory of the CPU as an array, without a copy if its type allows.

    A tensor elsewhere, or of a type that NumPy lacks, raises a TypeError.
    """
    library, kind = type(X).__module__.partition(".")[0], type(X).__name__
    if not _on_cpu(X):
        device = getattr(X, "device", None)
        known = isinstance(device, str) or (device is not None and library == "torch")
        where = f"on {device}" if known else "on a GPU"
        way_out = TO_CPU.get(library, "a copy of {} in memory of the CPU").format(name)
        raise TypeError(
            f"{name} is a {kind} of {library} {where}, and k-means runs on the CPU here: pass "
            f"{way_out}."
        )
    if getattr(X, "requires_grad", False):
        X = X.detach()
    try:
        array = np.asarray(X) if hasattr(X, "__array__") else np.from_dlpack(X)
    except Exception as error:  # each library has its own error for a type that NumPy lacks
        raise TypeError(
            f"{name} is a {kind} of {library} that NumPy cannot read ({error}): convert it to "
            "float32 first, and to a dense tensor."
        ) from error
    if array.dtype.kind == "V":  # bfloat16 and the like, in the types of another library
        raise TypeError(
            f"{name} is a {kind} of {library} with dtype {array.dtype}, which NumPy cannot compute "
            "with: convert it to float32 first."
        )
    return array


def _on_cpu(X: Any) -> bool:
    """Return whether a CPU can read the memory of a tensor."""
    if not hasattr(X, "__dlpack_device__"):
        return not hasattr(X, "__cuda_array_interface__")
    try:
        return int(X.__dlpack_device__()[0]) in ON_CPU
    except Exception:  # a layout or device that DLPack does not know; ``__array__`` may
        return str(getattr(X, "device", "cpu")) == "cpu"
