"""What ``compare`` asks of a library: one small adapter each.

An adapter imports its library in ``load`` and nowhere else, for a missing or broken one
to be reported by name.  ``fit`` runs exactly ``n_iter`` Lloyd iterations on all rows
from the centers given: no sampling, no early stop, no restart.  ``whole`` is a fit as a
user wants it, with the labels of all rows at the end.  Both run in a process of their
own, whose thread counts are set before anything is imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

Array = NDArray[Any]

WHOLE = ("fits", "convergence")
"""The tasks of whole fits."""


class Fitted(NamedTuple):
    """Centers after ``n_iter`` iterations, and what the library tells of each of these."""

    centers: Array
    n_iter: int
    history: tuple[tuple[float, float], ...] = ()  # share of distances avoided, seconds


class Peer:
    """One library.

    Attributes
    ----------
    name : str
        The name on the command line and in tables.
    distribution : str
        The name under which it is installed.
    dtypes : tuple of str
        The dtypes it computes in.
    own_start : bool
        Whether it refuses initial centers.  It is then compared from the centers after
        its own first iteration, from which the baseline starts as well.
    tasks : tuple of str
        The tasks it takes part in.
    optional : bool
        Whether it is run only where it is asked for by name.
    compiles : bool
        Whether it compiles what a run needs during that run.  A full one then comes first.
    methods : mapping of str to mapping
        Parameters of ``solve`` by name, for the task ``optimum``.  An empty name stands for
        the library's usual way.
    curves : mapping of str to sequence of mapping
        For the task ``curve``: the points of each curve, from quick to slow, as parameters of
        ``solve``.
    """

    name = ""
    distribution = ""
    dtypes: tuple[str, ...] = ("float32", "float64")
    own_start = False
    tasks: tuple[str, ...] = ("iterations", *WHOLE)
    optional = False
    compiles = False
    methods: Mapping[str, Mapping[str, Any]] = {}
    curves: Mapping[str, Sequence[Mapping[str, Any]]] = {}

    def load(self, threads: int) -> str:
        """Import the library, set its threads and return its version."""
        raise NotImplementedError

    def fit(self, X: Array, centers: Array, n_iter: int) -> Fitted:
        """Run Lloyd iterations.  ``centers`` is ignored by a peer with its own start."""
        raise NotImplementedError

    def whole(self, X: Array, centers: Array, n_iter: int) -> Fitted:
        """Run at most ``n_iter`` iterations and label all rows."""
        return self.fit(X, centers, n_iter)

    @classmethod
    def refuses(cls, shape: tuple[int, int], k: int) -> str:
        """Say why a whole fit of data of this shape is not compared, if so."""
        return ""

    def seed(self, X: Array, k: int, trials: int, random_state: int) -> Array:
        """Return the centers of greedy k-means++."""
        raise NotImplementedError

    def estimator(self, **parameters: Any) -> Any:
        """Return an estimator with ``fit`` and ``predict`` for the small task."""
        raise NotImplementedError

    def minibatch(self, X: Array, k: int, batch: int, random_state: int, max_iter: int) -> Fitted:
        """Fit by mini-batches and label all rows; ``n_iter`` is the number of batches."""
        raise NotImplementedError

    def solve(self, X: Array, k: int, random_state: int, **parameters: Any) -> Array:
        """Fit from the library's own start and label all rows; return the centers."""
        raise NotImplementedError

    def first_fits(self, cell: Any, dtype: str, warm: int) -> dict[str, Any]:
        """Time the first fits of new processes."""
        raise NotImplementedError

    def e_step(self, X: Array, centers: Array) -> Any:
        """Return a function of no arguments that runs the E step alone, or None."""
        return None
