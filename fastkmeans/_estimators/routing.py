"""Metadata routing: which methods ask scikit-learn's tools for ``sample_weight``.

With ``sklearn.set_config(enable_metadata_routing=True)`` a Pipeline or a search passes weights
only to the methods that ask for them.  scikit-learn is imported when it asks, not before.
"""

import copy
from typing import Any, Self

from .._runtime.extras import need

UNCHANGED = "$UNCHANGED$"
"""scikit-learn's mark of an argument that was not given."""


class Routed:
    """The methods of an estimator that answer and make requests for weights."""

    def get_metadata_routing(self) -> Any:
        """Return which methods ask for ``sample_weight``.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRequest
            The requests; a method that was not asked about has none yet.
        """
        if hasattr(self, "_metadata_request"):
            return copy.deepcopy(self._metadata_request)
        routing = need("sklearn.utils.metadata_routing", "sklearn")
        requests = routing.MetadataRequest(owner=type(self).__name__)
        for method in ("fit", "partial_fit", "score"):
            if hasattr(self, method):
                getattr(requests, method).add_request(param="sample_weight", alias=None)
        return requests

    def set_fit_request(self, *, sample_weight: bool | str | None = UNCHANGED) -> Self:
        """Choose whether ``fit`` asks a Pipeline or a search for weights.

        Parameters
        ----------
        sample_weight : bool, str or None
            True asks for ``sample_weight``, a text for the metadata of that name.  False asks for
            none.  With None, to pass weights is an error.

        Raises
        ------
        RuntimeError
            If metadata routing is not enabled in scikit-learn.
        """
        return self._request("fit", sample_weight)

    def set_score_request(self, *, sample_weight: bool | str | None = UNCHANGED) -> Self:
        """Choose whether ``score`` asks a Pipeline or a search for weights.

        Parameters
        ----------
        sample_weight : bool, str or None
            As in ``set_fit_request``.
        """
        return self._request("score", sample_weight)

    def _request(self, method: str, sample_weight: bool | str | None) -> Self:
        if not need("sklearn", "sklearn").get_config()["enable_metadata_routing"]:
            raise RuntimeError(
                "This method is only available when metadata routing is enabled. You can enable "
                "it using sklearn.set_config(enable_metadata_routing=True)."
            )
        requests = self.get_metadata_routing()
        if sample_weight != UNCHANGED:
            getattr(requests, method).add_request(param="sample_weight", alias=sample_weight)
        self._metadata_request = requests
        return self
