"""KMeans on a cluster: its parameters, and the methods of a fitted model."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np

from .._data.lengths import Lengths
from .._data.validation import NO_WEIGHTS, as_generator, check_fits, check_random_state
from .._estimators.kmeans import KMeans as LocalKMeans
from .._estimators.printing import PrintRuns
from .._estimators.sklearn_protocol import text_names
from .._lloyd.run import Iteration
from .._lloyd.watch import STOPPED, Label, Watch
from .._runtime.arrays import Floats
from .._runtime.errors import convergence_warning, plain
from .client import memory_limit
from .loop import NOT_COUNTED, Outcome, run
from .model import ClusterModel, table_unread
from .outputs import row_array
from .partitions import partitions_of
from .passes import Passes
from .seeding import initial_centers
from .worker import Centers, Expected, Measured, label, measure, merge_measured

HELD_SHARE = 0.4
"""Share of the workers' memory up to which a fit holds the rows: Dask spills above 0.6."""


class PrintPasses(PrintRuns):
    """Prints the iterations: whether rows moved, not how many."""

    def iteration(self, number: int, record: Iteration, centers: Floats, label: Label) -> str:
        moved = {0: "no row", NOT_COUNTED: "some rows"}.get(record.n_moved, str(record.n_moved))
        print(
            f"Iteration {number}, inertia {record.inertia:.8g}, centers moved by "
            f"{record.center_shift:.3g}, {moved} changed cluster, {record.seconds:.3g} s"
        )
        return ""


