"""Takes all pictures of the documentation from the running program, and says when they are out of date.

``docs/images/pictures.json`` holds a digest of the files that make the pages, and the figures that the tutorial names.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import re
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
IMAGES = ROOT / "docs" / "images"
MANIFEST = IMAGES / "pictures.json"
SOURCES = ROOT / "src" / "iota"
SHOWN = ("web", "report", "charts")  # packages that make pages and charts
KINDS = (".py", ".js", ".css", ".svg")
# parts of them that change nothing that is seen
UNSEEN = re.compile(
    r"^web/(static/access.js|access|api|browser_page|keys|places|projects|refusals|running|server|site)"
    r"|^charts/(files|figures_of_run)\.py$"
    r"|/(api|mask_phil|preview_phil)\.py$"
)
LATEST = ROOT / "build" / "pictures"  # of a walk in the making, or that failed
N_COLOURS = 200
MAX_BYTES = 4_000_000


def sources() -> list[Path]:
    """Files that make what pages look like."""
    found = sorted(path for name in SHOWN for path in (SOURCES / name).rglob("*") if path.suffix in KINDS)
    return [path for path in found if not UNSEEN.search(path.relative_to(SOURCES).as_posix())]


def digest() -> str:
    """One figure for all of them, with their names."""
    total = hashlib.sha256()
    for path in sources():
        total.update(path.relative_to(SOURCES).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def complaints() -> list[str]:
    """What is wrong with the pictures and with the pages of text that show them."""
    texts = {path: path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]}
    found, used = [], set()
    for path, text in texts.items():
        for link in re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", text):
            target = (path.parent / link).resolve()
            used.add(target)
            if not link.startswith("http") and not target.is_file():
                found.append(f"{path.relative_to(ROOT)} shows {link}, which is not there.")
    pictures = sorted(IMAGES.glob("*.png"))
    found += [f"docs/images/{p.name} is shown by no page." for p in pictures if p.resolve() not in used]
    n_bytes = sum(picture.stat().st_size for picture in pictures)
    if n_bytes > MAX_BYTES:
        found.append(f"The pictures have {n_bytes / 1e6:.1f} MB, more than {MAX_BYTES / 1e6:.0f}.")
    if not MANIFEST.is_file():
        return [*found, "There is no docs/images/pictures.json."]
    said = json.loads(MANIFEST.read_text(encoding="utf-8"))
    if said["pages"] != digest():
        found.append("Pages have changed since their pictures were taken.")
    tutorial = " ".join(texts.get(ROOT / "docs" / "tutorial.md", "").split())
    found += [
        f"docs/tutorial.md does not say {words!r}, which is what came out."
        for words in sentences_of(said["figures"])
        if words not in tutorial
    ]
    return found


def sentences_of(figures: dict) -> list[str]:
    """What the tutorial has to say, in its words."""
    first, second = figures["run_1"], figures["run_2"]
    complete = figures["complete_percent"]
    sizes = [row[1] for row in figures["clusters_1"]]
    return [
        f"{figures['spots_of_a_blank']} spots on an image without a crystal",
        f"{first['integrated']} of the {sum(first.values())} images are integrated",
        f"{first['failed_triage']} have no diffraction",
        f"{first['failed_indexing']} cannot be indexed",
        f"{len(sizes)} clusters of {', '.join(sizes[:-1])} and {sizes[-1]} lattices",
        f"{second['integrated']} images are left",
        f"Of the distorted crystals, {second['failed_filter']} have a cell that is rejected by the filter; the spots of"
        f" {second['failed_integration']} do not fit",
        f"one cluster of {figures['clusters_2'][0][1]} lattices",
        f"{complete['P 1']:g} % complete in P 1, {complete['P 4 2 2']:g} % in P 4 2 2"
        f" and {complete['P 43 21 2']:g} % in P 43 21 2",
    ]


def take_all(n_images: int, kept: Path | None) -> None:
    """Walk through the tutorial and keep a picture where a step says so.

    ``kept`` is a project folder that stays, and whose images and runs of an earlier walk are used; None is a new one.
    """
    from conftest import CHROMIUM, begin, is_local
    from PIL import Image
    from playwright.sync_api import sync_playwright
    from tutorial_steps import Tour, walk

    if CHROMIUM is None:
        sys.exit("scripts/pictures: Chromium is not here; scripts/setup-browser installs it.")
    taken: dict[str, bytes] = {}
    LATEST.mkdir(parents=True, exist_ok=True)

    def take(name: str, part, height: int | None = None) -> None:
        page = part if hasattr(part, "goto") else part.page
        page.mouse.move(2, 2)  # no tooltip
        page.wait_for_timeout(600)  # what slides or fades is at rest
        picture = Image.open(io.BytesIO(part.screenshot())).convert("RGB")
        picture = picture.crop((0, 0, picture.width, height or picture.height))
        packed = io.BytesIO()
        picture.quantize(N_COLOURS, dither=Image.Dither.NONE).save(packed, "PNG", optimize=True)
        taken[name] = packed.getvalue()
        (LATEST / f"{name}.png").write_bytes(taken[name])
        print(f"  {name}.png, {picture.width} x {picture.height}, {len(taken[name]) / 1000:.0f} kB", flush=True)

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        os.environ["XDG_STATE_HOME"] = f"{folder}/state"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        servers = []

        def begin_here(project, *arguments):
            servers.append(begin(project, Path(folder) / f"server-{len(servers)}.txt", *arguments))
            return servers[-1]

        def open_page(url, *, width, height):
            page = browser.new_context(viewport={"width": width, "height": height}).new_page()
            page.set_default_timeout(30_000)
            assert is_local(url)
            page.goto(url)
            return page

        project = kept.resolve() if kept is not None else Path(folder) / "iota_tutorial"
        try:
            figures = walk(Tour(project, n_images, begin_here, open_page, take))
        finally:
            for server in servers:
                if server.process.poll() is None:
                    server.end()
            browser.close()
    IMAGES.mkdir(parents=True, exist_ok=True)
    for old in IMAGES.glob("*.png"):
        old.unlink()
    for name, data in taken.items():
        (IMAGES / f"{name}.png").write_bytes(data)
    text = json.dumps({"pages": digest(), "figures": figures}, indent=1)
    MANIFEST.write_text(text + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/pictures", description=__doc__)
    parser.add_argument("--check", action="store_true", help="take none; say whether they are those of the pages")
    parser.add_argument("--project", type=Path, help="folder of an earlier walk, whose images and runs are used")
    parser.add_argument("-n", type=int, default=324, metavar="N", help="number of images; only for trying out")
    options = parser.parse_args()
    if not options.check:
        sys.path[:0] = [str(HERE), str(HERE.parent)]
        take_all(options.n, options.project)
    wrong = complaints()
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    if wrong and options.check:
        print("scripts/pictures takes them again, and says what the text has to say.", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
