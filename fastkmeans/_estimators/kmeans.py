"""KMeans: its parameters and its runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from .._data.problem import naming, open_problem
from .._data.room import check_room
from .._data.rows import Rows, sizes_of
from .._data.tables import Table
from .._data.validation import (
    as_generator,
    check_count,
    check_fits,
    check_random_state,
    check_switch,
    refuse_by_cosine,
    weights_of,
)
from .._engines.auto import ALGORITHMS, beyond_limit
from .._engines.base import work_of
from .._lloyd.loop import CUT_SHORT, finish
from .._lloyd.run import Outcome, Resumed, Workspace
from .._lloyd.watch import STOPPED, Watch
from .._optimum.fit import has_optimum, optimum
from .._runtime.errors import convergence_warning, plain, warn
from .._search.moves import refuse_check, single_move_optimal
from .._search.swaps import AUTO, Limits, Search, limits_of, refuse_search, search_from
from .._seeding.initial import initial_centers, name_of_start
from .clusterer import Clusterer
from .inputs import as_table
from .printing import PrintRuns

if TYPE_CHECKING:
    from .._lloyd.checkpoint import Checkpoint


THEIRS = {"elkan": "auto", "full": "lloyd"}
"""scikit-learn's names of algorithms, and what they mean here."""


@dataclass(eq=False, repr=False)
class KMeans(Clusterer):
    """k-means clustering by Lloyd's algorithm, exact and deterministic.

    An iteration assigns each row to its closest center, and moves each center to the mean of its
    rows.  The fit keeps the run of lowest inertia.  Labels equal those of a float64 computation by
    differences, also for float32 input; ties go to the lowest index.  Results do not depend on
    the number of threads or the memory layout of ``X``.  Only a local search copies rows.

    Parameters
    ----------
    n_clusters : int, default=8
        The number of clusters.
    init : {"k-means++", "random", "auto"}, array-like or callable, default="k-means++"
        Initial centers: greedy k-means++; distinct random rows; an array of shape
        ``(n_clusters, n_features)``; or ``init(X, n_clusters, random_state)``.  ``"auto"`` takes
        less time than k-means++ on large tables and with many clusters: see ``init_``.
    n_init : "auto" or int, default="auto"
        Number of runs from different initial centers.  ``"auto"`` means 10 for ``"random"`` and
        callables, 1 for ``"k-means++"``, ``"auto"`` and arrays.
    early_stop : bool, default=False
        Whether runs after the first one end early if they look hopeless.  A run is looked at after
        8, 12, 18, 27, ... iterations.  It ends if it would stay above the lowest inertia so far,
        even if it gained once more what it gained in the second half of its iterations.  This saves
        about a third of the iterations, and can miss the best run.  The run that is kept always ran
        to its end.  ``callback`` and ``verbose`` see all runs.
    max_iter : int, default=300
        Most iterations of one run.
    tol : float, default=1e-4
        A run stops when the squared shift of the centers is at most ``tol`` times the mean variance
        of the features.  It always stops when no row changes its cluster.
    verbose : int, default=0
        Print the inertia, the shift of the centers and the number of moved rows per iteration.
    random_state : None, int, RandomState or Generator, default=None
        Source of the draws of the initialisation and of the local search.
    copy_x : bool, default=True
        Accepted for compatibility: ``X`` is never changed.  A local search copies it.
    algorithm : {"auto", "lloyd", "boxes", "bytes", "elkan", "full"}, default="auto"
        How labels are found; all give the same labels.  ``"lloyd"`` compares every row with every
        center.  ``"boxes"`` sorts the rows in space once, and labels boxes of neighbouring rows
        together (up to about four features).  ``"bytes"`` rules centers out by bounds on distances
        and by scores in small integers (many features).  ``"auto"`` chooses by the shape of ``X``,
        and returns to ``"lloyd"`` if pruning does not pay.  scikit-learn's names mean ours:
        ``"elkan"`` is ``"auto"``, ``"full"`` is ``"lloyd"``.  Sparse rows have one engine of their
        own, for any ``algorithm``.  For one feature see Notes.
    metric : {"euclidean", "cosine"}, default="euclidean"
        What a cluster is.  ``"cosine"``: spherical k-means.  Rows count with length 1, and a row
        goes to the center of largest cosine.  A center is the mean of its rows brought back to
        length 1; if the mean has length 0, the center stays.  A row of length 0 has cosine 0 to all
        centers: it gets label 0 and moves no center, and a warning counts such rows.
    local_search : "auto" or int, default="auto"
        Tries of a local search after the best run; 0 is none.  A try draws six rows as k-means++
        does, gives one of them the place of a center where this costs least, and iterates the
        clusters around both.  It is kept if the inertia falls.  A run from the centers found
        follows, so labels and inertia are exact, and the inertia is never higher.  A run that
        ``max_iter`` or a callback ended is not searched.  For dense rows and the Euclidean metric;
        it takes a copy of the rows.  ``"auto"`` means up to 3 tries for each center, 500 at most,
        if ``init`` is a name, the table is in memory, and the search takes no more than 64 MB.
        Else it means 0.  A search by ``"auto"`` ends once it has done about as many multiplications
        as the run before it; 2^26 are always allowed, 2^33 at most.
    end_check : bool, default=False
        Whether to find out, after the fit, if a move of one row to another cluster would lower the
        inertia: ``single_move_optimal_``.  It moves nothing.  It costs less than one iteration of
        ``"lloyd"`` as a rule, since the first move found ends it; 3.4 were the most measured.  For
        dense rows and the Euclidean metric.
    n_threads : int, optional
        Most threads to use; by default those of numba, within the CPU affinity and the quota of
        the container.
    callback : callable, optional
        ``callback(iteration, run)`` is called after each iteration, with its number from 1.  If it
        returns True, the fit ends; labels and inertia then belong to the centers.  ``run`` has
        ``inertia`` (before the centers moved), ``center_shift``, ``n_moved``, ``seconds`` and
        ``avoided``; ``centers``, a copy; ``labels``, the closest of them for each row, by one more
        pass; ``run`` and ``n_runs``, the number of the run.  An error in it ends the fit.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features), float64
        The centers, in float64 for any dtype of ``X``: ``labels_`` might not fit rounded centers.
        By cosine they have length 1.
    labels_ : ndarray of shape (n_samples,), int32
        The closest center of each row.
    cluster_sizes_ : ndarray of shape (n_clusters,), int64
        The number of rows of each cluster, whatever their weights.
    inertia_ : float
        Weighted sum of squared distances to the closest center, computed from differences.  By
        cosine the rows have length 1: a distance squared is ``2 (1 - cos)``.
    init_ : str or None
        How the initial centers were found: ``"k-means++"``, ``"random"``, ``"array"``,
        ``"callable"``, or what ``init="auto"`` chose by the numbers of rows, features and clusters:
        ``"k-means++"``; ``"cells"``, k-means++ within groups of rows, then among what it chose;
        ``"sample"``, k-means++ on a sample, then Lloyd's algorithm on a sample that grows; or
        ``"cells of a sample"``.  None if the optimum of one feature needed no start.
    n_iter_ : int
        Iterations of the best run.
    converged_ : bool
        Whether the best run stopped for another reason than ``max_iter`` or a callback.
    stop_reason_ : str
        Why it stopped, in words; or that a callback ended the fit, in whichever run.
    history_ : list of Iteration
        For each iteration ``inertia`` (before the centers move), ``center_shift``, ``n_moved``,
        ``seconds`` and ``avoided``: the share of the distances that were not computed.  It is that
        of the run, like ``n_iter_``, whatever a local search did after it.
    search_ : Search or None
        What the local search did: ``tries``, swaps ``kept``, ``iterations`` after the swaps,
        ``n_distances``, ``seconds``, ``gain`` of inertia, and ``reason``, why it ended.  None if
        there was none.
    single_move_optimal_ : bool or None
        Whether no move of one row to another cluster lowers the inertia, when both means follow
        (Hartigan's criterion); gains within the rounding of float64 do not count.  It is about the
        clusters of ``labels_`` and the means of their rows.  The only row of a cluster does not
        move.  None without ``end_check``.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if all names in ``X`` are text.
    preparation_ : Preparation or None
        How the rows of a file were standardised: after a fit to a standardised dataset, and in
        models of the command line.  ``cluster_centers_`` belong to standardised rows.
        ``predict``, ``transform`` and ``score`` take ``X`` in the units of the file and
        standardise it in the same way; a standardised dataset stays as it is.

    Raises
    ------
    ValueError, TypeError
        From the methods, for input that cannot be clustered.  The message names the argument, the
        first offending row and column, and what to do.

    See Also
    --------
    k_means : The same as a function.

    Notes
    -----
    With one feature, ``fit`` finds the global optimum: the clusters are runs of the sorted values.
    It does so if ``algorithm`` is ``"auto"``, ``init`` a name, the metric Euclidean, the table
    dense and in memory, and there are at most 2^22 rows and 128 clusters.  Equal values count as
    one, with the sum of their weights.  The centers rise, ``n_iter_`` is 1, and ``stop_reason_``
    says that this is the optimum.  ``n_init``, ``max_iter``, ``tol``, ``random_state``,
    ``local_search`` and ``early_stop`` then change nothing.  Other fits of one feature run Lloyd's
    algorithm.

    References
    ----------
    Lloyd (1982), "Least squares quantization in PCM", IEEE Transactions on Information Theory
    28(2).  Arthur and Vassilvitskii (2007), "k-means++: The Advantages of Careful Seeding", SODA.
    Dhillon and Modha (2001), "Concept decompositions for large sparse text data using clustering",
    Machine Learning 42.  Groenlund et al. (2017), "Fast Exact k-Means, k-Medians and Bregman
    Divergence Clustering in 1D", arXiv 1701.07204.  Kanungo and others (2004), "A local search
    approximation algorithm for k-means clustering", Computational Geometry 28.  Hartigan (1975),
    "Clustering Algorithms".  Telgarsky and Vattani (2010), "Hartigan's Method: k-means Clustering
    without Voronoi", AISTATS.

    Examples
    --------
    >>> import numpy as np
    >>> from fastkmeans import KMeans
    >>> X = np.array([[1.0, 2.0], [1.0, 4.0], [10.0, 2.0], [10.0, 4.0]])
    >>> model = KMeans(n_clusters=2, random_state=0).fit(X)
    >>> sorted(model.cluster_centers_.tolist())
    [[1.0, 3.0], [10.0, 3.0]]
    """

    _: KW_ONLY
    copy_x: bool = True
    algorithm: str = "auto"
    local_search: str | int = AUTO
    end_check: bool = False
    early_stop: bool = False

    _RANDOM_RUNS = 10
    _stored = (
        "cluster_centers_", "inertia_", "n_iter_", "converged_", "stop_reason_", "history_",
        "n_features_in_",
    )  # fmt: skip
    _stored_too = ("cluster_sizes_", "search_", "single_move_optimal_", "init_")

    def _check_parameters(self) -> tuple[int, int]:
        """Check the parameters; return the number of clusters and of runs."""
        check_switch(self.copy_x, "copy_x")
        check_random_state(self.random_state)
        if not isinstance(self.algorithm, str) or self.algorithm not in (*ALGORITHMS, *THEIRS):
            names = ", ".join(map(repr, (*ALGORITHMS, *THEIRS)))
            raise ValueError(f"algorithm must be one of {names}, got {plain(self.algorithm)}.")
        if not isinstance(self.local_search, str):
            check_count(self.local_search, "local_search", low=0, other="'auto' or ")
        elif self.local_search != AUTO:
            raise ValueError(
                f"local_search must be 'auto' or an integer, got {plain(self.local_search)}."
            )
        check_switch(self.end_check, "end_check")
        check_switch(self.early_stop, "early_stop")
        k, n_runs = self._check_common()
        if k == 1 and self.algorithm == "elkan":
            warn(
                "algorithm='elkan' doesn't make sense for a single cluster. Using 'lloyd' instead.",
                RuntimeWarning,
            )
        return k, n_runs

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Cluster the rows of ``X``.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            A NumPy array of any numeric dtype and layout, a nested list, or a table of pandas,
            polars or pyarrow: float32 and float64 are read in place.  A sparse matrix or array of
            SciPy: it never becomes dense, and CSR is read in place if its columns rise and do not
            repeat.  Or a table in files: a dataset of ``open_dataset``, or a path, list of paths or
            iterator over arrays, which are parsed into temporary files first.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), optional
            Weight of each row: 2 counts as the row twice, 0 as the row absent.  A dataset with a
            column of weights has its own: other weights are a ``ValueError``.

        Returns
        -------
        KMeans
            The fitted estimator.
        """
        return self._watched(
            lambda watch: self._fit(as_table(X), X, sample_weight, watch, None),
            PrintRuns(), X, y, sample_weight,
        )  # fmt: skip

    def _fit(
        self, table: Table, X: Any, sample_weight: Any, watch: Watch, checkpoint: Checkpoint | None
    ) -> Self:
        """Fit; notify ``watch``, use a checkpoint if given, pass ``X`` to a callable ``init``."""
        k, n_runs = self._check_parameters()
        rows = table.rows
        refuse_by_cosine(self.metric, table)
        weights = weights_of(table, sample_weight)
        check_fits(k, rows.shape[0])
        check_room(rows, k)
        limits = self._search_limits(rows, k)
        if self.end_check:
            refuse_check(rows, self._by_cosine)
        algorithm = THEIRS.get(self.algorithm, self.algorithm)
        if takes := beyond_limit(algorithm, rows):
            raise ValueError(
                f"algorithm={self.algorithm!r} takes {takes}, the memory_limit of the dataset: "
                "use algorithm='auto', which keeps within it, or allow more."
            )
        work = work_of(rows.shape, k)
        opened = open_problem(rows, weights.values, self.n_threads, work, self._by_cosine)
        with naming(table), opened as problem:
            is_line = has_optimum(self.init, self.algorithm, problem, k) and checkpoint is None
            n_runs = 1 if is_line else n_runs
            watch.fit_begins(table, n_runs, weights.unit)
            search, start = None, None
            if is_line:
                best = optimum(problem, k, watch)
            else:
                start = name_of_start(self.init, problem, k)
                if isinstance(self.init, str) and self.init == "auto":
                    watch.start_chosen(start)
                workspace = Workspace(problem, k, algorithm)
                best, rng = self._best_run(X, workspace, n_runs, watch, checkpoint)
                if limits is not None and best.stop_reason not in CUT_SHORT:
                    assert rng is not None
                    best, search = search_from(
                        workspace, best, limits, rng, self.max_iter, self.tol, watch
                    )
                    watch.searched(best.inertia, search)
            best = watch.kept(problem, best)
            is_best = single_move_optimal(problem, best) if self.end_check else None
        self._learn_features(table)
        self._keep(best, weights.unit, search)
        self.single_move_optimal_ = is_best
        self.init_ = start
        self._note_zeros(problem.lengths)
        self._n_init = n_runs
        if best.n_found < k:
            convergence_warning(
                f"Number of distinct clusters ({best.n_found}) found smaller than n_clusters "
                f"({k}). Possibly due to duplicate points in X."
            )
        return self

    def _search_limits(self, rows: Rows, n_clusters: int) -> Limits | None:
        """Return when the local search ends, None if there is none; refuse what it cannot do."""
        if self.local_search != AUTO:
            if self.local_search:
                refuse_search(rows, self._by_cosine)
        elif self._by_cosine:
            return None
        return limits_of(self.local_search, self.init, rows, n_clusters)

    def _best_run(
        self, X: Any, workspace: Workspace, n_runs: int, watch: Watch, checkpoint: Checkpoint | None
    ) -> tuple[Outcome, np.random.Generator | None]:
        """Return the run of lowest inertia, the first of several equal ones, and the generator."""
        draws = isinstance(self.init, str) or callable(self.init)
        draws |= self.local_search not in (0, AUTO)
        rng = as_generator(self.random_state) if draws or checkpoint is not None else None
        first, run, history, best = Resumed(0, None, [], None)
        save: Callable[..., None] | None = None
        if checkpoint is not None:
            assert rng is not None
            first, run, history, best = checkpoint.restore(workspace, rng, self.max_iter)
            save = partial(checkpoint.save, rng)
        for number in range(first, n_runs):
            watch.run_begins(number, n_runs)
            if run is None:
                centers = initial_centers(
                    self.init, X, workspace.problem, workspace.n_clusters, rng
                )
                watch.seeded()
                run, history = workspace.begin(centers, self.max_iter), []
                if save is not None:
                    save(number, best, run, history)
            pause = None if save is None else partial(save, number, best, run)
            least = best.inertia if self.early_stop and best is not None else np.inf
            ended = finish(run, history, self.max_iter, self.tol, watch, pause, least)
            over = watch.run_ends(ended)
            if best is None or ended.inertia < best.inertia:
                best = ended
            run = None
            if over:
                return best._replace(converged=False, stop_reason=STOPPED), rng
            if save is not None:
                save(number + 1, best, None, [])
        assert best is not None
        return best, rng

    def _keep(self, run: Outcome, unit: float, search: Search | None = None) -> None:
        self.cluster_centers_ = run.centers
        self.labels_ = run.labels
        self.cluster_sizes_ = sizes_of(run.labels, len(run.centers))
        self.inertia_ = run.inertia * unit
        self.n_iter_ = run.n_iter
        self.converged_ = run.converged
        self.stop_reason_ = run.stop_reason
        self.history_ = run.history
        self.search_ = search
        if unit != 1.0:
            self.history_ = [step._replace(inertia=step.inertia * unit) for step in run.history]
            self.search_ = search and search._replace(gain=search.gain * unit)
