"""The order of columns within rows: they rise, and do not repeat.

Short runs of a row are sorted by insertion, and merged until one is left.  So equal columns keep
their order, and a row of any length takes ``m log m`` steps.

Loop order: rows, then widths of runs, then runs.
"""

from ..._runtime.jit import jit, jit_inline

RUN = 16
"""Stored values that are sorted by insertion: most rows of texts are shorter."""


@jit
def is_in_order(
    indices,  # in (n_stored,) int32
    start,  # in int, first row
    stop,  # in int, row to stop before
    starts,  # in (m + 1,) int64
):
    """Return whether the columns of each row rise and do not repeat."""
    for i in range(start, stop):
        before = -1
        for e in range(starts[i], starts[i + 1]):
            if indices[e] <= before:
                return False
            before = indices[e]
    return True


@jit_inline
def merge(
    columns,  # in/out (n_stored,) int32
    values,  # in/out (n_stored,) float32 or float64
    low,  # in int, where the first run begins
    middle,  # in int, where the second run begins
    high,  # in int, where it ends
    spare_columns,  # scratch (length of the longest row,) int32
    spare_values,  # scratch (length of the longest row,) of values' dtype
):
    """Merge two neighbouring runs; of equal columns, those of the first run come first."""
    a, b = low, middle
    for place in range(high - low):
        first = b == high or (a < middle and columns[a] <= columns[b])
        e = a if first else b
        spare_columns[place], spare_values[place] = columns[e], values[e]
        a, b = a + first, b + (not first)
    for place in range(high - low):
        columns[low + place], values[low + place] = spare_columns[place], spare_values[place]


@jit
def sort_rows(
    values,  # in (n_stored,) float32 or float64
    start,  # in int, first row
    stop,  # in int, row to stop before
    stored,  # in Stored
    columns,  # out (n_stored,) int32, rising in each row, without gaps between rows
    sums,  # out (n_stored,) of values' dtype, what each place holds
    ends,  # out (m + 1,) int64, where rows begin; the first is given
    spare_columns,  # scratch (length of the longest row,) int32
    spare_values,  # scratch (length of the longest row,) of values' dtype
):
    """Sort rows by column; values of the same place are added in their order."""
    indices, starts = stored
    for i in range(start, stop):
        begin = ends[i]
        end = begin + starts[i + 1] - starts[i]
        shift = starts[i] - begin
        for low in range(begin, end, RUN):
            for e in range(low, low + RUN if end - low > RUN else end):
                column, value, place = indices[e + shift], values[e + shift], e
                while place > low and columns[place - 1] > column:
                    columns[place], sums[place] = columns[place - 1], sums[place - 1]
                    place -= 1
                columns[place], sums[place] = column, value
        width = RUN
        while width < end - begin:
            for low in range(begin, end - width, 2 * width):
                middle = low + width
                high = middle + width if end - middle > width else end
                merge(columns, sums, low, middle, high, spare_columns, spare_values)
            width *= 2
        last = begin - 1
        for e in range(begin, end):
            if last >= begin and columns[last] == columns[e]:
                sums[last] += sums[e]
            else:
                last += 1
                columns[last], sums[last] = columns[e], sums[e]
        ends[i + 1] = last + 1
