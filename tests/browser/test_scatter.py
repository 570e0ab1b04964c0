"""The growing scatter alone, in a browser: what is clicked, what is boxed, how it grows, and a million points."""

from __future__ import annotations

import base64
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

import iota.web
from iota.charts.colours import BY_CODE
from iota.records import OUTCOMES

MODULES = Path(iota.web.__file__).parent / "static" / "scatter"
PAGE = """<!doctype html><meta charset="utf-8"><title>scatter</title>
<body style="margin:0;font:14px sans-serif;background:#fff;color:#222"><div id="host" style="width:100%%"></div>
<script type="module">
import { Scatter } from "/scatter/scatter.js";
window.frames_ = []; window.boxes = [];
window.scatter = new Scatter(document.getElementById("host"), {
  url: "/columns", colours: %s, words: %s, selected: "#00a3a3",
  panels: [{column: "d_min_A", label: "Resolution", unit: "A", digits: 2, flipped: true},
           {column: "n_strong", label: "Strong reflections", unit: "", digits: 0}],
  onFrame: (row) => frames_.push(row), onBox: (box) => boxes.push(box),
});
</script>"""


class Source:
    """Columns that a test makes and lets grow, served as the API does."""

    def __init__(self) -> None:
        self.rows = np.zeros((0, 3), "<f4")  # outcome, resolution, strong reflections
        self.generation = 0
        self.status = 200
        source = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                address = urlsplit(self.path)
                headers, status = {}, 200
                if address.path == "/columns":
                    query = parse_qs(address.query)
                    since = int(query["since"][0])
                    is_void = "generation" in query and query["generation"][0] != str(source.generation)
                    first = 0 if is_void or since > len(source.rows) else since
                    body, status = source.rows[first:].tobytes(), source.status
                    headers = {"X-Rows-From": str(first), "X-Generation": str(source.generation)}
                    if status != 200:
                        body = b'{"error": {"message": "The run is gone."}}'
                elif address.path.endswith(".js"):
                    body = (MODULES / Path(address.path).name).read_bytes()
                    headers = {"Content-Type": "text/javascript"}
                else:
                    body = (PAGE % (list(BY_CODE), list(OUTCOMES))).encode()
                    headers = {"Content-Type": "text/html"}
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def add(self, n, seed=1):
        rng = np.random.default_rng(seed)
        integrated = rng.random(n) < 0.6
        rows = np.zeros((n, 3), "<f4")
        rows[:, 0] = np.where(integrated, 0, 2)
        rows[:, 1] = np.where(integrated, rng.normal(2.0, 0.15, n), np.nan)
        rows[:, 2] = np.where(integrated, rng.gamma(4, 60, n).round(), np.nan)
        self.rows = np.concatenate([self.rows, rows])


@pytest.fixture
def source():
    made = Source()
    yield made
    made.server.shutdown()
    made.server.server_close()


def loaded(page, n):
    page.wait_for_function(f"window.scatter && scatter.rows.n === {n} && !scatter.scheduled")


def place(page, row, panel=0):
    return page.evaluate(f"scatter.placeOf({row}, {panel})")


def drag(page, start, end, *, shift=False):
    if shift:
        page.keyboard.down("Shift")
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    page.mouse.move(*end)
    page.mouse.up()
    if shift:
        page.keyboard.up("Shift")


def wheel(page, x, y, amount, times=1):
    page.mouse.move(x, y)
    for _ in range(times):
        page.mouse.wheel(0, amount)
        page.wait_for_timeout(30)


@pytest.mark.parametrize("panel", [0, 1])
def test_a_click_gives_the_frame_under_it(source, open_page, panel):
    source.add(200)
    page = open_page(source.url)
    loaded(page, 200)
    wanted = np.flatnonzero(np.isfinite(source.rows[:, 1]))[[3, 50, -1]].tolist()
    for row in wanted:
        at = place(page, row, panel)
        page.mouse.click(at["x"] + 1, at["y"] - 1)
    assert page.evaluate("frames_") == wanted
    page.mouse.click(5, 300)  # beside all points
    assert page.evaluate("frames_") == wanted


