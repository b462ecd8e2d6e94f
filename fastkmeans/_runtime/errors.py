"""Warnings and errors: the classes of scikit-learn if it is already imported.

scikit-learn's tools catch its own classes, but to import it takes a second.  If the program
has not imported it, subclasses of the same built-in classes stand in.
"""

import os
import sys
import warnings
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from .text import shown

_PACKAGE = f"{Path(__file__).parents[1]}{os.sep}"


class _ConvergenceWarning(UserWarning):
    """The algorithm stopped before it reached what the caller asked for."""


class _NotFittedError(ValueError, AttributeError):
    """A method that needs a fitted estimator was called before ``fit``."""


def plain(value: Any) -> str:
    """Write a value for a message, a NumPy scalar as a plain number or text."""
    if isinstance(value, str):
        return shown(value, 100)
    if isinstance(value, np.bytes_):
        return repr(value.item())
    return str(value) if isinstance(value, np.generic) else repr(value)


def warn(message: str, category: type[Warning]) -> None:
    """Warn, at the line that called into the package."""
    frame: FrameType | None = sys._getframe()
    level = 1
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def convergence_warning(message: str) -> None:
    """Warn of a fit that stopped before it reached what the caller asked for."""
    theirs = sys.modules.get("sklearn.exceptions")
    warn(message, theirs.ConvergenceWarning if theirs else _ConvergenceWarning)


def not_fitted(estimator: object) -> Exception:
    """Return the error for a method called before ``fit``."""
    theirs = sys.modules.get("sklearn.exceptions")
    kind = theirs.NotFittedError if theirs else _NotFittedError
    name = type(estimator).__name__
    error: Exception = kind(
        f"This {name} instance is not fitted yet. Call 'fit' with appropriate arguments "
        "before using this estimator."
    )
    return error
