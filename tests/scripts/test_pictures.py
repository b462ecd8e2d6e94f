"""scripts/compress_image.py and scripts/demo.py: what they draw, and what they refuse."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.programs import SCRIPTS, Result, as_program, no_leftovers, refused


@pytest.fixture
def compress(script, tmp_path, monkeypatch) -> Callable[..., Result]:
    """Compress a picture in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*argv: object) -> Result:
        return script("compress_image", *argv, "--out", "out.png")

    return run


def noise(shape: tuple[int, ...] = (40, 50, 3), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_compress_image_as_a_program(tmp_path):
    flags = ("-k", 16, "--compare-out", "before_after.png")
    done = as_program(SCRIPTS / "compress_image.py", *flags, cwd=tmp_path)
    assert done.code == 0, done.err
    no_leftovers(tmp_path, "compressed.png", "before_after.png")
    sample = SCRIPTS / "data" / "summer_palace.png"
    with Image.open(tmp_path / "compressed.png") as after, Image.open(sample) as before:
        assert after.mode == "P"
        assert after.size == before.size
        assert len(after.getcolors()) == 16
        error = np.asarray(after.convert("RGB"), float) - np.asarray(before.convert("RGB"), float)
    assert np.sqrt((error**2).mean()) < 15
    assert (tmp_path / "compressed.png").stat().st_size < 0.2 * sample.stat().st_size
    with Image.open(tmp_path / "before_after.png") as picture:
        assert picture.width > 1000
    for word in ("raw size         442.4 kB", "73.7 kB (4 bits", "278.2 kB", "colour error"):
        assert word in done.out


def test_no_picture_is_drawn_unasked(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(noise()).save(tmp_path / "in.png")
    done = script("compress_image", "in.png", "-k", 2)
    assert done.code == 0, done.err
    assert "written          compressed.png\n" in done.out
    no_leftovers(tmp_path, "in.png", "compressed.png")


@pytest.mark.parametrize(
    ("function", "name"), [("write_palette_png", "out.png"), ("draw_comparison", "both.png")]
)
def test_a_full_disk_is_named_with_the_picture(compress, full_disk, tmp_path, function, name):
    Image.fromarray(noise()).save(tmp_path / "in.png")
    full_disk("compress_image", function)
    done = compress("in.png", "-k", 16, "--compare-out", "both.png")
    refused(done, f"{name} could not be written: File too large")
    no_leftovers(tmp_path, "in.png")


@pytest.mark.parametrize(("k", "bits"), [(2, 1), (3, 2), (4, 2), (5, 4), (16, 4), (17, 8)])
def test_the_palette_takes_as_few_bits_as_it_can(compress, tmp_path, k, bits):
    Image.fromarray(noise()).save(tmp_path / "in.png")
    assert compress("in.png", "-k", k).code == 0
    assert (tmp_path / "out.png").read_bytes()[24] == bits  # the IHDR chunk's bit depth


def test_fewer_colours_than_k_are_kept_without_loss(compress, tmp_path):
    colours = np.array([[0, 0, 0], [255, 0, 0], [1, 2, 3], [255, 255, 255]], dtype=np.uint8)
    pixels = colours[np.arange(400).reshape(20, 20) % 4]
    Image.fromarray(pixels).save(tmp_path / "in.png")
    done = compress("in.png", "-k", 9)
    assert done.code == 0
    assert "only 4 colours" in done.err
    assert "colour error     0.0" in done.out
    with Image.open(tmp_path / "out.png") as after:
        np.testing.assert_array_equal(np.asarray(after.convert("RGB")), pixels)


def stripes(mode: str) -> tuple[Image.Image, np.ndarray]:
    """Return a picture of two stripes in some mode, and the greys they should come out as."""
    if mode == "I;16":
        deep = np.repeat(np.array([[0, 65535]], dtype=np.uint16), 4, axis=0)
        return Image.fromarray(deep), np.array([0, 255])
    if mode == "RGBA":  # half transparent black, and opaque black
        pixels = np.zeros((4, 2, 4), dtype=np.uint8)
        pixels[:, 1, 3] = 255
        pixels[:, 0, 3] = 102
        return Image.fromarray(pixels), np.array([153, 0])
    grey = Image.fromarray(np.repeat(np.array([[0, 255]], dtype=np.uint8), 4, axis=0))
    return grey.convert(mode), np.array([0, 255])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"])
def test_modes_of_pictures(compress, tmp_path, mode):
    picture, expected = stripes(mode)
    if mode == "I":
        picture = picture.point(lambda value: value * 257)
    name = "in.tif" if mode == "I" else "in.png"
    picture.save(tmp_path / name)
    done = compress(name, "-k", 2)
    assert done.code == 0, done.err
    assert ("laid on white" in done.err) == (mode == "RGBA")
    with Image.open(tmp_path / "out.png") as after:
        result = np.asarray(after.convert("RGB"))
    assert (result == expected[:, None]).all()


def test_a_background_of_choice(compress, tmp_path):
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "in.png")
    assert compress("in.png", "-k", 1, "--background", "#102030").code == 0
    with Image.open(tmp_path / "out.png") as after:
        assert after.convert("RGB").getpixel((0, 0)) == (0x10, 0x20, 0x30)
    refused(compress("in.png", "--background", "mud"), "'mud'", "white")


def test_a_jpeg_turned_by_its_camera(compress, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise((20, 30, 3))).save(tmp_path / "in.jpg", exif=exif)
    assert compress("in.jpg", "-k", 4).code == 0
    with Image.open(tmp_path / "out.png") as after:
        assert after.size == (20, 30)


def test_the_first_frame_of_an_animation(compress, tmp_path):
    frames = [Image.new("L", (8, 8), value) for value in (0, 255)]
    frames[0].save(tmp_path / "in.gif", save_all=True, append_images=frames[1:])
    done = compress("in.gif", "-k", 1)
    assert done.code == 0
    assert "2 frames" in done.err


def test_what_cannot_be_compressed(compress, script, tmp_path):
    Image.fromarray(noise()).save(tmp_path / "in.png")
    (tmp_path / "text.png").write_text("no picture")
    whole = (tmp_path / "in.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(np.ones((4, 4), dtype=np.float32)).save(tmp_path / "deep.tif")
    before = {path.name for path in tmp_path.iterdir()}
    refused(compress("in.png", "-k", 257), "-k 257", "256 colours")
    refused(compress("no.png"), "no.png does not exist")
    refused(compress("."), "is a folder")
    refused(compress("text.png"), "text.png is not a picture")
    refused(compress("cut.png"), "cut.png is damaged")
    refused(compress("deep.tif"), "deep.tif", "16 bits")
    refused(script("compress_image", "in.png", "--out", "x.jpg"), "--out x.jpg", ".png")
    refused(script("compress_image", "in.png", "--out", "in.png"), "overwrite the input")
    refused(script("compress_image", "in.png", "--out", "no/x.png"), "folder no does not exist")
    no_leftovers(tmp_path, *before)


def test_a_picture_that_fails_to_draw_leaves_nothing(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(noise()).save(tmp_path / "in.png")

    def fails(path: Path, *_: object) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(importlib.import_module("compress_image"), "draw_comparison", fails)
    outputs = ("--out", "out.png", "--compare-out", "both.png")
    refused(script("compress_image", "in.png", "-k", 2, *outputs), "both.png", "No space left")
    no_leftovers(tmp_path, "in.png")


# --- demo -----------------------------------------------------------------------------------------


def test_demo(script, tmp_path):
    out = tmp_path / "demo.png"
    done = script("demo", "--out", out, "--starts", 4)
    assert done.code == 0, done.err
    no_leftovers(tmp_path, "demo.png")
    with Image.open(out) as picture:
        assert picture.width > 1000
    starts = [line for line in done.out.splitlines() if line.startswith("start ")]
    assert len(starts) == 4
    finals = {}
    for line in starts:
        words = line.partition("  <-")[0].split()
        path = [float(word) for word in words[3:]]
        assert path == sorted(path, reverse=True)  # the distortion never rises
        finals[line] = path[-1]
    [kept] = [line for line in starts if "kept" in line]
    assert finals[kept] == min(finals.values())
    assert (
        script("demo", "--out", out, "--starts", 4).out == done.out
    )  # and nothing is left to chance


def test_a_full_disk_is_named_with_the_demo(script, full_disk, tmp_path):
    full_disk("demo", "draw")
    done = script("demo", "--out", tmp_path / "demo.png", "--starts", 1)
    refused(done, "demo.png could not be written: File too large")
    no_leftovers(tmp_path)


def test_demo_refuses_an_output_it_cannot_write(script, tmp_path):
    refused(script("demo", "--out", tmp_path / "no" / "demo.png"), "--out", "does not exist")
    refused(script("demo", "--out", tmp_path), "not an ordinary file")


@pytest.mark.parametrize("name", ["cluster_csv", "compress_image", "demo"])
def test_help(script, name):
    done = script(name, "--help")
    assert done.code == 0
    assert "--out" in done.out or "--labels-out" in done.out
