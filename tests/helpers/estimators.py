"""scikit-learn's own checks of estimators, in a form that every version of pytest takes."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks


def all_checks(estimators: list[Any], fail: dict[str, str]) -> pytest.MarkDecorator:
    """Parametrise a test with all checks of some estimators; ``fail`` says which fail, and why.

    scikit-learn 1.6 hands over a generator, which pytest 9 refuses.  It makes the checks, and
    warns of classes that do not inherit from its own, only when the generator is read.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Estimator .* does not inherit", UserWarning)
        mark = parametrize_with_checks(estimators, expected_failed_checks=lambda _: fail)
        names, cases = mark.args
        return pytest.mark.parametrize(names, list(cases), **mark.kwargs)
