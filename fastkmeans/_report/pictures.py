"""Pictures of the page, as PNG inside it: one for light, one for dark."""

import base64
import io
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from .._runtime.extras import need

DOTS = 144
"""Dots per inch: enough for screens with two dots per pixel, and for paper."""
THEMES = {"light": ("#ffffff", "#1b1b1b"), "dark": ("#15181c", "#e6e6e6")}
"""Background and ink; those of page.css."""
INK = (
    "text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "xtick.color",
    "ytick.color", "legend.labelcolor",
)  # fmt: skip


class Picture(NamedTuple):
    """A picture for both themes, and its text for readers that do not see it."""

    light: str  # the address, which holds the picture itself
    dark: str
    alt: str
    width: int
    height: int


def picture(draw: Callable[[Any], Any], size: tuple[float, float], alt: str) -> Picture:
    """Draw on the Axes of a figure of some inches, once per theme."""
    drawn = {name: _drawn(draw, size, *colors) for name, colors in THEMES.items()}
    width, height = (int(length * 96) for length in size)
    return Picture(drawn["light"], drawn["dark"], alt, width, height)


def _drawn(draw: Callable[[Any], Any], size: tuple[float, float], paper: str, ink: str) -> str:
    colors = dict.fromkeys(INK, ink) | {"axes.facecolor": paper, "figure.facecolor": paper}
    look = colors | {"font.size": 10.0, "legend.framealpha": 0.0}
    buffer = io.BytesIO()
    with need("matplotlib.style", "report").context(["default", look]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        figure = need("matplotlib.figure", "report").Figure(figsize=size, layout="constrained")
        draw(figure.subplots())
        figure.savefig(buffer, format="png", dpi=DOTS, metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
