"""All libraries that ``compare`` knows, by name."""

from __future__ import annotations

from .others import (
    BreathingKMeans,
    Faiss,
    FaissSuperKMeans,
    LocalSearchPlusPlus,
    ScikitLearn,
    ScikitLearnElkan,
    ScikitLearnIntelex,
    SuperKMeans,
)
from .ours import ENGINES, FastKMeansRandom, checkout_of, is_checkout
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
    BreathingKMeans,
    LocalSearchPlusPlus,
)
PEERS = {peer.name: peer for peer in _ALL}


def peer_of(library: str) -> type[Peer]:
    """Return the adapter of a library; the name of a checkout holds its folder."""
    return checkout_of(library) if is_checkout(library) else PEERS[library]
