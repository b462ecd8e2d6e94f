"""The micro-kernel of the simplified silhouette: distance to the own center, and to the next.

A block of rows meets every tile of centers, as in ``plain.tile``.  For each point it keeps the
squared distance to the center of its label, and the smallest one to another center.  Padding
centers are at infinity.

Loop order: the points of a block by vectors, then tiles, then features.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from ..emit.simd import CENTERS, I32, I64, POINTS, VECTORS, Emitter, integer
from ..plain.tile import feature_loop, tile_offset


@intrinsic
def _own_and_other_intrinsic(
    typingctx: Any, blocks: Any, b: Any, tiles: Any, labels: Any, own: Any, other: Any
) -> Any:
    signature = types.void(blocks, types.intp, tiles, labels, own, other)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, sig.args[0].dtype)
        block = emit.item(sig.args[0], args[0], args[1])
        tiles = emit.pointer(sig.args[2], args[2])
        labels, own, other = (emit.item(sig.args[i], args[i], args[1]) for i in (3, 4, 5))
        n_features = builder.extract_value(emit.array(sig.args[0], args[0]).shape, 1)
        n_tiles = builder.extract_value(emit.array(sig.args[2], args[2]).shape, 0)
        nothing = ir.Constant(emit.floats, [float("inf")] * emit.lanes)
        for lane in range(0, POINTS, VECTORS * emit.lanes):
            offsets = [integer(lane + v * emit.lanes) for v in range(VECTORS)]
            numbers = [emit.load(labels, offset, emit.ints) for offset in offsets]
            slots = [emit.variables(2, emit.floats) for _ in offsets]
            for pair in slots:
                for slot in pair:
                    builder.store(nothing, slot)
            with cgutils.for_range(builder, n_tiles, intp=I64) as loop:
                pointer = emit.at(tiles, tile_offset(builder, loop.index, n_features))
                squares = feature_loop(emit, emit.at(block, integer(lane)), pointer, n_features,
                                       False)  # fmt: skip
                first = builder.trunc(builder.mul(loop.index, integer(CENTERS)), I32)
                for center, row in enumerate(squares):
                    number = builder.add(first, ir.Constant(I32, center))
                    number = emit.broadcast(number, emit.ints)
                    for label, square, (own_slot, other_slot) in zip(
                        numbers, row, slots, strict=True
                    ):
                        is_own = builder.icmp_signed("==", label, number)
                        kept = builder.load(own_slot)
                        builder.store(builder.select(is_own, square, kept), own_slot)
                        rival = builder.select(is_own, nothing, square)
                        nearest = emit.smaller(builder.load(other_slot), rival)
                        builder.store(nearest, other_slot)
            for offset, pair in zip(offsets, slots, strict=True):
                emit.store(builder.load(pair[0]), own, offset)
                emit.store(builder.load(pair[1]), other, offset)
        return context.get_dummy_value()

    return signature, codegen


def _own_and_other_twin(
    blocks: Any,  # in (n_blocks, d, POINTS)
    b: int,  # in, block
    tiles: Any,  # in (n_tiles, 1 + d, CENTERS) of the same dtype, row 0 unused
    labels: Any,  # in (n_blocks, POINTS) int32, the own center of each point
    own: Any,  # out (n_blocks, POINTS) of the same dtype, squared distance to the own center
    other: Any,  # out (n_blocks, POINTS) of the same dtype, smallest one to another center
) -> None:
    """Write the squared distances to the own center and to the closest other one."""
    own[b], other[b] = np.inf, np.inf
    for tile in range(len(tiles)):
        for center in range(CENTERS):
            difference = blocks[b] - tiles[tile, 1:, center, None]
            square = (difference * difference).sum(axis=0)
            is_own = labels[b] == tile * CENTERS + center
            own[b][is_own] = square[is_own]
            other[b] = np.minimum(other[b], np.where(is_own, np.inf, square))


own_and_other = _own_and_other_twin if config.DISABLE_JIT else _own_and_other_intrinsic
