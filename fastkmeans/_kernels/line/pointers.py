"""The best cuts of every prefix, kept until the last cluster is found.

Best cuts never fall as the prefix grows.  So they are a row of bits: for each prefix as many ones
as its cut is above that of the prefix before, and then a zero.  That takes one bit per prefix and
one per cut, where numbers would take 64 times as many.

Loop order: prefixes, then the ones of each; to find a cut, words, then bits.
"""

import numpy as np

from ..._runtime.jit import jit_unfused


@jit_unfused
def keep_pointers(
    pointers,  # in (n + 1,) int32, the best cuts
    first,  # in int, first prefix
    last,  # in int, last prefix
    least,  # in int, no cut is below
    bits,  # out (n_words,) uint64, zeros before
):
    """Write the best cuts of the prefixes as bits."""
    place, before = 0, least
    for t in range(first, last + 1):
        for _ in range(pointers[t] - before):
            bits[place >> 6] |= np.uint64(1) << np.uint64(place & 63)
            place += 1
        before = np.int64(pointers[t])
        place += 1


@jit_unfused
def count_ones(
    word,  # in uint64
):
    """Return how many bits of a word are set."""
    ones = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    pairs = np.uint64(0x3333333333333333)
    ones = (ones & pairs) + ((ones >> np.uint64(2)) & pairs)
    ones = (ones + (ones >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((ones * np.uint64(0x0101010101010101)) >> np.uint64(56))


@jit_unfused
def find_pointer(
    bits,  # in (n_words,) uint64
    least,  # in int, no cut is below
    number,  # in int, the prefix, counted from the first that was kept
):
    """Return the best cut of a prefix: the ones before its zero."""
    word, zeros = 0, 0
    while True:
        own = 64 - count_ones(bits[word])
        if zeros + own > number:
            break
        zeros += own
        word += 1
    place = word << 6
    while True:
        if not (bits[word] >> np.uint64(place & 63)) & np.uint64(1):
            if zeros == number:
                return least + place - number
            zeros += 1
        place += 1
