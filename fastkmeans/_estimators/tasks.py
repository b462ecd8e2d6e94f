"""The callbacks of scikit-learn (``sklearn.callback``, from version 1.9 on).

scikit-learn describes a fit as a tree of tasks, and calls back when a task begins and ends.
The tasks of a fit, each below the one that it is a part of:

    fit                  fit
      iteration            run             with several runs
                             iteration
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any, Self

from .._data.tables import Table
from .._lloyd.watch import STOPPED, Label, Watch, Watches
from .._runtime.arrays import Floats
from .._runtime.extras import need


def _machinery() -> Any:
    """Return ``sklearn.callback``; raise if scikit-learn is missing, or has another interface."""
    version = need("sklearn", "sklearn").__version__
    try:
        theirs = need("sklearn.callback", "sklearn")
        mixin = theirs.CallbackSupportMixin
        _ = theirs.with_callbacks, mixin.set_callbacks, mixin._init_callback_context
    except (ImportError, AttributeError):
        raise RuntimeError(
            "set_callbacks needs the callbacks of scikit-learn 1.9, which scikit-learn "
            f"{version} does not have. The parameter callback works without scikit-learn."
        ) from None
    return theirs


class Tasks(Watch):
    """Opens and closes scikit-learn's contexts of the tasks of a fit."""

    stepwise = True

    def __init__(self, estimator: Any, X: Any, y: Any, sample_weight: Any) -> None:
        self._estimator = estimator
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._given = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._features: dict[str, Any] = {}

    def fit_begins(self, table: Table, n_runs: int, unit: float) -> None:
        learned = copy.copy(self._estimator)
        learned._learn_features(table)
        for name in ("n_features_in_", "feature_names_in_", "preparation_"):
            if hasattr(learned, name) or hasattr(self._estimator, name):  # of an earlier fit
                self._features[name] = getattr(learned, name, None)
        self._unit = unit
        self._most = self._estimator._most_steps(table.rows.shape[0])
        mixin = _machinery().CallbackSupportMixin
        self._fit = mixin._init_callback_context(
            self._estimator, max_subtasks=n_runs if n_runs > 1 else self._most
        )
        self._fit.call_on_fit_task_begin(**self._given)

    def run_begins(self, number: int, n_runs: int) -> None:
        self._run = self._fit
        if n_runs > 1:
            self._run = self._fit.subcontext(task_name="run", max_subtasks=self._most)
            self._run.call_on_fit_task_begin(**self._given)

    def iteration_begins(self) -> None:
        self._iteration = self._run.subcontext(task_name="iteration")
        self._iteration.call_on_fit_task_begin(**self._given)

    def iteration(self, number: int, record: Any, centers: Floats, label: Label) -> str:
        def attributes() -> dict[str, Any]:
            found: dict[str, Any] = {"cluster_centers_": centers.copy()}
            if getattr(self._estimator, "compute_labels", True):
                found["labels_"] = label(centers)
            return self._features | found | {self._estimator._COUNT: number}

        ends = self._iteration.call_on_fit_task_end(
            **self._given, reconstruction_attributes=attributes
        )
        return STOPPED if ends else ""

    def run_ends(self, run: Any) -> bool:
        if self._run is self._fit:
            return False
        attributes = {"cluster_centers_": run.centers, "labels_": run.labels}
        attributes |= {"n_iter_": run.n_iter, "inertia_": run.inertia * self._unit}
        found = self._features | attributes
        return bool(self._run.call_on_fit_task_end(**self._given, reconstruction_attributes=found))

    def fit_ends(self) -> None:
        """Close the context of the whole fit: the estimator is fitted now."""
        self._fit.call_on_fit_task_end(**self._given, reconstruction_attributes={})


class Callbacks:
    """The method of an estimator that takes scikit-learn's callbacks."""

    def set_callbacks(self, *callbacks: Any) -> Self:
        """Set callbacks of scikit-learn, like its ``ProgressBar`` and ``ScoringMonitor``.

        They follow the tasks of ``fit``: its runs, if there are several, and iterations.  A
        Pipeline or a search passes those on that propagate.

        Parameters
        ----------
        *callbacks : instances of callbacks
            They replace the earlier ones; none removes them.

        Raises
        ------
        RuntimeError
            If scikit-learn is older than 1.9.
        """
        _machinery().CallbackSupportMixin.set_callbacks(self, *callbacks)
        return self

    def _with_tasks(
        self, fit: Callable[[Watch], Any], watches: Sequence[Watch], given: tuple[Any, Any, Any]
    ) -> Self:
        """Fit with scikit-learn's callbacks, if there are any, besides other listeners.

        ``given`` are ``X``, ``y`` and ``sample_weight``, for the callbacks.
        """
        if not getattr(self, "_skl_callbacks", None):
            fit(Watches(watches) if watches else Watch())
            return self

        def with_tasks(estimator: Self) -> Self:
            tasks = Tasks(estimator, *given)
            fit(Watches([*watches, tasks]))
            tasks.fit_ends()
            return estimator

        managed: Self = _machinery().with_callbacks(with_tasks)(self)
        return managed
