"""How fast the detector image is in a real browser: first view, next image, zoom, and frames a second while it moves.

    python benchmarks/image_view.py [FOLDER]

Simulates three detectors (6 megapixels on one panel, 18 on one, 17 on 64 panels), starts `iota` and Chromium, and
prints what it measures. Frames a second are those of the browser's own clock, 60 at most. Nothing else should run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from iota.simulate.dataset import write_dataset
from iota.simulate.detector import Detector, Panel, make_detector
from iota.simulate.experiment import Experiment

_MOVES = """
async () => {
  const d = document.querySelector('.di').detector, v = d.view, out = {};
  const next = () => new Promise((r) => requestAnimationFrame(r));
  const rate = async (act) => {
    let n = 0;
    const begin = performance.now();
    while (performance.now() - begin < 2000) { act(n++); await next(); }
    return Math.round(n * 1000 / (performance.now() - begin));
  };
  const complete = async () => {
    const begin = performance.now();
    await next(); await next();
    while (!v.isReady) await new Promise((r) => setTimeout(r, 3));
    return Math.round(performance.now() - begin);
  };
  v.fit(); await complete();
  out.pan_whole = await rate((n) => v.pan(n % 40 < 20 ? 4 : -4, n % 2 ? 2 : -2));
  out.contrast_whole = await rate((n) => d.shade({ high: 20 + n % 50 }));
  v.fit(); await complete();
  out.zoom_ms = [];
  for (const scale of [0.5, 1, 3, 12]) {
    v.goTo(d.geometry.width * 0.3, d.geometry.height * 0.3, scale);
    out.zoom_ms.push(await complete());
  }
  v.goTo(d.geometry.width * 0.5, d.geometry.height * 0.5, 1); await complete();
  out.pan_pixels = await rate((n) => v.pan(n % 120 < 60 ? -7 : 7, n % 120 < 60 ? 4 : -4));
  out.contrast_pixels = await rate((n) => d.shade({ high: 20 + n % 50 }));
  v.fit(); await complete();
  return out;
}
"""


def _detectors() -> dict[str, tuple[Detector, str]]:
    pixel_mm, distance_mm = 0.075, 200.0
    nf, ns = 4150, 4371
    one = Panel(
        "panel", (-nf / 2 * pixel_mm, ns / 2 * pixel_mm, -distance_mm), (1, 0, 0), (0, -1, 0), (nf, ns), pixel_mm
    )
    many = tuple(
        Panel(
            f"p{k}",
            ((k % 8 - 3.9) * 525 * pixel_mm, (4.1 - k // 8) * 525 * pixel_mm, -distance_mm),
            (1, 0, 0),
            (0, -1, 0),
            (512, 512),
            pixel_mm,
            512 * k,
        )
        for k in range(64)
    )
    return {
        "6 Mpixel, 1 panel, CBF": (make_detector("6m"), "cbf"),
        "18 Mpixel, 1 panel, HDF5": (Detector("18m", "18M", (one,), distance_mm, (nf / 2, ns / 2)), "nxs"),
        "17 Mpixel, 64 panels, HDF5": (Detector("64", "64 panels", many, distance_mm, (2100.0, 2100.0)), "nxs"),
    }


def _wait(page: Page) -> None:
    page.wait_for_selector(".di[data-state=ready]", timeout=120_000)


def _milliseconds(page: Page) -> str:
    return page.locator(".di").get_attribute("data-milliseconds") or "?"


def main() -> None:
    """Measure and print."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="image_view_")).absolute()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("Chromium is not here: scripts/setup-browser installs it.")
    places = {}
    for k, (name, (detector, kind)) in enumerate(_detectors().items()):
        images = folder / f"detector_{k}"
        if not images.exists():
            write_dataset(images, Experiment(detector=detector), 4, file_format=kind, nproc=2)
        places[name] = images
    said = folder / "server.txt"
    said.touch(mode=0o600)  # else the address is not complete
    environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}
    with said.open("wb") as output:
        server = subprocess.Popen(
            [str(Path(sys.executable).with_name("iota")), "--no-browser"], cwd=folder, stdout=output, env=environment
        )
    try:
        while not (found := re.search(r"http://\S+token=\S+", said.read_text())):
            time.sleep(0.1)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(found[0])
            base = page.url.rstrip("/")
            page.goto(f"{base}/image?path={places['6 Mpixel, 1 panel, CBF']}")
            _wait(page)  # the helper process has started
            for name, images in places.items():
                page.goto(f"{base}/image?sources={images}")
                _wait(page)
                first = _milliseconds(page)
                following = []
                for step in range(3):
                    page.wait_for_selector(f".di[data-prefetched='{step}']", timeout=120_000)
                    page.keyboard.press("ArrowRight")
                    page.wait_for_timeout(30)
                    _wait(page)
                    following.append(_milliseconds(page))
                page.wait_for_selector(".di[data-prefetched='3']", timeout=120_000)
                page.wait_for_timeout(2500)  # small pictures
                print(f"{name}: first view {first} ms, next {', '.join(following)} ms, {page.evaluate(_MOVES)}")
            browser.close()
    finally:
        server.terminate()
        server.wait(20)


if __name__ == "__main__":
    main()