@dataclass(eq=False, repr=False)
class KMeans(ClusterModel):
    """k-means clustering of rows that lie in partitions on a Dask cluster.

    The algorithm, the rules that end it and the labels are those of ``fastkmeans.KMeans``.  Each
    iteration sends the centers to the partitions, and gets sums back; rows stay on the workers.
    Results depend on the partitions, the parameters and ``random_state``.  They have the same bits
    for any number of workers, wherever the partitions lie, and if workers die or join.

    The client is the one that is active: ``client = dask.distributed.Client(...)`` makes it so.

    Parameters
    ----------
    n_clusters : int, default=8
        The number of clusters.
    init : {"k-means++", "random", "auto"}, array-like or callable, default="k-means++"
        Initial centers.  ``"k-means++"`` takes a sample of 65536 rows, or 256 per cluster if those
        are more: k-means|| draws candidates, and greedy k-means++ chooses among them.  A smaller
        table is seeded as on one machine.  ``"auto"`` does the same.  ``"random"`` takes distinct
        rows.  Or an array of shape ``(n_clusters, n_features)``, or
        ``init(sample, n_clusters, random_state)`` with a sample.
    n_init : "auto" or int, default="auto"
        Number of runs from different initial centers.  ``"auto"`` means 10 for ``"random"`` and
        callables, 1 for ``"k-means++"``, ``"auto"`` and arrays.
    max_iter : int, default=300
        Most iterations of one run.
    tol : float, default=1e-4
        A run stops when the squared shift of the centers is at most ``tol`` times the mean variance
        of the features.  It always stops when no row changes its cluster.
    verbose : int, default=0
        Print the inertia, the shift of the centers and the time per iteration.
    random_state : None, int, RandomState or Generator, default=None
        Source of the draws of the initialisation.
    n_threads : int or None, default=1
        Most threads that a task uses.  Dask runs several tasks per worker by itself; None takes
        all processors for each task.
    callback : callable, optional
        ``callback(iteration, run)``, as for ``fastkmeans.KMeans``.  ``run.labels`` is a dask array.
        ``run.n_moved`` is the number of rows in the first iteration, 0 if no row changed its
        cluster, else -1: nobody counted them.
    metric : {"euclidean", "cosine"}, default="euclidean"
        What a cluster is, as for ``fastkmeans.KMeans``.
    persist : bool, optional
        Whether the fit holds the rows on the workers while it lasts.  True: yes, and what exceeds
        their memory goes to their disks.  False: they are computed again in every iteration, such
        as read from files.  By default it holds them if they take at most 40 % of the memory limit
        of the workers.  Rows that you have persisted stay where they are.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features), float64
        The centers.  By cosine they have length 1.
    labels_ : dask array of shape (n_samples,), int32
        The closest center of each row, computed when asked for, from the rows as they are then.
    cluster_sizes_ : ndarray of shape (n_clusters,), int64
        The number of rows of each cluster that have a positive weight.
    inertia_ : float
        Weighted sum of squared distances to the closest center.
    n_iter_ : int
        Iterations of the best run.
    converged_ : bool
        Whether the best run stopped for another reason than ``max_iter`` or a callback.
    stop_reason_ : str
        Why it stopped, in words; or that a callback ended the fit.
    history_ : list of Iteration
        For each iteration ``inertia`` (before the centers move), ``center_shift``, ``n_moved`` (see
        ``callback``), ``seconds`` and ``avoided``, which is 0.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if the rows come from data frames and all names are text.

    Raises
    ------
    ValueError, TypeError
        From the methods, for input that cannot be clustered.  The message names the partition, and
        the row and column in it.
    RuntimeError
        If no client is active, or the cluster lost rows that it cannot compute again.
    MissingExtra
        An ``ImportError``, if Dask is not installed.

    See Also
    --------
    fastkmeans.KMeans : On one machine.
    fastkmeans.partial_statistics : The same loop on any other engine.

    Examples
    --------
    >>> import dask.array as da
    >>> from dask.distributed import Client
    >>> from fastkmeans.dask import KMeans
    >>> client = Client(processes=False)  # doctest: +SKIP
    >>> X = da.random.random((100_000, 4), chunks=(10_000, 4))
    >>> model = KMeans(n_clusters=3, random_state=0).fit(X)  # doctest: +SKIP
    >>> model.labels_.compute()  # doctest: +SKIP
    """

    _: KW_ONLY
    n_threads: int | None = 1
    persist: bool | None = None

    _RANDOM_RUNS = 10
    _stored = LocalKMeans._stored
    _stored_too = LocalKMeans._stored_too

    def _check_parameters(self) -> tuple[int, int]:
        check_random_state(self.random_state)
        if self.persist is not None and not isinstance(self.persist, bool | np.bool_):
            raise ValueError(f"persist must be None, True or False, got {plain(self.persist)}.")
        return self._check_common()

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Cluster the rows of ``X``.

        Parameters
        ----------
        X : dask array, dask dataframe, list of delayed or futures, or path
            The rows, in partitions.  A dask array may have unknown chunk sizes.  Delayed objects
            and futures give one array, data frame or sparse matrix each.  A path, or a list of
            paths, means Parquet files, of which numeric columns are read.
        y : None
            Ignored.
        sample_weight : dask array, dask series, or list of delayed or futures, optional
            Weight of each row, in partitions like those of ``X``.  For an array with known chunk
            sizes, a NumPy array will do.

        Returns
        -------
        KMeans
            The fitted estimator.
        """
        return self._watched(
            lambda watch: self._fit(X, sample_weight, watch), PrintPasses(), X, y, sample_weight
        )

    def _fit(self, X: Any, sample_weight: Any, watch: Watch) -> Self:
        k, n_runs = self._check_parameters()
        with Passes(partitions_of(X, sample_weight)) as passes:
            measured = self._measured(passes)
            check_fits(k, sum(measured.n_rows))
            if not any(measured.weights):
                raise ValueError(
                    "sample_weight is zero for every row; at least one must be positive."
                )
            n_rows, expected = sum(measured.n_rows), Expected(measured.names, measured.n_features)
            table = table_unread(n_rows, measured.n_features, measured.dtype, measured.names)
            text_names(table)  # an error after the fit would come late
            watch.fit_begins(table, n_runs, 1.0)
            best = self._best_run(passes, measured, expected, n_runs, watch)
        self._learn_features(table)
        self._keep(best)
        if self._by_cosine:
            self._note_zeros(Lengths(NO_WEIGHTS, measured.n_zero, 0.0))
        self._n_init = n_runs
        return self

    def _measured(self, passes: Passes) -> Measured:
        """Check and measure the partitions; hold them for the fit if that is wanted."""
        partitions = passes.partitions
        expected = Expected(partitions.names, partitions.n_features)
        known = float(np.sum(partitions.sizes)) * (partitions.n_features or np.nan)
        hold, limit = self.persist, memory_limit(passes.client)
        if hold is None and partitions.dtype is not None and not np.isnan(known):
            hold = known * partitions.dtype.itemsize <= HELD_SHARE * limit
        if hold:
            passes.hold()
        measured: Measured = passes.reduce("measure", measure, merge_measured, expected)
        if hold is None and measured.n_bytes <= HELD_SHARE * limit:
            passes.hold()
        return measured

    def _best_run(
        self, passes: Passes, measured: Measured, expected: Expected, n_runs: int, watch: Watch
    ) -> Outcome:
        """Return the run of lowest inertia, the first of several equal ones."""
        draws = isinstance(self.init, str) or callable(self.init)
        rng = as_generator(self.random_state) if draws else None
        best: Outcome | None = None

        def labels(of: Floats) -> Any:
            own = Centers(of.copy(), expected, self.metric, self.n_threads)
            parts, sizes = passes.partitions, measured.n_rows
            return row_array("labels", label, parts, own, np.int32, sizes=sizes)

        for number in range(n_runs):
            watch.run_begins(number, n_runs)
            centers = initial_centers(passes, measured, expected, self, rng)
            watch.seeded()
            shared = Centers(centers, expected, self.metric, self.n_threads)
            ended = run(passes, shared, self.max_iter, self.tol, watch, labels)
            over = watch.run_ends(ended)
            if best is None or ended.inertia < best.inertia:
                best = ended
            if over:
                return best._replace(converged=False, stop_reason=STOPPED)
        assert best is not None
        return best

    def _keep(self, best: Outcome) -> None:
        self.cluster_centers_ = best.centers
        self.labels_ = best.labels
        self.cluster_sizes_ = best.sizes
        self.inertia_ = best.inertia
        self.n_iter_ = best.n_iter
        self.converged_ = best.converged
        self.stop_reason_ = best.stop_reason
        self.history_ = best.history
        n_found = int(np.count_nonzero(best.sizes))
        if n_found < self.n_clusters:
            convergence_warning(
                f"Number of distinct clusters ({n_found}) found smaller than n_clusters "
                f"({self.n_clusters}). Possibly due to duplicate points in X."
            )
