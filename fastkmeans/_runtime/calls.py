"""Calls of kernels by the address of their machine code (see ``_runtime.jit.address_of``).

numba compiles a kernel that is called by name again into every caller, and into all three
functions that it makes of a ``prange``: seconds of the first fit.  A kernel called by its
address is compiled once.  Nothing checks that the arguments have the types it was compiled for.
"""

from typing import Any

from numba.core import cgutils, config, types
from numba.extending import intrinsic


def _emit_item(context: Any, builder: Any, kinds: tuple[Any, Any], value: Any, r: Any) -> Any:
    """Emit ``array[r]``; ``kinds`` are the types of the array and of the item."""
    whole = context.make_array(kinds[0])(context, builder, value)
    item = context.make_array(kinds[1])(context, builder)
    lengths, steps = (cgutils.unpack_tuple(builder, x) for x in (whole.shape, whole.strides))
    size = context.get_constant(types.intp, 1)
    for length in lengths[1:]:
        size = builder.mul(size, length)
    item.data = cgutils.pointer_add(builder, whole.data, builder.mul(r, steps[0]))
    item.shape, item.strides = (cgutils.pack_array(builder, x[1:]) for x in (lengths, steps))
    item.itemsize, item.nitems = whole.itemsize, size
    for owner in ("meminfo", "parent"):
        setattr(item, owner, cgutils.get_null_value(getattr(item, owner).type))
    return item._getvalue()


def _emit_call(
    context: Any, builder: Any, address: Any, returned: Any, kinds: Any, values: Any
) -> Any:
    """Emit a call of the machine code at an address; its status is ignored: kernels never raise."""
    function = context.call_conv.get_function_type(returned, kinds).as_pointer()
    kernel = builder.inttoptr(address, function)
    _, value = context.call_conv.call_function(builder, kernel, returned, kinds, values)
    return value


@intrinsic
def _range_intrinsic(
    typingctx: Any, kernel: Any, X: Any, bounds: Any, r: Any, arguments: Any, outputs: Any
) -> Any:
    items = [array.copy(ndim=array.ndim - 1) for array in outputs]
    kinds = (X, types.intp, types.intp, *arguments, *items)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kernel, X, bounds, r, arguments, outputs = args
        start = builder.gep(context.make_array(sig.args[2])(context, builder, bounds).data, [r])
        stop = builder.gep(start, [context.get_constant(types.intp, 1)])
        values = [X, builder.load(start), builder.load(stop)]
        values += cgutils.unpack_tuple(builder, arguments)
        arrays = cgutils.unpack_tuple(builder, outputs)
        for kinds_of, value in zip(zip(sig.args[5], items, strict=True), arrays, strict=True):
            values.append(_emit_item(context, builder, kinds_of, value, r))
        _emit_call(context, builder, kernel, types.none, kinds, values)
        return context.get_dummy_value()

    return types.void(kernel, X, bounds, r, arguments, outputs), codegen


@intrinsic
def _call_intrinsic(typingctx: Any, kernel: Any, example: Any, arguments: Any) -> Any:
    kinds = tuple(arguments)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        values = cgutils.unpack_tuple(builder, args[2])
        return _emit_call(context, builder, args[0], sig.return_type, kinds, values)

    return example(kernel, example, arguments), codegen


def _call_twin(kernel: Any, example: Any, arguments: Any) -> Any:
    """Call a kernel, given as a function; its result has the type of ``example``."""
    return kernel(*arguments)


def _range_twin(kernel: Any, X: Any, bounds: Any, r: int, arguments: Any, outputs: Any) -> None:
    """Call a kernel, given as a function, for range ``r``."""
    kernel(X, bounds[r], bounds[r + 1], *arguments, *(array[r] for array in outputs))


call = _call_twin if config.DISABLE_JIT else _call_intrinsic
call_range = _range_twin if config.DISABLE_JIT else _range_intrinsic