def test_a_click_among_many_points_gives_the_nearest(source, open_page):
    source.add(100_000)
    page = open_page(source.url)
    loaded(page, 100_000)
    x, y = 640, 100
    page.mouse.click(x, y)
    (row,) = page.evaluate("frames_")
    span = page.evaluate("scatter.model.span()")
    across, down = page.evaluate("[scatter.model.frameAxis(), scatter.model.valueAxis(0)]")
    rows = np.arange(100_000)
    px = across["scale"] * (rows + 1) + across["offset"]
    py = down["scale"] * source.rows[:, 1].astype(float) + down["offset"]
    distance = np.hypot(px - x, py - y)
    assert distance[row] == pytest.approx(np.nanmin(distance), abs=1e-3)
    assert span["low"] <= row <= span["high"]


def test_a_box_holds_the_rows_that_are_in_it(source, open_page):
    source.add(500)
    page = open_page(source.url)
    loaded(page, 500)
    drag(page, (300, 30), (700, 110), shift=True)
    (box,) = page.evaluate("boxes")
    assert box["column"] == "d_min_A"
    values = source.rows[:, 1]
    rows = [
        row
        for row in range(box["first"], box["last"] + 1)
        if box["low"] <= values[row] <= box["high"]
    ]  # fmt: skip
    inside = []
    for row in np.flatnonzero(np.isfinite(values)).tolist():
        at = place(page, row)
        if 300 <= at["x"] <= 700 and 30 <= at["y"] <= 110:
            inside.append(row)
    assert rows == inside
    assert len(rows) > 20
    assert page.evaluate("frames_") == []


def test_the_box_button_makes_a_drag_a_box(source, open_page):
    source.add(100)
    page = open_page(source.url)
    loaded(page, 100)
    page.get_by_role("button", name="Select a box").click()
    drag(page, (200, 220), (500, 330))
    (box,) = page.evaluate("boxes")
    assert box["column"] == "n_strong"


def test_wheel_zooms_around_the_cursor_and_drag_moves(source, open_page):
    source.add(1000)
    page = open_page(source.url)
    loaded(page, 1000)
    before = page.evaluate("scatter.model.numberAt(640)")
    wheel(page, 640, 100, -300, times=3)
    page.wait_for_function("scatter.model.zoom !== null && !scatter.scheduled")
    zoomed = page.evaluate("scatter.model.span()")
    assert page.evaluate("scatter.model.numberAt(640)") == pytest.approx(before, abs=1)
    assert zoomed["high"] - zoomed["low"] < 500
    drag(page, (640, 100), (740, 100))
    moved = page.evaluate("scatter.model.span()")
    per_px = (zoomed["high"] - zoomed["low"]) / page.evaluate("scatter.model.width - 72")
    assert moved["low"] == pytest.approx(zoomed["low"] - 100 * per_px, rel=0.02)
    page.get_by_role("button", name="Show all").click()
    assert page.evaluate("scatter.model.zoom") is None


def test_wheel_over_the_axis_zooms_values(source, open_page):
    source.add(1000)
    page = open_page(source.url)
    loaded(page, 1000)
    full = page.evaluate("scatter.model.range(0)")
    wheel(page, 30, 100, -300, times=2)
    page.wait_for_function("scatter.model.panels[0].zoom !== null")
    part = page.evaluate("scatter.model.range(0)")
    assert part["high"] - part["low"] < 0.5 * (full["high"] - full["low"])
    assert page.evaluate("scatter.model.panels[1].zoom") is None
    assert page.evaluate("scatter.model.zoom") is None


def test_growth_is_drawn_within_a_second_and_adds_to_counts_of_before(source, open_page):
    source.add(30_000)
    page = open_page(source.url)
    loaded(page, 30_000)
    total = "scatter.painter.densities[0].counts.reduce((a, b) => a + b, 0)"
    assert page.evaluate(total) == np.isfinite(source.rows[:, 1]).sum()
    source.add(700, seed=2)
    start = time.monotonic()
    page.evaluate("window.counted = scatter.painter.densities[0].counts; scatter.pull()")
    loaded(page, 30_700)
    assert time.monotonic() - start < 1
    assert page.evaluate("scatter.painter.densities[0].counts === counted")  # the same cells, with the new points added
    assert page.evaluate(total) == np.isfinite(source.rows[:, 1]).sum()


