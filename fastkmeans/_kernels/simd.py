"""SIMD in numba: the width of the machine's registers, and LLVM vector IR by the word.

numba has no vector types.  The micro-kernels in ``tile``, ``pack`` and ``update`` are
numba intrinsics that emit vector IR, which LLVM legalises for the machine at hand.
``Emitter`` holds the words they share.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, config, types

I32, I64 = ir.IntType(32), ir.IntType(64)


def _vector_bytes_and_centers() -> tuple[int, int]:
    """Return the bytes of a vector register and the centers in a tile.

    AVX-512 has 32 registers of 64 bytes.  2 x 8 accumulators keep two FMA units busy;
    2 x 12 are no faster with many features and slower with few centers, where up to
    11 of a tile are padding.  AVX2 has 16 registers of 32 bytes: 2 x 6 accumulators.
    NEON and everything else: 2 x 8 accumulators of 16 bytes.
    """
    if config.CPU_FEATURES is None:
        enabled = {name for name, on in llvm.get_host_cpu_features().items() if on}
    else:
        enabled = {name[1:] for name in config.CPU_FEATURES.split(",") if name[:1] == "+"}
    if "avx512f" in enabled:
        return 64, 8
    if "avx2" in enabled and "fma" in enabled:
        return 32, 6
    return 16, 8


VECTOR_BYTES, CENTERS = _vector_bytes_and_centers()
"""CENTERS: the centers in a tile."""
VECTORS = 2
"""Vectors of points that one pass of the tile's feature loop holds."""
POINTS = VECTORS * VECTOR_BYTES // 4
"""Points in a block; float64 covers a block in two passes of half the lanes."""


def integer(value: int) -> Any:
    return ir.Constant(I64, value)


class Emitter:
    """LLVM IR over vectors of one element type."""

    def __init__(self, context: Any, builder: Any, dtype: types.Float) -> None:
        self.context, self.builder = context, builder
        self.itemsize = dtype.bitwidth // 8
        self.lanes = VECTOR_BYTES // self.itemsize
        self.element = context.get_value_type(dtype)
        self.floats = ir.VectorType(self.element, self.lanes)
        self.ints = ir.VectorType(I32, self.lanes)

    def array(self, array_type: Any, value: Any) -> Any:
        return self.context.make_array(array_type)(self.context, self.builder, value)

    def pointer(self, array_type: Any, value: Any) -> Any:
        return self.array(array_type, value).data

    def item(self, array_type: Any, value: Any, index: Any) -> Any:
        """Emit the address of ``array[index]`` of a C-ordered array."""
        array = self.array(array_type, value)
        size = integer(1)
        for length in cgutils.unpack_tuple(self.builder, array.shape)[1:]:
            size = self.builder.mul(size, length)
        return self.at(array.data, self.builder.mul(index, size))

    def at(self, pointer: Any, offset: Any) -> Any:
        return self.builder.gep(pointer, [offset])

    def load(self, pointer: Any, offset: Any, kind: Any) -> Any:
        """Load a vector of ``kind`` that need be aligned no better than its elements."""
        address = self.builder.bitcast(self.at(pointer, offset), kind.as_pointer())
        return self.builder.load(address, align=4)

    def store(self, value: Any, pointer: Any, offset: Any) -> None:
        address = self.builder.bitcast(self.at(pointer, offset), value.type.as_pointer())
        self.builder.store(value, address, align=4)

    def broadcast(self, scalar: Any, kind: Any) -> Any:
        undefined = ir.Constant(kind, ir.Undefined)
        single = self.builder.insert_element(undefined, scalar, ir.Constant(I32, 0))
        zeros = ir.Constant(ir.VectorType(I32, kind.count), [0] * kind.count)
        return self.builder.shuffle_vector(single, undefined, zeros)

    def fma(self, x: Any, y: Any, z: Any) -> Any:
        """Emit ``x * y + z``, rounded once, for vectors or scalars of any float type."""
        kind = x.type
        scalar = kind.element if isinstance(kind, ir.VectorType) else kind
        name = "f32" if isinstance(scalar, ir.FloatType) else "f64"
        if isinstance(kind, ir.VectorType):
            name = f"v{kind.count}{name}"
        signature = ir.FunctionType(kind, [kind] * 3)
        function = cgutils.get_or_insert_function(
            self.builder.module, signature, f"llvm.fma.{name}"
        )
        return self.builder.call(function, [x, y, z])

    def convert(self, value: Any, kind: Any) -> Any:
        """Emit a conversion between float and double, scalars or vectors."""
        if value.type == kind:
            return value
        element = kind.element if isinstance(kind, ir.VectorType) else kind
        if isinstance(element, ir.FloatType):
            return self.builder.fptrunc(value, kind)
        return self.builder.fpext(value, kind)

    def gather(self, pointers: list[Any], kind: Any) -> Any:
        """Emit a vector of single elements, one from each pointer."""
        vector = ir.Constant(kind, ir.Undefined)
        for lane, pointer in enumerate(pointers):
            element = self.builder.load(pointer)
            vector = self.builder.insert_element(vector, element, ir.Constant(I32, lane))
        return vector

    def transpose(self, rows: list[Any]) -> list[Any]:
        """Emit the transpose of a square of vectors, by halves of ever larger squares."""
        lanes = len(rows)
        half = 1
        while half < lanes:
            low = [n if not n & half else lanes + n - half for n in range(lanes)]
            high = [n + half if not n & half else lanes + n for n in range(lanes)]
            masks = [ir.Constant(ir.VectorType(I32, lanes), mask) for mask in (low, high)]
            for i in range(lanes):
                if not i & half:
                    pair = rows[i], rows[i + half]
                    rows[i] = self.builder.shuffle_vector(*pair, masks[0])
                    rows[i + half] = self.builder.shuffle_vector(*pair, masks[1])
            half *= 2
        return rows

    def deinterleave(self, vectors: list[Any]) -> list[Any]:
        """Emit vector ``f`` of every ``len(vectors)``-th element, from element ``f`` on."""
        lanes, count = self.lanes, len(vectors)
        mask_type = ir.VectorType(I32, lanes)
        result = []
        for f in range(count):
            places = [divmod(p * count + f, lanes) for p in range(lanes)]
            picked = vectors[0]
            for q in range(min(1, count - 1), count):
                first = q == 1  # lanes of vector 0 are still where they were
                mask = [
                    lanes + n if source == q else (n if first and source == 0 else p)
                    for p, (source, n) in enumerate(places)
                ]
                if count > 1:
                    constant = ir.Constant(mask_type, mask)
                    picked = self.builder.shuffle_vector(picked, vectors[q], constant)
            result.append(picked)
        return result

    def variables(self, count: int, kind: Any) -> list[Any]:
        """Return stack slots; LLVM's mem2reg keeps each in a register."""
        return [cgutils.alloca_once(self.builder, kind) for _ in range(count)]
