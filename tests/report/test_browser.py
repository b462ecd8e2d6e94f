"""The report in a browser: no error, no request, tables that sort, no sideways scrolling.

It needs Chromium, and skips without it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastkmeans
from fastkmeans import KMeans
from tests.helpers.pages import Page

pd = pytest.importorskip("pandas")

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
AXE = os.environ.get("AXE_CORE")
"""The file axe.min.js of the package axe-core, if its rules are to be tried."""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]

LOOK = """
<script>
const heads = [...document.querySelectorAll('table[aria-labelledby="sizes"] th')];
const button = heads.find((head) => head.textContent === "rows").firstChild;
const column = () => [...document.querySelectorAll('table[aria-labelledby="sizes"] tbody tr')]
  .map((row) => Number(row.cells[2].dataset.sort));
const found = {width: innerWidth, wide: document.documentElement.scrollWidth, before: column()};
button.focus(); button.click();
found.falling = column(); found.first = button.parentNode.getAttribute("aria-sort");
button.click();
found.rising = column(); found.second = button.parentNode.getAttribute("aria-sort");
found.focused = document.activeElement === button;
document.title = JSON.stringify(found);
</script>
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: Any) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    rng = np.random.default_rng(0)
    names = ["<script>alert(1)</script>", "N" * 500, *(f"column {j}" for j in range(38))]
    X = rng.normal(size=(300, 40)) + 4 * rng.integers(0, 9, (300, 1))
    frame = pd.DataFrame(X, columns=names)
    path: Path = folder / "page.html"
    fastkmeans.report(KMeans(9, random_state=0).fit(frame), frame, path)
    return path


def browse(path: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    fixed = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
             "--disable-background-networking", "--disable-component-update",
             f"--user-data-dir={path.parent / 'profile'}"]  # fmt: skip
    return subprocess.run(
        [CHROMIUM, *fixed, *flags, path.as_uri()],
        capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip


def test_scripts_run_and_nothing_leaves_the_page(page: Path) -> None:
    log = page.parent / "net.json"
    done = browse(page, "--dump-dom", f"--log-net-log={log}")
    assert "CONSOLE" not in done.stderr
    shown = Page(done.stdout)
    heads = [head for head in shown.named("th") if head.attributes["scope"] == "col"]
    assert len(heads) == len(shown.named("button")) > 20
    assert {head.attributes["aria-sort"] for head in heads} == {"none"}
    assert {one.attributes["type"] for one in shown.named("button")} == {"button"}
    text = log.read_text(encoding="utf-8")
    requests = re.findall(r'"url":\s*"([^"]*)"', text)
    outside = [url for url in requests if url.startswith(("http", "ws", "ftp"))]
    known = "|".join(re.escape(name) for name in ("google", "gvt1", "chrome"))  # its own
    assert not [url for url in outside if not re.search(known, url)]


def test_the_policy_is_obeyed(page: Path) -> None:
    """A script that is not ours does not run, and the console says so."""
    text = page.read_text(encoding="utf-8").replace(
        "</main>", "<script>document.title=1</script></main>"
    )
    other = page.with_name("other.html")
    other.write_text(text, encoding="utf-8")
    done = browse(other, "--dump-dom")
    assert "Content Security Policy" in done.stderr
    assert "<title>Clusters</title>" in done.stdout


@pytest.mark.parametrize("width", [390, 1100])
def test_tables_sort_and_the_page_fits(page: Path, width: int) -> None:
    text = page.read_text(encoding="utf-8").replace("</body>", LOOK + "</body>")
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    other = page.with_name("look.html")
    other.write_text(text, encoding="utf-8")
    done = browse(other, "--dump-dom", f"--window-size={width},900")
    found = json.loads(Page(done.stdout).named("title")[0].text)
    assert found["wide"] <= found["width"] <= max(width, 520)
    assert found["before"] != found["falling"] == sorted(found["before"], reverse=True)
    assert found["rising"] == sorted(found["before"])
    assert (found["first"], found["second"], found["focused"]) == ("descending", "ascending", True)


def test_dark_and_light_differ(page: Path) -> None:
    Image = pytest.importorskip("PIL.Image")
    corners = []
    for flag in ((), ("--blink-settings=preferredColorScheme=0",)):
        shot = page.parent / "shot.png"
        browse(page, f"--screenshot={shot}", "--window-size=900,600", *flag)
        with Image.open(shot) as image:
            corners.append(image.convert("RGB").getpixel((2, 2)))
    assert corners == [(0xFF, 0xFF, 0xFF), (0x15, 0x18, 0x1C)]


@pytest.mark.parametrize(("paper", "crowded"), [(720, False), (960, True)])
def test_nothing_is_cut_off_in_print(page: Path, paper: int, crowded: bool) -> None:
    """The style of print leaves no table wider than the paper, upright or, if crowded, not."""
    text = page.read_text(encoding="utf-8").replace("@media print", "@media all")
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    look = """<script>
    const edges = [...document.querySelectorAll("CROWDED")]
      .map((one) => one.getBoundingClientRect().right);
    const button = document.querySelector("th button");
    document.title = JSON.stringify([Math.max(...edges), getComputedStyle(button).display]);
    </script>"""
    look = look.replace("CROWDED", "table.crowded" if crowded else "table:not(.crowded), img")
    other = page.with_name("print.html")
    other.write_text(text.replace("</body>", look + "</body>"), encoding="utf-8")
    done = browse(other, "--dump-dom", f"--window-size={paper},900")
    edge, display = json.loads(Page(done.stdout).named("title")[0].text)
    assert 0 < edge <= paper
    assert display == "contents"  # Chromium leaves buttons out of headings that it repeats


@pytest.mark.skipif(AXE is None, reason="AXE_CORE names no axe.min.js")
@pytest.mark.parametrize("flags", [(), ("--blink-settings=preferredColorScheme=0",)])
def test_axe_finds_no_fault(page: Path, flags: tuple[str, ...]) -> None:
    assert AXE is not None
    text = page.read_text(encoding="utf-8")
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    run = "axe.run().then(r => document.title = JSON.stringify(r.violations.map(v => v.id)))"
    scripts = f"<script>{Path(AXE).read_text(encoding='utf-8')}</script><script>{run}</script>"
    other = page.with_name("axe.html")
    other.write_text(text.replace("</body>", scripts + "</body>"), encoding="utf-8")
    done = browse(other, "--dump-dom", "--virtual-time-budget=60000", *flags)
    assert re.search(r"<title>(.*?)</title>", done.stdout)[1] == "[]"  # type: ignore[index]
