"""SIMD in numba: an emitter of LLVM vector IR.

numba has no vector types.  So the micro-kernels are intrinsics that emit vector IR, which LLVM
legalises for the machine at hand.  ``Emitter`` holds the instructions that they share.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from ..._runtime.target import TARGET, Target

I32, I64 = ir.IntType(32), ir.IntType(64)


VECTOR_BYTES, CENTERS, CODES, _ = TARGET
"""Bytes of a vector register; centers in a tile; codes and their products."""
VECTORS = 2
"""Vectors of points in one pass of the tile's loop over features."""
POINTS = VECTORS * VECTOR_BYTES // 4
"""Points in a block.  In float64 a block takes two passes, each with half as many lanes."""


def integer(value: int) -> Any:
    return ir.Constant(I64, value)


class Emitter:
    """LLVM IR over vectors of one element type.

    Only arrays of numba need a context, and only tests another target.
    """

    def __init__(
        self, context: Any, builder: Any, dtype: types.Float, target: Target = TARGET
    ) -> None:
        self.context, self.builder, self.target = context, builder, target
        self.itemsize = dtype.bitwidth // 8
        self.lanes = target.vector_bytes // self.itemsize
        self.element = ir.FloatType() if self.itemsize == 4 else ir.DoubleType()
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
        """Load a vector of ``kind``; no alignment beyond 4 bytes is assumed."""
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

    def whole(self, value: int) -> Any:
        """Return a vector of one integer."""
        return ir.Constant(self.ints, [value] * self.lanes)

    def fma(self, x: Any, y: Any, z: Any) -> Any:
        """Emit ``x * y + z`` for vectors or scalars of any float type.

        It is rounded once, or twice if the processor has no such instruction: LLVM would call a
        function for every lane.
        """
        if not self.target.fuses:
            return self.builder.fadd(self.builder.fmul(x, y), z)
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
        """Emit the transpose of a square of vectors, by halves of larger and larger squares."""
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
        """Emit for each ``f`` the vector of every ``len(vectors)``-th element from ``f`` on."""
        lanes, count = self.lanes, len(vectors)
        mask_type = ir.VectorType(I32, lanes)
        result = []
        for f in range(count):
            places = [divmod(p * count + f, lanes) for p in range(lanes)]
            picked = vectors[0]
            for q in range(min(1, count - 1), count):
                first = q == 1  # vector 0 is not shuffled yet
                mask = [
                    lanes + n if source == q else (n if first and source == 0 else p)
                    for p, (source, n) in enumerate(places)
                ]
                if count > 1:
                    constant = ir.Constant(mask_type, mask)
                    picked = self.builder.shuffle_vector(picked, vectors[q], constant)
            result.append(picked)
        return result

    def load_some(self, pointer: Any, offset: Any, lanes: Any) -> Any:
        """Load the lanes of a vector of integers that are set, and zero for the others."""
        address = self.builder.bitcast(self.at(pointer, offset), self.ints.as_pointer())
        signature = ir.FunctionType(self.ints, [address.type, I32, lanes.type, self.ints])
        function = cgutils.get_or_insert_function(
            self.builder.module, signature, f"llvm.masked.load.v{self.lanes}i32.p0"
        )
        zero = ir.Constant(self.ints, [0] * self.lanes)
        return self.builder.call(function, [address, ir.Constant(I32, 4), lanes, zero])

    def fold(self, vector: Any, combine: Callable[[Any, Any], Any]) -> Any:
        """Emit one value from the lanes, by halves."""
        lanes = vector.type.count
        while lanes > 1:
            lanes //= 2
            halves = [
                self.builder.shuffle_vector(
                    vector, vector, ir.Constant(ir.VectorType(I32, lanes), list(part))
                )
                for part in (range(lanes), range(lanes, 2 * lanes))
            ]
            vector = combine(*halves)
        return self.builder.extract_element(vector, ir.Constant(I32, 0))

    def sum(self, vector: Any) -> Any:
        """Emit the sum of the lanes, floats or integers."""
        return self.fold(
            vector, self.builder.add if vector.type == self.ints else self.builder.fadd
        )

    def smaller(self, x: Any, y: Any) -> Any:
        """Emit the smaller value of two, y if x is not a number."""
        return self.builder.select(self.builder.fcmp_ordered("<", x, y), x, y)

    def larger(self, x: Any, y: Any) -> Any:
        """Emit the larger value of two, y if x is not a number."""
        return self.builder.select(self.builder.fcmp_ordered(">", x, y), x, y)

    def lane(self, vector: Any, lane: int) -> Any:
        return self.builder.extract_element(vector, ir.Constant(I32, lane))

    def numbers(self, start: Any) -> Any:
        """Emit the integers ``start, start + 1, ...``, one in each lane."""
        first = self.broadcast(self.builder.trunc(start, I32), self.ints)
        return self.builder.add(first, ir.Constant(self.ints, list(range(self.lanes))))

    def bits(self, lanes: Any) -> Any:
        """Emit a vector of booleans as the bits of an integer."""
        return self.builder.zext(self.builder.bitcast(lanes, ir.IntType(self.lanes)), I64)

    def count(self, lanes: Any) -> Any:
        """Emit how many booleans of a vector are set."""
        return self.builder.ctpop(self.bits(lanes))

    def compress(self, vector: Any, pointer: Any, place: Any, keep: Any) -> None:
        """Emit a store of the lanes that are kept, one after the other."""
        kind = vector.type
        scalar = {I32: "i32", ir.FloatType(): "f32", ir.DoubleType(): "f64"}[kind.element]
        target = pointer.type
        signature = ir.FunctionType(ir.VoidType(), [kind, target, keep.type])
        function = cgutils.get_or_insert_function(
            self.builder.module, signature, f"llvm.masked.compressstore.v{kind.count}{scalar}"
        )
        self.builder.call(function, [vector, self.at(pointer, place), keep])

    def prefetch(self, pointer: Any) -> None:
        """Emit a prefetch: memory will be read soon, and shall stay in the caches."""
        byte = ir.IntType(8).as_pointer()
        signature = ir.FunctionType(ir.VoidType(), [byte, I32, I32, I32])
        function = cgutils.get_or_insert_function(
            self.builder.module, signature, "llvm.prefetch.p0"
        )
        hints = [ir.Constant(I32, value) for value in (0, 3, 1)]  # read, keep, data
        self.builder.call(function, [self.builder.bitcast(pointer, byte), *hints])

    def variables(self, count: int, kind: Any) -> list[Any]:
        """Return stack slots; LLVM's mem2reg keeps each in a register."""
        return [cgutils.alloca_once(self.builder, kind) for _ in range(count)]
