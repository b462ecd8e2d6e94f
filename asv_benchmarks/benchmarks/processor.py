"""What the kernels were compiled for: figures of other widths are not to be compared."""

from __future__ import annotations

from fastkmeans._runtime.target import TARGET


class Processor:
    """The widths by which the kernels differ from processor to processor."""

    def track_vector_bytes(self) -> int:
        """Return the bytes of a vector register."""
        return TARGET.vector_bytes

    def track_code_bits(self) -> int:
        """Return the bits of the codes that are multiplied: 8 or 16."""
        return TARGET.codes.bits
