"""The micro-kernels of the silhouette: distances of rows to rows, added up for both.

A block holds rows as points, a tile holds others as centers, as in ``plain.tile``.

``pair_distances`` writes the distances of a block and a tile.  They come from products,
``|x|^2 + |y|^2 - 2 x.y``.  If a distance is so small that this loses digits, or if there are few
features, they come from differences.

``add_to_points`` adds a tile's distances to the sums of the points, a cluster of the tile's rows at
a time.  ``add_to_rows`` adds them to the sums of the tile's rows.  Those are kept in ``LANES``
parts, by the place of the point.  All sums are float64.  Each adds in the order of the rows,
whatever the width of a vector, so that a result does not depend on the processor.

Loop order: the points of a block by vectors, then features; for sums, the tile's rows, then points.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

from ..emit.simd import CENTERS, I64, POINTS, VECTORS, Emitter, integer
from ..plain.tile import feature_loop, tile_offset

LANES = 16
"""Parts of the sum of a tile's row over points."""
CLOSE = {4: 2.0**-7, 8: 2.0**-13}
"""Share of ``|x|^2 + |y|^2`` below which a squared distance is added up from differences, by the
bytes of a coordinate."""


def _square_root(emit: Emitter, vector: Any) -> Any:
    kind = vector.type
    letter = "f32" if emit.itemsize == 4 else "f64"
    name = f"llvm.sqrt.v{kind.count}{letter}"
    signature = ir.FunctionType(kind, [kind])
    function = cgutils.get_or_insert_function(emit.builder.module, signature, name)
    return emit.builder.call(function, [vector])


def _from_products(
    emit: Emitter, scores: list[list[Any]], norms: list[Any], reach: Any, slots: list[list[Any]]
) -> Any:
    """Emit squared distances into slots; return whether one has lost digits."""
    builder = emit.builder
    two = ir.Constant(emit.floats, [-2.0] * emit.lanes)
    share = ir.Constant(emit.floats, [CLOSE[emit.itemsize]] * emit.lanes)
    lost = None
    for v, norm in enumerate(norms):
        least = None
        for row, slot in zip(scores, slots, strict=True):
            square = emit.fma(two, row[v], norm)
            builder.store(square, slot[v])
            least = square if least is None else emit.smaller(square, least)
        limit = builder.fmul(share, builder.fadd(norm, reach))
        below = builder.fcmp_ordered("<", least, limit)
        lost = below if lost is None else builder.or_(lost, below)
    return builder.icmp_unsigned("!=", emit.bits(lost), integer(0))


def _replace_lost(
    emit: Emitter,
    squares: list[list[Any]],
    place: tuple[list[Any], Any],  # norms of the points, pointer to the bias of the tile
    exact: Any,
    slots: list[list[Any]],
) -> None:
    """Emit the sums of squared differences into slots, where products have lost digits.

    Each pair of rows decides for itself, so that it does not matter which rows share a tile.
    """
    builder, (norms, pointer) = emit.builder, place
    two = ir.Constant(emit.floats, [-2.0] * emit.lanes)
    share = ir.Constant(emit.floats, [CLOSE[emit.itemsize]] * emit.lanes)
    always = emit.broadcast(exact, ir.VectorType(exact.type, emit.lanes))
    for center, (row, slot) in enumerate(zip(squares, slots, strict=True)):
        bias = emit.broadcast(builder.load(emit.at(pointer, integer(center))), emit.floats)
        for v, square in enumerate(row):
            both = emit.fma(two, bias, norms[v])
            product = builder.load(slot[v])
            lost = builder.fcmp_ordered("<", product, builder.fmul(share, both))
            lost = builder.or_(lost, always)
            builder.store(builder.select(lost, square, product), slot[v])


