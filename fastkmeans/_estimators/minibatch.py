"""MiniBatchKMeans: centers from batches of rows, in one fit or batch by batch."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np

from .._data.problem import naming
from .._data.room import check_room
from .._data.rows import sizes_of
from .._data.validation import (
    as_generator,
    check_count,
    check_fits,
    check_switch,
    check_tolerance,
    refuse_by_cosine,
    weights_of,
)
from .._lloyd.loop import CUT_SHORT
from .._lloyd.watch import Watch
from .._minibatch.fit import first_size, label, run, step
from .._minibatch.step import Course, Means, Plan
from .._runtime.adding import total_of
from .._runtime.errors import convergence_warning, plain
from .clusterer import Clusterer
from .inputs import as_table
from .printing import PrintBatches
from .routing import UNCHANGED

SCHEDULES = ("nested", "random")


@dataclass(eq=False, repr=False)
class MiniBatchKMeans(Clusterer):
    """k-means clustering by mini-batches: a fraction of the time, almost the same inertia.

    ``fit`` reads enough rows to place the centers, and then every row once for its label.
    ``partial_fit`` learns from one batch at a time.  Results do not depend on the number of threads
    or the memory layout of ``X``.  At most 64 MB of ``X`` are copied at a time.

    Parameters
    ----------
    n_clusters : int, default=8
        The number of clusters.
    init : {"k-means++", "random", "auto"}, array-like or callable, default="k-means++"
        Initial centers: greedy k-means++ or distinct random rows, both from a sample of
        ``init_size`` rows; on that sample, what ``"auto"`` chooses for ``KMeans``; an array of
        shape ``(n_clusters, n_features)``; or ``init(sample, n_clusters, random_state)``.
    max_iter : int, default=100
        A fit stops before it reads more than ``max_iter`` times the number of rows.
    batch_size : int, default=1024
        Rows of a random batch.  Nested batches begin with the sample of ``init_size``.
    verbose : int, default=0
        Print size, inertia and shift of the centers for each batch.
    compute_labels : bool, default=True
        Whether to label all rows in the end.  If not, ``fit`` does not read the rows outside the
        batches, and does not check them for NaN.
    random_state : None, int, RandomState or Generator, default=None
        Source of all draws.
    tol : float, default=0.0
        Stop when the squared shift of the centers in a step is at most ``tol`` times the mean
        variance of the features (in the batch of full size, or the first sample).
    max_no_improvement : int or None, default=10
        Random batches: stop after this number of steps without a new minimum of the smoothed
        inertia.  Nested batches: stop, at full size, when this number of steps like the last one
        would gain less than 2 % of the inertia.  None: never; nested batches then grow to all
        rows, and end as ``KMeans`` does.
    init_size : int, optional
        Rows of the sample for the initialisation.  Default for random batches: 3 batches, or
        ``3 * n_clusters`` rows if a sample of 3 batches is smaller.  Default for nested batches: 1
        to 16 batches, by the size of ``X``, and at least 5 rows per cluster.
    n_init : "auto" or int, default="auto"
        Number of initialisations; the one of lowest inertia on the sample is used.  ``"auto"``: 3
        for ``"random"`` and callables, else 1.
    reassignment_ratio : float, default=0.01
        Random batches: now and then, clusters below this share of the largest weight move to random
        rows of the batch.  Nested batches: a cluster without rows takes the farthest row, as in
        ``KMeans``.
    schedule : {"nested", "random"}, default="nested"
        The batches of ``fit``.  ``"nested"``: Lloyd's algorithm on a first sample until the centers
        move less than their sampling error; then on up to 8 times as many rows, which include the
        old ones; up to 2048 rows per cluster.  ``"random"``: scikit-learn's batches of one size,
        drawn with replacement.  Nested batches are the default: they reach a lower inertia in less
        time, by a few passes over a sample instead of a thousand draws.
    metric : {"euclidean", "cosine"}, default="euclidean"
        As for ``KMeans``.  By cosine a center is the mean, brought to length 1, of all rows that
        were ever assigned to it.
    n_threads : int, optional
        Most threads to use; by default those of numba, within the CPU affinity and the quota of
        the container.
    callback : callable, optional
        ``callback(iteration, run)`` is called after each batch of ``fit``, with its number from 1;
        not in ``partial_fit``.  If it returns True, the fit ends.  ``run`` has ``n_rows`` of the
        batch, ``inertia`` (its mean before the centers moved), ``center_shift``, ``seconds`` and
        ``avoided``; ``centers``, a copy; ``labels``, the closest of them for each row of ``X``, by
        one pass over all rows.  An error in it ends the fit.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features), float64
        The centers.
    labels_ : ndarray of shape (n_samples,), int32
        The closest center of each row of ``fit``, or of the last batch of ``partial_fit``; only
        with ``compute_labels``.
    cluster_sizes_ : ndarray of shape (n_clusters,), int64
        The number of rows of each cluster in ``labels_``; there as long as ``labels_`` is.
    inertia_ : float
        Weighted sum of squared distances of these rows to the closest center.  Without
        ``compute_labels``, ``fit`` estimates it from its batches.
    n_iter_ : int
        Rows read in the batches of ``fit``, divided by the rows of ``X``, rounded up.
    n_steps_ : int
        Number of batches so far.
    converged_, stop_reason_ : bool, str
        Whether ``fit`` stopped for another reason than ``max_iter`` or a callback, and the
        reason.
    history_ : list of BatchStep
        For each step of ``fit`` ``n_rows``, ``inertia`` (the mean over the batch, before the
        centers move), ``center_shift``, ``seconds`` and ``avoided``: the share of the distances
        that were not computed.
    n_features_in_, feature_names_in_ : int, ndarray of shape (n_features,)
        Number of features, and their names if all are text.

    Raises
    ------
    ValueError, TypeError
        From the methods, for input that cannot be clustered.  A refused batch leaves the model as
        it was.

    Notes
    -----
    For nested batches, ``X`` is cut into as many equal parts as the first sample has rows.  A batch
    holds some neighbouring rows from each part, and more of them as it grows.  So a memory map is
    read only where the batch lies, and all rows are equally likely.  If neighbours resemble each
    other, as in a time series, a batch is worth fewer rows than it has, but at least the first
    sample: then choose a larger ``init_size`` or random batches.

    References
    ----------
    Sculley (2010), "Web-scale k-means clustering", WWW.  Newling and Fleuret (2016), "Nested
    Mini-Batch K-Means", NIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from fastkmeans import MiniBatchKMeans
    >>> X = np.array([[1.0, 2.0], [1.0, 4.0], [10.0, 2.0], [10.0, 4.0]])
    >>> model = MiniBatchKMeans(n_clusters=2, random_state=0).fit(X)
    >>> sorted(model.cluster_centers_.tolist())
    [[1.0, 3.0], [10.0, 3.0]]
    >>> sorted(model.partial_fit([[1.0, 3.0], [10.0, 6.0]]).cluster_centers_.tolist())
    [[1.0, 3.0], [10.0, 4.0]]
    """

    _: KW_ONLY
    max_iter: int = 100
    batch_size: int = 1024
    compute_labels: bool = True
    tol: float = 0.0
    max_no_improvement: int | None = 10
    init_size: int | None = None
    reassignment_ratio: float = 0.01
    schedule: str = "nested"

    _RANDOM_RUNS = 3
    _COUNT = "n_steps_"
    _stored = (
        "cluster_centers_", "n_features_in_", "n_steps_", "_mean_weights", "_mean_unit",
        "_mean_since",
    )  # fmt: skip
    _stored_too = (
        "cluster_sizes_", "inertia_", "n_iter_", "converged_", "stop_reason_", "_mean_lengths",
    )  # fmt: skip

    def _plan(self, starts: bool = True) -> Plan:
        """Check the parameters and return them; ``starts``: initial centers are needed."""
        check_count(self.batch_size, "batch_size")
        check_switch(self.compute_labels, "compute_labels")
        if self.max_no_improvement is not None:
            check_count(self.max_no_improvement, "max_no_improvement", low=0)
        if self.init_size is not None:
            check_count(self.init_size, "init_size")
        check_tolerance(self.reassignment_ratio, "reassignment_ratio")
        if not isinstance(self.schedule, str) or self.schedule not in SCHEDULES:
            names = " or ".join(map(repr, SCHEDULES))
            raise ValueError(f"schedule must be {names}, got {plain(self.schedule)}.")
        k, n_init = self._check_common(starts)
        return Plan(
            k, self.init, n_init, self.init_size, int(self.batch_size), self.schedule,
            int(self.max_iter), float(self.tol), self.max_no_improvement,
            float(self.reassignment_ratio), bool(self.compute_labels), self.n_threads,
            bool(self.verbose), self._by_cosine, Watch(),
        )  # fmt: skip

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Cluster the rows of ``X`` by batches.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            As in ``KMeans.fit``: an array (a memory map may be larger than memory), a data frame,
            a sparse matrix or a table in files.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), optional
            Weight of each row; rows of weight 0 are in no batch.

        Returns
        -------
        MiniBatchKMeans
            The fitted estimator.
        """
        return self._watched(
            lambda watch: self._fit(X, sample_weight, watch), PrintBatches(), X, y, sample_weight
        )

    def _fit(self, X: Any, sample_weight: Any, watch: Watch) -> Self:
        """Fit, and notify ``watch``."""
        plan = self._plan()._replace(watch=watch)
        k = plan.n_clusters
        table = as_table(X)
        rows = table.rows
        refuse_by_cosine(self.metric, table)
        weights = weights_of(table, sample_weight)
        check_fits(k, rows.shape[0])
        check_room(rows, k)
        rng = as_generator(self.random_state)
        size = first_size(plan, rows.shape[0])
        watch.fit_begins(table, 1, 1.0)  # the inertia of a batch is a mean, without a unit
        watch.run_begins(0, 1)
        with naming(table):
            course = run(plan, rows, weights, size, rng)
            labelled = course.labelled
            if plan.compute_labels and labelled is None:
                labelled = label(plan, rows, weights.values, course.means.centers)
        self._learn_features(table)
        self._keep(course, rows.shape[0], rng)
        self._n_init, self._init_size = plan.n_init, size
        watch.run_ends(course)
        if labelled is None:
            weight = total_of(weights.values) if weights.values.size else rows.shape[0]
            self.inertia_ = course.inertia * weight * weights.unit
            for name in ("labels_", "cluster_sizes_"):  # from an earlier fit
                self.__dict__.pop(name, None)
            return self
        self.cluster_centers_, self.labels_, inertia, lengths = labelled
        self.cluster_sizes_ = sizes_of(self.labels_, k)
        self.inertia_ = inertia * weights.unit
        self._note_zeros(lengths)
        n_found = int(np.count_nonzero(self.cluster_sizes_))
        if n_found < k:
            convergence_warning(
                f"Only {n_found} of the {k} clusters have rows. Possibly due to duplicate points "
                "in X, or to batches that are too small."
            )
        return self

    def _most_steps(self, n_samples: int) -> int | None:
        if self.schedule == "nested":
            return None
        return max(1, self.max_iter * n_samples // min(self.batch_size, n_samples))

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn from one batch; the first one gives the initial centers.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            The rows of the batch, as in ``fit``.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), optional
            Weight of each row.

        Returns
        -------
        MiniBatchKMeans
            The estimator.  Each center is the mean of all rows that were closest to it when they
            came.  After ``fit``, the rows of its last nested batch count too.
        """
        new = not hasattr(self, "cluster_centers_")
        plan = self._plan(starts=new)
        k = plan.n_clusters
        table = as_table(X) if new else self._table_like_fit(X)
        refuse_by_cosine(self.metric, table)
        if not new and self._by_cosine != hasattr(self, "_mean_lengths"):
            raise ValueError(
                f"metric is {self.metric!r}, but the model learned by another one; fit again to "
                "change it."
            )
        weights = weights_of(table, sample_weight)
        if new:
            check_fits(k, table.rows.shape[0])
            check_room(table.rows, k)
        elif k != len(self.cluster_centers_):
            raise ValueError(
                f"n_clusters is {k}, but the model has {len(self.cluster_centers_)} centers; "
                "fit again to change their number."
            )
        means = None
        if not new:
            own = self._mean_weights, self._mean_unit, self._mean_since
            means = Means(self.cluster_centers_, *own, getattr(self, "_mean_lengths", None))
        source = getattr(self, "_generator", self.random_state)  # a loaded model has none
        with naming(table):
            means, labelled, rng = step(plan, table.rows, weights, means, source)
        if new:
            self._learn_features(table)
            self._n_init = plan.n_init
        self._remember(means, rng)
        if labelled is not None:
            self.labels_, self.inertia_ = labelled.labels, labelled.inertia * weights.unit
            self.cluster_sizes_ = sizes_of(self.labels_, k)
            self._note_zeros(labelled.lengths)
        self.n_steps_: int = 1 if new else self.n_steps_ + 1
        return self

    def set_partial_fit_request(self, *, sample_weight: bool | str | None = UNCHANGED) -> Self:
        """Choose whether ``partial_fit`` asks a meta-estimator for weights.

        Parameters
        ----------
        sample_weight : bool, str or None
            As in ``set_fit_request``.
        """
        return self._request("partial_fit", sample_weight)

    def _remember(self, means: Means, rng: np.random.Generator) -> None:
        self.cluster_centers_, self._mean_weights, self._mean_unit, self._mean_since, _ = means
        self.__dict__.pop("_mean_lengths", None)
        if means.lengths is not None:
            self._mean_lengths = means.lengths
        self._generator = rng

    def _keep(self, course: Course, n_samples: int, rng: np.random.Generator) -> None:
        self._remember(course.means, rng)
        self.n_steps_ = len(course.history)
        read = sum(step.n_rows for step in course.history)
        self.n_iter_ = -(-read // n_samples)
        self.stop_reason_ = course.stop_reason
        self.converged_ = course.stop_reason not in CUT_SHORT
        self.history_ = course.history
