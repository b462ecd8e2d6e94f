"""Compress a picture to K colours, found by k-means among the colours of its pixels.

    python scripts/compress_image.py picture.jpg -k 16 --out compressed.png

Every pixel is a point (red, green, blue). k-means puts K centers among them, and each pixel takes
the colour of its center. The result is a palette PNG: a table of K colours, and for every pixel a
number of 1, 2, 4 or 8 bits instead of 24. --compare-out draws before and after side by side.

Transparent pictures are laid on a background first (white, or --background); 16-bit greys are
brought down to 8 bits; of an animation the first frame is taken.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _shared import (
    Parser,
    UserError,
    blamed_on,
    check_input,
    check_outputs,
    exit_with,
    guarded,
    human_size,
    need,
    note,
    whole_files,
    whole_number,
)

SAMPLE = Path(__file__).resolve().parent / "data" / "summer_palace.png"
PALETTE_LIMIT = 256


class Compressed(NamedTuple):
    """A picture in few colours."""

    palette: np.ndarray  # (k, 3) uint8, dark to light
    indices: np.ndarray  # (height, width) uint8
    n_iter: int
    seconds: float

    @property
    def pixels(self) -> np.ndarray:
        """The picture as it looks now."""
        return np.take(self.palette, self.indices, axis=0)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; return its exit code."""
    args = _parser().parse_args(argv)
    return guarded(lambda: compress_image(args))


def compress_image(args: argparse.Namespace) -> None:
    """Load, find the colours, write what is asked for, report the sizes."""
    compare_out = args.compare_out
    if args.k > PALETTE_LIMIT:
        raise UserError(
            f"-k {args.k}: the palette of a PNG holds {PALETTE_LIMIT} colours; choose -k "
            f"{PALETTE_LIMIT} or lower"
        )
    check_input(args.picture)
    for flag, path in {"--out": args.out, "--compare-out": compare_out}.items():
        if path is not None and path.suffix.lower() != ".png":
            raise UserError(f"{flag} {path}: a PNG is written, so the name should end in .png")
    check_outputs({"--out": args.out, "--compare-out": compare_out}, inputs=(args.picture,))
    if compare_out is not None:
        need("matplotlib", "plots")

    pixels = load_pixels(args.picture, args.background)
    distinct = count_colours(pixels)
    k = min(args.k, distinct)
    if k < args.k:
        note(f"warning: the picture has only {distinct} colours, so {k} are kept, without loss")
    result = find_colours(pixels, k, args.seed, args.threads)

    paths = [args.out] if compare_out is None else [args.out, compare_out]
    with whole_files(*paths) as temporary:
        with blamed_on(args.out):
            write_palette_png(temporary[0], result)
        sizes = args.picture.stat().st_size, temporary[0].stat().st_size
        if compare_out is not None:
            with blamed_on(compare_out):
                draw_comparison(temporary[1], pixels, result, sizes)
    report(pixels, distinct, result, sizes)
    print(f"written          {', '.join(str(path) for path in paths)}")


def load_pixels(path: Path, background: str) -> np.ndarray:
    """Read any picture Pillow knows as an array (height, width, 3) of uint8."""
    Image = need("PIL.Image", "plots")
    ImageColor, ImageOps = need("PIL.ImageColor", "plots"), need("PIL.ImageOps", "plots")
    try:
        colour = ImageColor.getrgb(background)[:3]
    except ValueError:
        raise UserError(
            f"--background {background!r} is no colour: try white or '#ffffff'"
        ) from None
    try:
        with Image.open(path) as opened:
            if getattr(opened, "n_frames", 1) > 1:
                note(f"warning: {path} has {opened.n_frames} frames; the first is taken")
            opened.load()
            picture = ImageOps.exif_transpose(opened)
    except Image.UnidentifiedImageError:
        raise UserError(
            f"{path} is not a picture that Pillow can read: try a PNG or JPEG"
        ) from None
    except Image.DecompressionBombError as error:
        raise UserError(f"{path} is too large: {error}") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{path} is damaged or incomplete: {error}") from None
    if picture.mode.startswith("I") or picture.mode == "F":
        return _from_deep_grey(np.asarray(picture), path)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        if picture.getextrema()[3][0] < 255:
            note(f"note: the picture is transparent in places; it is laid on {background}")
        ground = Image.new("RGBA", picture.size, (*colour, 255))
        picture = Image.alpha_composite(ground, picture)
    return np.asarray(picture.convert("RGB"))


def _from_deep_grey(grey: np.ndarray, path: Path) -> np.ndarray:
    """Bring greys of 16 bits down to 8."""
    if grey.dtype.kind == "f" or grey.min() < 0 or grey.max() > 65535:
        raise UserError(f"{path} has values beyond 16 bits per pixel: convert it to 8 or 16 bits")
    grey = np.round(grey / 257).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def count_colours(pixels: np.ndarray) -> int:
    """Return how many different colours there are."""
    seen = np.zeros(1 << 24, dtype=bool)
    red, green, blue = (pixels[:, :, channel].astype(np.uint32) for channel in range(3))
    seen[red << 16 | green << 8 | blue] = True
    return int(np.count_nonzero(seen))