@intrinsic
def _pair_distances_intrinsic(
    typingctx: Any, blocks: Any, b: Any, tiles: Any, tile: Any, norms: Any, reach: Any, how: Any,
    out: Any
) -> Any:  # fmt: skip
    n = types.intp
    signature = types.void(blocks, n, tiles, n, norms, reach, n, out)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, sig.args[0].dtype)
        block = emit.item(sig.args[0], args[0], args[1])
        norms = emit.item(sig.args[4], args[4], args[1])
        tiles, reach, out = (emit.pointer(sig.args[i], args[i]) for i in (2, 5, 7))
        n_features = builder.extract_value(emit.array(sig.args[0], args[0]).shape, 1)
        pointer = emit.at(tiles, tile_offset(builder, args[3], n_features))
        farthest = emit.broadcast(builder.load(emit.at(reach, args[3])), emit.floats)
        half = ir.Constant(emit.floats, [0.5] * emit.lanes)
        exact = builder.trunc(args[6], ir.IntType(1))
        by_cosine = builder.icmp_signed("==", args[6], integer(BY_COSINE))
        for lane in range(0, POINTS, VECTORS * emit.lanes):
            points = emit.at(block, integer(lane))
            slots = [emit.variables(VECTORS, emit.floats) for _ in range(CENTERS)]
            again = cgutils.alloca_once(builder, ir.IntType(1))
            builder.store(exact, again)
            own = [
                emit.load(norms, integer(lane + v * emit.lanes), emit.floats)
                for v in range(VECTORS)
            ]
            with builder.if_then(builder.not_(exact)):
                scores = feature_loop(emit, points, pointer, n_features, True)
                builder.store(_from_products(emit, scores, own, farthest, slots), again)
            with builder.if_then(builder.load(again)):
                squares = feature_loop(emit, points, pointer, n_features, False)
                _replace_lost(emit, squares, (own, pointer), exact, slots)
            for center, slot in enumerate(slots):
                for v, place in enumerate(slot):
                    square = builder.load(place)
                    halved = builder.fmul(half, square)
                    value = builder.select(by_cosine, halved, _square_root(emit, square))
                    emit.store(value, out, integer(center * POINTS + lane + v * emit.lanes))
        return context.get_dummy_value()

    return signature, codegen


def _load_doubles(emit: Emitter, out: Any, offset: Any, kind: Any) -> Any:
    """Emit some distances as a vector of float64."""
    narrow = ir.VectorType(emit.element, kind.count)
    return emit.convert(emit.load(out, offset, narrow), kind)


@intrinsic
def _add_to_points_intrinsic(
    typingctx: Any, out: Any, weights: Any, clusters: Any, place: Any, sums: Any, column: Any,
    first_cluster: Any
) -> Any:  # fmt: skip
    n = types.intp
    signature = types.void(out, weights, clusters, n, sums, n, n)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, sig.args[0].dtype)
        exact = Emitter(context, builder, types.float64)
        out, weights, clusters, sums = (emit.pointer(sig.args[i], args[i]) for i in (0, 1, 2, 4))
        width = builder.extract_value(emit.array(sig.args[4], args[4]).shape, 1)
        offsets = range(0, POINTS, exact.lanes)

        def cluster_of(center: int) -> Any:
            value = builder.load(emit.at(clusters, builder.add(args[3], integer(center))))
            return builder.sub(builder.sext(value, I64), args[6])

        def column_of(cluster: Any) -> Any:
            return emit.at(sums, builder.add(builder.mul(cluster, width), args[5]))

        def add(center: int, slots: list[Any]) -> None:
            place = builder.add(args[3], integer(center))
            weight = exact.broadcast(builder.load(emit.at(weights, place)), exact.floats)
            for offset, slot in zip(offsets, slots, strict=True):
                at = integer(center * POINTS + offset)
                distance = _load_doubles(emit, out, at, exact.floats)
                builder.store(exact.fma(weight, distance, builder.load(slot)), slot)

        def add_all(centers: range) -> None:
            target = column_of(cluster_of(centers[0]))
            slots = exact.variables(len(offsets), exact.floats)
            for offset, slot in zip(offsets, slots, strict=True):
                builder.store(exact.load(target, integer(offset), exact.floats), slot)
            for center in centers:
                add(center, slots)
            for offset, slot in zip(offsets, slots, strict=True):
                exact.store(builder.load(slot), target, integer(offset))

        one = builder.icmp_signed("==", cluster_of(0), cluster_of(CENTERS - 1))
        with builder.if_else(one) as (together, apart):
            with together:
                add_all(range(CENTERS))
            with apart:
                for center in range(CENTERS):
                    add_all(range(center, center + 1))
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _add_to_rows_intrinsic(
    typingctx: Any, out: Any, b: Any, weights: Any, run: Any, parts: Any, place: Any
) -> Any:
    n = types.intp
    signature = types.void(out, n, weights, n, parts, n)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        emit = Emitter(context, builder, sig.args[0].dtype)
        exact = Emitter(context, builder, types.float64)
        out = emit.pointer(sig.args[0], args[0])
        weights = exact.item(sig.args[2], args[2], args[3])
        begin = builder.mul(args[1], integer(POINTS))
        offsets = range(0, POINTS, exact.lanes)
        factors = [exact.load(weights, integer(offset), exact.floats) for offset in offsets]
        lanes = [
            builder.and_(builder.add(begin, integer(offset)), integer(LANES - 1))
            for offset in offsets
        ]
        for center in range(CENTERS):
            place = builder.add(args[5], integer(center))
            total = exact.item(sig.args[4], args[4], place)
            for offset, factor, lane in zip(offsets, factors, lanes, strict=True):
                at = integer(center * POINTS + offset)
                distance = _load_doubles(emit, out, at, exact.floats)
                kept = exact.load(total, lane, exact.floats)
                exact.store(exact.fma(factor, distance, kept), total, lane)
        return context.get_dummy_value()

    return signature, codegen


