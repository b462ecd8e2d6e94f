"""``KMeans`` and ``MiniBatchKMeans`` that inherit from scikit-learn's base classes.

``fastkmeans.KMeans`` works in scikit-learn's own tools without this.  Some other libraries ask
for ``isinstance(model, BaseEstimator)``: they take these.  Parameters, attributes and results
are those of ``fastkmeans``, down to the bits.  The only difference is that to import this
module imports scikit-learn (extra ``sklearn``).

>>> from fastkmeans.compat.sklearn import KMeans
>>> from sklearn.base import BaseEstimator
>>> isinstance(KMeans(), BaseEstimator)
True
"""

from .._estimators.kmeans import KMeans as _KMeans
from .._estimators.minibatch import MiniBatchKMeans as _MiniBatchKMeans
from .._runtime.extras import need

__all__ = ["KMeans", "MiniBatchKMeans"]

_base = need("sklearn.base", "sklearn")


class _Bases(
    _base.ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc, name-defined]
    _base.TransformerMixin,  # type: ignore[misc, name-defined]
    _base.ClusterMixin,  # type: ignore[misc, name-defined]
    _base.BaseEstimator,  # type: ignore[misc, name-defined]
):
    """The bases of scikit-learn's own ``KMeans``, in the same order."""


# Ours come first: their methods need nothing of the bases, and win.
class KMeans(_KMeans, _Bases):
    """``fastkmeans.KMeans`` with scikit-learn's bases; the parameters are described there."""


class MiniBatchKMeans(_MiniBatchKMeans, _Bases):
    """``fastkmeans.MiniBatchKMeans`` with scikit-learn's bases; see there for the parameters."""
