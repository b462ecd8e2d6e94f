"""Scratch: arrays that a kernel fills and forgets.

numba compiles ``numpy.empty`` once for every kind of shape and dtype, in 0.1 s each.  ``empty`` is
emitted in place: an allocation, and the strides of a C-ordered array.
"""

from typing import Any

import numpy as np
from numba.core import cgutils, config, types
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


empty: Any = np.empty if config.DISABLE_JIT else _empty_intrinsic
"""``empty(shape, dtype)``, an uninitialised array: ``numpy.empty`` within kernels."""
