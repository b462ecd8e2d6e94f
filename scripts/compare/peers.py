"""All libraries that ``compare`` knows, by name."""

from __future__ import annotations

from .others import (
    Faiss,
    FaissSuperKMeans,
    ScikitLearn,
    ScikitLearnElkan,
    ScikitLearnIntelex,
    SuperKMeans,
)
from .ours import ENGINES, FastKMeansRandom
from .peer import Peer

_ALL: tuple[type[Peer], ...] = (
    *ENGINES.values(),
    FastKMeansRandom,
    ScikitLearn,
    ScikitLearnElkan,
    ScikitLearnIntelex,
    Faiss,
    FaissSuperKMeans,
    SuperKMeans,
)
PEERS = {peer.name: peer for peer in _ALL}
