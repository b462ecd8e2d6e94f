"""What the tests of scripts/compare share: libraries that only say how long they took."""

from __future__ import annotations

import math
from typing import Any


def outcome(library: str, seconds: float, inertia: float, **rest: Any) -> Any:
    from compare.results import Outcome

    dtype = rest.pop("dtype", "float32")
    cell = rest.pop("cell", "a")
    return Outcome("iterations", cell, dtype, library, seconds=seconds, inertia=inertia, **rest)


class FakeWorker:
    """Answers like a worker; ``wrong`` centers are off, ``error`` is raised.

    It converges after ``converges`` iterations, and is ended by a time limit.
    """

    def __init__(
        self,
        library: str,
        speed: float,
        wrong: bool = False,
        error: str = "",
        converges: int = 1000,
    ) -> None:
        from compare.peers import peer_of

        self.library, self.peer = library, peer_of(library)
        self.speed, self.wrong, self.error, self.converges = speed, wrong, error, converges
        self.fits: list[tuple[int, bool]] = []

    def call(self, method: str, *arguments: Any, limit: float = math.inf) -> Any:
        from compare.worker import PeerError

        if self.error:
            raise PeerError(self.error)
        if method == "fit":
            centers, n_iter, *whole = arguments
            self.fits.append((n_iter, bool(whole)))
            n_iter = min(n_iter, self.converges)
            seconds = 0.01 + self.speed * n_iter
            if seconds > limit:
                raise PeerError(f"no answer within {limit:.0f} s")
            return {
                "seconds": seconds,
                "centers": centers + self.wrong,
                "n_iter": n_iter,
                "history": ((0.0, self.speed), (0.875, self.speed))
                if "fast" in self.library
                else (),
            }
        return 100.0 if method.startswith("gemm") else None


class FakeBatches:
    """A worker whose fits by mini-batches take ``seconds`` and end ``off`` the rows' means."""

    def __init__(self, library: str, seconds: float, off: float, error: str = "") -> None:
        from compare.peers import peer_of

        self.library, self.peer = library, peer_of(library)
        self.seconds, self.off, self.error = seconds, off, error
        self.fits: list[tuple[int, ...]] = []

    def call(self, method: str, *arguments: Any) -> Any:
        from compare.worker import PeerError

        if method == "data":
            self.cell, self.dtype = arguments
            return None
        if self.error:
            raise PeerError(self.error)
        from benchmarks.datasets import make

        self.fits.append(arguments)
        centers = make(self.cell, self.dtype)[1] + self.off
        return {"seconds": self.seconds, "centers": centers, "n_iter": 7}


class FakeSolver:
    """A worker whose fits from its own start take ``seconds``.

    ``off`` is what each center is away from the mean of its component, by seed in turn.  Fits
    with a parameter of the name ``refuses`` raise.
    """

    def __init__(
        self, library: str, seconds: float, off: tuple[float, ...], refuses: str = ""
    ) -> None:
        from compare.peers import peer_of

        self.library, self.peer = library, peer_of(library)
        self.seconds, self.off, self.refuses = seconds, off, refuses
        self.calls: list[tuple[Any, ...]] = []

    def call(self, method: str, *arguments: Any) -> Any:
        from compare.worker import PeerError

        if method == "data":
            self.cell, self.dtype = arguments
            return None
        if method == "fit":
            return {"centers": arguments[0]}
        k, parameters, seeds, burst, *_ = arguments
        if self.refuses in parameters:
            del self.cell  # as if the process had ended
            raise PeerError(f"ValueError: {self.refuses}")
        self.calls.append((k, parameters, list(seeds)))
        count = min(len(seeds), max(1, math.ceil(burst / self.seconds)))
        return [self.answer(k, seed) for seed in seeds[:count]]

    def answer(self, k: int, seed: int) -> dict[str, Any]:
        from benchmarks.datasets import make
        from benchmarks.optima import Known, true_centers

        known = isinstance(self.cell, Known)
        centers = true_centers(self.cell) if known else make(self.cell, self.dtype)[1]
        return {"seconds": self.seconds, "centers": centers[:k] + self.off[seed % len(self.off)]}


def run_fakes(*workers: FakeWorker) -> list[Any]:
    from benchmarks.datasets import CELLS
    from compare.tasks import Options, run_iterations

    cell = CELLS["100kx64-k100"].quick()
    return run_iterations(workers, cell, "float32", Options(repeats=2), lambda _: None)  # type: ignore[arg-type]


def fit_fakes(*workers: FakeWorker, cell: str, task: str = "fits", **options: Any) -> list[Any]:
    from benchmarks.datasets import CELLS
    from compare.fits import run_fits
    from compare.tasks import Options

    chosen = Options(**{"repeats": 2, **options})
    small = CELLS[cell].quick()
    return run_fits(workers, small, "float32", task, chosen, lambda _: None)  # type: ignore[arg-type]
