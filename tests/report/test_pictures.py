"""Pictures are drawn in dark and painted in light, as if they were drawn in light."""

import base64
import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fastkmeans._report import pictures
from fastkmeans.plots import convergence, criteria, silhouettes
from fastkmeans.plots._clusters import draw_clusters
from fastkmeans.plots._profile import draw_profile

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("matplotlib")

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 4, 4000).astype(np.int32)
MIDDLES = RNG.normal(0, 5, (4, 3))
ROWS = MIDDLES[LABELS] + RNG.normal(size=(4000, 3))
K = np.arange(2, 6)
CHOICE = SimpleNamespace(k=K, inertia=1 / K, bic=abs(K - 3.0), best_k=3)
HISTORY = [SimpleNamespace(inertia=9.0 / i, n_moved=9 // i) for i in range(1, 5)]


def pixels(address: str) -> Any:
    with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: draw_clusters(ROWS, LABELS, MIDDLES, ax),
        lambda ax: draw_clusters(ROWS[:100], LABELS[:100], MIDDLES, ax),
        lambda ax: draw_profile(MIDDLES, ["a", "b", "c"], ax),
        lambda ax: silhouettes(np.linspace(-0.2, 1, 4000), LABELS, ax=ax),
        lambda ax: convergence(HISTORY, ax=ax),
        lambda ax: criteria(CHOICE, ax=ax),
    ],
    ids=["density", "points", "profile", "silhouettes", "convergence", "criteria"],
)
def test_light_is_as_if_drawn_in_light(draw: Callable[[Any], Any], monkeypatch: Any) -> None:
    size = (4.0, 3.0)
    painted, dark = map(pixels, pictures._drawn(draw, size))
    light = pictures.THEMES["light"]
    monkeypatch.setattr(pictures, "THEMES", {"light": light, "dark": light})
    expected = pixels(pictures._drawn(draw, size)[1])
    np.testing.assert_array_equal(painted, expected)
    assert (painted != dark).any()
    assert dark[0, 0].tolist() == [0x15, 0x18, 0x1C]
