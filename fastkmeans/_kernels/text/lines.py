"""Where the lines of CSV end, if values may be quoted and hold line breaks.

The states are those of pyarrow's reader.  A quote opens a value only at the beginning of the value.
A doubled quote stands for one, and what follows a closing quote is plain.  Lines end in LF, CRLF or
CR.  A CR at the very end of the data may be half of a CRLF, so it ends no line yet.

Loop order: bytes, one by one, because each changes the state for the next.
"""

import numpy as np

from ..._runtime.jit import jit

START, PLAIN, QUOTED, QUOTE_IN_QUOTED = 0, 1, 2, 3


@jit
def last_line_end(
    data,  # in (n,) uint8
    delimiter,  # in int, the byte that separates values
    state,  # in int, the state after the byte before data
):
    """Return the place behind the last line end in ``data`` (0: none), and the state there."""
    end = 0
    quote = np.uint8(34)
    for i in range(data.size):
        byte = data[i]
        if state == QUOTED:
            if byte == quote:
                state = QUOTE_IN_QUOTED
            continue
        if byte == quote and state in (START, QUOTE_IN_QUOTED):
            state = QUOTED
        elif byte == delimiter:
            state = START
        elif byte == 10 or byte == 13:
            state = START
            if byte == 10 or (i + 1 < data.size and data[i + 1] != 10):
                end = i + 1
        else:
            state = PLAIN
    return end, state
