"""``report``: a page about a model and the rows that it labels."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .._data.tables import Table
from .._data.validation import weights_of
from .._estimators.inputs import opened
from .._lloyd.predict import closest_centers
from .._runtime.arrays import Labels
from .._runtime.disk import replacing
from .._runtime.errors import plain
from .._runtime.extras import need
from ..plots._rows import room_for
from .described import describe
from .facts import facts_of
from .page import Subject, page
from .source import Source, source_of
from .words import some_of

ENDINGS = (".html", ".htm")


def report(
    model: Any,
    X: Any,
    path: str | os.PathLike[str],
    *,
    sample_weight: Any = None,
    title: str | None = None,
    command: str | None = None,
) -> None:
    """Write a page of HTML about a fitted model and rows that it labels (extra ``report``).

    The page has sizes, the profile of each cluster in words and in the units of ``X``, rows that
    stand for the clusters, quality, pictures, convergence, and how it was made.  It is one file
    that needs nothing from outside.

    Parameters
    ----------
    model : KMeans, MiniBatchKMeans or Choice
        A fitted model, or what ``choose_k`` returned.  The page of a choice has the figures of
        each k, the recommendation and its reason, and then the clusters of the k that stands out.
    X : array-like, sparse matrix or dataset of shape (n_samples, n_features)
        Rows as in ``fit``: those of the fit, or others.  Also a path or a list of paths.
    path : str or path-like
        The file, which ends in .html or .htm; an existing file is replaced when the new one is
        complete.
    sample_weight : array-like of shape (n_samples,), optional
        Weight of each row, for means and shares.
    title : str, optional
        The heading of the page.
    command : str, optional
        The command that makes the page again, to be shown; by default that of Python.

    Raises
    ------
    ValueError
        If ``X`` does not fit the model or has more than 65536 columns, or ``path`` has another
        ending.
    TypeError
        If ``model`` or ``path`` is of another type.
    OSError
        If the file cannot be written; it names the file.
    MissingExtra
        An ``ImportError``, if jinja2 or matplotlib is not installed.

    Notes
    -----
    All rows are labelled, in one pass.  Pictures and quality come from a sample of at most 20000
    rows, and of further rows of clusters that it hardly meets; the page says so.  Everything that
    comes from ``X`` is text on the page, never markup.

    Examples
    --------
    >>> import fastkmeans
    >>> fastkmeans.report(model, X, "clusters.html")  # doctest: +SKIP
    """
    target = checked(path)
    need_libraries()
    choice = model if hasattr(model, "best_k") and hasattr(model, "models") else None
    if choice is not None:
        model = choice.best_model or choice.models[0]
    if not hasattr(model, "_table_like_fit"):
        raise TypeError(
            "model must be KMeans or MiniBatchKMeans, or what choose_k returns, got "
            f"{type(model).__name__}."
        )
    model._check_fitted()
    room_for(model.n_features_in_)
    files = _files_in(X)
    data = opened(X, columns=getattr(model, "feature_names_in_", None))
    table: Table = model._table_like_fit(data)
    weights = weights_of(table, sample_weight).values
    source = source_of(data, files, table.rows.shape[0])
    lines = _commands(model, choice, target) if command is None else [command]
    write(target, model, table, weights, source, title, lines, choice)


def write(
    path: Path,
    model: Any,
    table: Table,
    weights: Any,
    source: Source,
    title: str | None,
    command: list[str],
    choice: Any = None,
    *,
    labels: Labels | None = None,
    follow: Sequence[str] = (),
) -> None:
    """Write the page about a model, or about a choice: ``model`` is then one of its models.

    ``labels`` are those of the rows, if they are known; ``follow`` are the commands to run next.
    """
    title = title or _title(source, choice)
    about = describe(model, table, weights, source)
    facts = None
    if choice is None or choice.best_k is not None:
        if labels is None:
            labels = closest_centers(
                table, model.cluster_centers_, model.n_threads, by_cosine=about.by_cosine
            )
        facts = facts_of(model, table, labels, weights, about)
    text = page(Subject(title, table, about, facts, command, model, choice, [*follow]))
    with replacing(path) as new:
        new.write_text(text, encoding="utf-8", newline="\n")


def _title(source: Source, choice: Any) -> str:
    names = some_of([Path(file).name for file in source.files], 3)
    if choice is not None:
        return f"How many clusters{f' in {names}' if names else ''}?"
    return f"Clusters{f' of {names}' if names else ''}"


def need_libraries() -> None:
    """Import what a report needs, or raise an error that names the extra."""
    need("jinja2", "report")
    need("matplotlib", "report")


def checked(path: Any) -> Path:
    """Return the path of a report, if it may be one."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be a name of a file, got {plain(path)}.")
    found = Path(os.fsdecode(path))
    if found.suffix.lower() not in ENDINGS:
        raise ValueError(f"path is {str(found)!r}, and a report is HTML: end its name in .html.")
    return found


def _files_in(X: Any) -> Sequence[object]:
    """Return the names of files that X consists of."""
    if isinstance(X, str | os.PathLike):
        return [os.fsdecode(X)]
    if isinstance(X, list) and X and all(isinstance(part, str | os.PathLike) for part in X):
        return [os.fsdecode(part) for part in X]
    return []


def _commands(model: Any, choice: Any, path: Path) -> list[str]:
    if choice is None:
        made = " ".join(repr(model).split())
        return [f"model = {made}.fit(X)", f'fastkmeans.report(model, X, "{path.name}")']
    usual = type(model)().get_params()
    given = {name: value for name, value in model.get_params().items() if value != usual[name]}
    given.pop("n_clusters", None)
    words = "".join(f", {name}={value!r}" for name, value in given.items())
    return [
        f"choice = fastkmeans.choose_k(X, {choice.k.tolist()}{words})",
        f'fastkmeans.report(choice, X, "{path.name}")',
    ]