def find_colours(pixels: np.ndarray, k: int, seed: int, threads: int | None = None) -> Compressed:
    """Cluster the pixels by colour."""
    KMeans = need("fastkmeans").KMeans
    points = pixels.reshape(-1, 3).astype(np.float32)
    started = time.perf_counter()
    model = KMeans(k, random_state=seed, n_threads=threads).fit(points)
    seconds = time.perf_counter() - started
    colours = np.clip(np.round(model.cluster_centers_), 0, 255).astype(np.uint8)
    order = np.argsort(colours @ np.array([0.299, 0.587, 0.114]), kind="stable")
    rank = np.empty(k, dtype=np.uint8)
    rank[order] = np.arange(k)
    return Compressed(
        colours[order], rank[model.labels_].reshape(pixels.shape[:2]), model.n_iter_, seconds
    )


def write_palette_png(path: Path, result: Compressed) -> None:
    """Write the numbers and the table of colours; Pillow takes as few bits as the table allows."""
    picture = need("PIL.Image", "plots").fromarray(result.indices)
    picture.putpalette(result.palette.tobytes())
    picture.save(path, format="PNG", optimize=True)


def colour_error(pixels: np.ndarray, result: Compressed) -> float:
    """Return the mean distance between old and new colour, in steps of 256 per channel."""
    change = pixels.astype(np.float32) - result.pixels
    return float(np.sqrt((change**2).sum(axis=2)).mean())


def draw_comparison(
    path: Path, pixels: np.ndarray, result: Compressed, sizes: tuple[int, int]
) -> None:
    """Draw before and after side by side, and the palette below, wide as each colour is common."""
    figure_module = need("matplotlib.figure", "plots")
    height, width = pixels.shape[:2]
    panel_width = 5.0
    panel_height = min(max(panel_width * height / width, 1.5), 10.0)
    figure = figure_module.Figure(
        figsize=(2 * panel_width + 0.5, panel_height + 1.1), layout="constrained", dpi=120
    )
    axes = figure.subplot_mosaic(
        [["before", "after"], ["palette", "palette"]], height_ratios=[panel_height, 0.28]
    )
    n_colours = len(result.palette)
    titles = {
        "before": f"before: {human_size(sizes[0])}",
        "after": f"after: {human_size(sizes[1])}, {n_colours} colours",
    }
    for name, picture in (("before", pixels), ("after", result.pixels)):
        axes[name].imshow(picture, interpolation="antialiased")
        axes[name].set_title(titles[name], fontsize=12)
        axes[name].set_axis_off()
    shares = np.bincount(result.indices.ravel(), minlength=n_colours) / result.indices.size
    left = np.concatenate([[0.0], np.cumsum(shares)[:-1]])
    axes["palette"].barh(
        [0] * n_colours, shares, left=left, height=1, color=result.palette / 255, linewidth=0
    )
    axes["palette"].set(xlim=(0, 1), ylim=(-0.5, 0.5))
    axes["palette"].set_axis_off()
    figure.savefig(path, format="png")


def report(pixels: np.ndarray, distinct: int, result: Compressed, sizes: tuple[int, int]) -> None:
    """Print what was won and what was lost."""
    height, width = pixels.shape[:2]
    original, compressed = sizes
    bits = next(bits for bits in (1, 2, 4, 8) if len(result.palette) <= 1 << bits)
    error = colour_error(pixels, result)
    mean_square = float(((pixels.astype(np.float32) - result.pixels) ** 2).mean())
    peak = 10 * math.log10(255**2 / mean_square) if mean_square else math.inf
    print(f"picture          {width} x {height} pixels, {distinct} colours")
    effort = f"{result.n_iter} iterations, {result.seconds:.2f} s"
    print(f"colours kept     {len(result.palette)} ({effort})")
    print(f"raw size         {human_size(pixels.size)} (24 bits per pixel)")
    print(
        f"with a palette   {human_size(pixels.size * bits / 24)} ({bits} bits per pixel), unpacked"
    )
    print(f"original file    {human_size(original)}")
    share = f"{compressed / original:.0%} of the original file"
    print(f"compressed file  {human_size(compressed)} ({share})")
    print(
        f"colour error     {error:.1f} on average, where black to white is 442 (PSNR {peak:.1f} dB)"
    )
    if compressed >= original:
        note(
            "note: the compressed file is no smaller than the original, which was well compressed "
            "already (JPEG often is): fewer colours (-k) make it smaller"
        )


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("picture", type=Path, nargs="?", default=SAMPLE, help="any picture (default: a sample)")
    add(
        "-k",
        type=whole_number(1),
        default=16,
        help="number of colours, up to 256 (default: %(default)s)",
    )
    add(
        "--out",
        type=Path,
        default=Path("compressed.png"),
        metavar="FILE",
        help="the compressed picture, a PNG (default: %(default)s)",
    )
    add(
        "--compare-out",
        type=Path,
        metavar="FILE",
        help="draw before and after side by side into this PNG (default: not drawn)",
    )
    add("--background", default="white", help="what transparent parts are laid on (default: white)")
    add(
        "--seed",
        type=whole_number(0),
        default=0,
        help="seed of the random start (default: %(default)s)",
    )
    add("--threads", type=whole_number(1), help="number of threads (default: all)")
    return parser


if __name__ == "__main__":
    exit_with(main)
