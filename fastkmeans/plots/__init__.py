"""Pictures of clusters (extra ``plots``: matplotlib).

::

    _criteria      criteria          k against inertia and the indices of quality
    _silhouettes   silhouettes       the silhouettes of rows, cluster by cluster
    _clusters      clusters          rows and centers on the first two principal components
    _profile       profile           standardised centers as a heat map
    _convergence   convergence       inertia and moved rows by iteration
        |
    _style         axes, colours, numbers of clusters, labels as plain text
    _rows          a sample of the rows, and the mean and deviation of each column

Every function takes ``ax=``, the Axes to draw on, and returns them; without it a new figure is
made.  matplotlib is imported when a function is called.  Work is bounded: what is drawn row by
row is a sample of the rows.
"""

from ._clusters import clusters
from ._convergence import convergence
from ._criteria import criteria
from ._profile import profile
from ._silhouettes import silhouettes

__all__ = ["clusters", "convergence", "criteria", "profile", "silhouettes"]