BY_PRODUCTS, BY_DIFFERENCES, BY_COSINE = range(3)
"""How a distance is found.  The lowest bit is set if differences come first."""


def _pair_distances_twin(
    blocks: Any,  # in (n_blocks, d, POINTS)
    b: int,  # in, block
    tiles: Any,  # in (n_tiles, 1 + d, CENTERS) of the same dtype, row 0: -|y|^2 / 2
    tile: int,  # in, tile to compare with
    norms: Any,  # in (n_blocks, POINTS) of the same dtype, |x|^2
    reach: Any,  # in (n_tiles,) of the same dtype, largest |y|^2 of a tile
    how: int,  # in, BY_PRODUCTS, BY_DIFFERENCES or BY_COSINE
    out: Any,  # out (CENTERS, POINTS) of the same dtype
) -> None:
    """Write the distance of every point to every row of a tile; by cosine ``1 - cos``."""
    difference = blocks[b] - tiles[tile, 1:].T[:, :, None]
    squares = (difference * difference).sum(axis=1)
    if how != BY_DIFFERENCES:
        scores = tiles[tile, 0][:, None] + tiles[tile, 1:].T @ blocks[b]
        products = norms[b] - 2.0 * scores
        both = norms[b] - 2.0 * tiles[tile, 0][:, None]
        squares = np.where(products < CLOSE[blocks.itemsize] * both, squares, products)
    out[:] = 0.5 * squares if how == BY_COSINE else np.sqrt(squares)


def _add_to_points_twin(
    out: Any,  # in (CENTERS, POINTS) float32 or float64
    weights: Any,  # in (n,) float64
    clusters: Any,  # in (n,) int32, rising
    place: int,  # in, of the tile's first row in weights and clusters
    sums: Any,  # in/out (k, width) float64
    column: int,  # in, of the block's first point in sums
    first_cluster: int,  # in, of sums
) -> None:
    """Add distances to the sums of the points over the clusters of the tile's rows."""
    for center in range(CENTERS):
        row = sums[clusters[place + center] - first_cluster]
        row[column : column + POINTS] += weights[place + center] * out[center]


def _add_to_rows_twin(
    out: Any,  # in (CENTERS, POINTS) float32 or float64
    b: int,  # in, block: its first point is the one of number b * POINTS
    weights: Any,  # in (n_runs, POINTS) float64, 0 for points of other clusters
    run: int,  # in, row of weights
    parts: Any,  # in/out (n, LANES) float64
    place: int,  # in, row of parts of the tile's first row
) -> None:
    """Add distances to the sums of the tile's rows over the points of one cluster."""
    for center in range(CENTERS):
        for p in range(POINTS):
            lane = (b * POINTS + p) % LANES
            parts[place + center, lane] += weights[run, p] * np.float64(out[center, p])


pair_distances: Callable[..., None]
add_to_points: Callable[..., None]
add_to_rows: Callable[..., None]
if config.DISABLE_JIT:
    pair_distances, add_to_points = _pair_distances_twin, _add_to_points_twin
    add_to_rows = _add_to_rows_twin
else:
    pair_distances, add_to_points = _pair_distances_intrinsic, _add_to_points_intrinsic
    add_to_rows = _add_to_rows_intrinsic
