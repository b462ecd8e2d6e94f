"""Scratch: arrays that a kernel fills and forgets.

numba compiles ``numpy.empty`` once for every kind of shape and dtype, in 0.1 s each.  ``empty`` is
emitted in place: an allocation, and the strides of a C-ordered array.  ``reshape`` takes 0.3 s;
``as_table`` writes another shape into the array's record.
"""

from typing import Any

import numpy as np
from numba.core import cgutils, config, types
from numba.core.imputils import impl_ret_borrowed
from numba.core.typing.npydecl import parse_dtype
from numba.extending import intrinsic

from .simd import integer

ALIGNMENT = 64
"""Alignment of scratch in bytes: a cache line, and the widest vector."""


@intrinsic
def _empty_intrinsic(typingctx: Any, shape: Any, dtype: Any) -> Any:
    single = isinstance(shape, types.Integer)
    lengths = (shape,) if single else tuple(shape)
    array = types.Array(parse_dtype(dtype), len(lengths), "C")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        values = args[:1] if single else cgutils.unpack_tuple(builder, args[0])
        sizes = [
            context.cast(builder, value, length, types.intp)
            for value, length in zip(values, lengths, strict=True)
        ]
        itemsize = integer(context.get_abi_sizeof(context.get_data_type(array.dtype)))
        strides = [itemsize]
        for size in sizes[:0:-1]:
            strides.insert(0, builder.mul(strides[0], size))
        n_bytes = builder.mul(strides[0], sizes[0])
        memory = context.nrt.meminfo_alloc_aligned(builder, n_bytes, ALIGNMENT)
        result = context.make_array(array)(context, builder)
        pointer = context.get_data_type(array.dtype).as_pointer()
        result.data = builder.bitcast(context.nrt.meminfo_data(builder, memory), pointer)
        result.shape, result.strides = (cgutils.pack_array(builder, x) for x in (sizes, strides))
        result.itemsize, result.meminfo = itemsize, memory
        result.nitems = builder.sdiv(n_bytes, itemsize)
        result.parent = cgutils.get_null_value(result.parent.type)
        return result._getvalue()

    return array(shape, dtype), codegen


@intrinsic
def _as_table_intrinsic(typingctx: Any, array: Any, n_rows: Any, n_columns: Any) -> Any:
    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        result = context.make_array(sig.return_type)(context, builder, args[0])
        shape, row = args[1:], builder.mul(args[2], result.itemsize)
        result.shape = cgutils.pack_array(builder, shape)
        result.strides = cgutils.pack_array(builder, [row, result.itemsize])
        return impl_ret_borrowed(context, builder, sig.return_type, result._getvalue())

    return array.copy(ndim=2)(array, types.intp, types.intp), codegen


def _as_table_twin(
    array: Any,  # in, C-ordered
    n_rows: int,  # in
    n_columns: int,  # in
) -> Any:
    """Return a C-ordered array as a table, not copied."""
    return array.reshape(n_rows, n_columns)


as_table = _as_table_twin if config.DISABLE_JIT else _as_table_intrinsic

empty: Any = np.empty if config.DISABLE_JIT else _empty_intrinsic
"""``empty(shape, dtype)``, an uninitialised array: ``numpy.empty`` within kernels."""