def test_a_ledger_that_was_replaced_is_drawn_anew(source, open_page):
    source.add(300)
    page = open_page(source.url)
    loaded(page, 300)
    source.rows, source.generation = source.rows[:50], 1
    page.evaluate("scatter.pull()")
    loaded(page, 50)


def test_a_selection_dims_the_others(source, open_page):
    source.add(400)
    page = open_page(source.url)
    loaded(page, 400)
    bits = np.zeros(400, bool)
    bits[100:200] = True
    page.evaluate(f"scatter.select('{base64.b64encode(np.packbits(bits).tobytes()).decode()}')")
    selected = page.evaluate("Array.from(scatter.model.mask).flatMap((bit, row) => bit ? [row] : [])")
    assert selected == list(range(100, 200))
    row = int(np.flatnonzero(np.isfinite(source.rows[:100, 1]))[0])
    page.wait_for_function("!scatter.scheduled")
    colour = """(at) => {
      const d = scatter.painter.dpr, box = scatter.canvas.getBoundingClientRect();
      return Array.from(scatter.painter.context.getImageData((at.x - box.left) * d, (at.y - box.top) * d, 1, 1).data);
    }"""
    dim = page.evaluate(colour, place(page, row))
    chosen = 100 + int(np.flatnonzero(np.isfinite(source.rows[100:200, 1]))[0])
    bright = page.evaluate(colour, place(page, chosen))
    assert bright[3] > 180
    assert dim[3] < 90
    page.evaluate("scatter.select(null)")
    assert page.evaluate("scatter.model.mask") is None


def test_hover_says_what_the_point_is(source, open_page):
    source.add(60)
    page = open_page(source.url)
    loaded(page, 60)
    row = int(np.flatnonzero(np.isfinite(source.rows[:, 1]))[5])
    at = place(page, row)
    page.mouse.move(at["x"], at["y"])
    said = page.locator(".iota-scatter-tip").inner_text()
    assert said.startswith(f"frame {row + 1} · {source.rows[row, 1]:.2f} A")
    assert said.endswith("integrated")


def test_what_is_wrong_is_said_and_mends_itself(source, open_page):
    source.add(20)
    source.status = 404
    page = open_page(source.url)
    page.wait_for_function("scatter.source.problem === 'The run is gone.'")
    source.status = 200
    loaded(page, 20)
    assert page.evaluate("scatter.source.problem") == ""


@pytest.mark.slow
def test_a_million_points_zoom_at_50_pictures_a_second(source, open_page):
    source.add(1_000_000)
    page = open_page(source.url)
    loaded(page, 1_000_000)
    page.wait_for_timeout(500)
    took = page.evaluate(
        """async () => {
          const rates = [], paints = [];
          for (let second = 0, k = 0; second < 4; second++) {
            const start = performance.now();
            let pictures = 0;
            while (performance.now() - start < 1000) {
              scatter.model.zoomFrames(500000, Math.floor(k++ / 40) % 2 ? 1.06 : 1 / 1.06);
              scatter.draw();
              await new Promise(requestAnimationFrame);
              pictures++;
            }
            rates.push(1000 * pictures / (performance.now() - start));
          }
          for (let k = 0; k < 20; k++) {
            scatter.model.zoomFrames(500000, 1.01);
            const before = performance.now();
            scatter.paint();
            paints.push(performance.now() - before);
          }
          return {rate: Math.max(...rates), paint: Math.min(...paints)};
        }"""
    )
    print(f"{took['rate']:.0f} pictures a second, {took['paint']:.1f} ms to paint a million points")
    assert took["rate"] >= 45  # in the best of four seconds, for others may use the processor; 60 is all that there are
    assert took["paint"] < 20
