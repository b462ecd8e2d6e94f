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
PAINTED = ("color", "edgecolor", "facecolor", "markeredgecolor", "markerfacecolor")
"""Properties of an artist that may have the colour of background or ink."""


class Picture(NamedTuple):
    """A picture for both themes, and its text for readers that do not see it."""

    light: str  # the address, which holds the picture itself
    dark: str
    alt: str
    width: int
    height: int


def picture(draw: Callable[[Any], Any], size: tuple[float, float], alt: str) -> Picture:
    """Draw on the Axes of a figure of some inches."""
    light, dark = _drawn(draw, size)
    width, height = (int(length * 96) for length in size)
    return Picture(light, dark, alt, width, height)


def _drawn(draw: Callable[[Any], Any], size: tuple[float, float]) -> tuple[str, str]:
    """Return the addresses of a picture in light and in dark.

    It is drawn in dark, and then painted in light: nothing else in it has the colours of dark.
    """
    paper, ink = THEMES["dark"]
    colors = dict.fromkeys(INK, ink) | {"axes.facecolor": paper, "figure.facecolor": paper}
    look = colors | {"font.size": 10.0, "legend.framealpha": 0.0}
    with need("matplotlib.style", "report").context(["default", look]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        figure = need("matplotlib.figure", "report").Figure(figsize=size, layout="constrained")
        draw(figure.subplots())
        dark = _address(figure)
        figure.set_layout_engine("none")  # all stays where it is
        _paint(figure, dict(zip(THEMES["dark"], THEMES["light"], strict=True)))
        return _address(figure), dark


def _paint(figure: Any, instead: dict[str, str]) -> None:
    """Replace colours wherever they are."""
    colors = need("matplotlib.colors", "report")
    for artist in figure.findobj():
        for name in PAINTED:
            color = getattr(artist, f"get_{name}", lambda: None)()
            if colors.is_color_like(color) and colors.to_hex(color) in instead:
                getattr(artist, f"set_{name}")(instead[colors.to_hex(color)])


def _address(figure: Any) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS, metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
