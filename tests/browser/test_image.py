"""The detector image as a person sees it: where spots are drawn, what a mask does, how fast it is."""

import json
from urllib.parse import parse_qs, quote, urlsplit

import h5py
import numpy as np
import pytest
from commands import LYSOZYME, command
from dials.array_family import flex
from playwright.sync_api import expect

from iota.engine.images.masks import load_mask
from iota.runs import RunFolder, read_ledger

READY = ".di[data-state=ready]"


def show(server, open_page, query, **words):
    page = open_page(server.url, **words)
    page.goto(f"{server.base}/image?{query}")
    page.wait_for_selector(f"{READY}[data-marks=ready]")
    return page


def detector(page, script):
    """What a script says of the page's Detector ``d``."""
    return page.evaluate(f"async () => {{ const d = document.querySelector('.di').detector; {script} }}")


def settle(page, script):
    """Do something and wait until the picture is complete."""
    detector(page, f"{script}; await new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)));")
    page.wait_for_function("document.querySelector('.di').detector.view.isReady")


# -- where things are


@pytest.fixture(scope="module", params=["1m", "eight"])
def known_spots(request, tmp_path_factory):
    """A frame with square spots of 4 x 4 px at known places, on one panel or on eight that are tilted and turned."""
    folder = tmp_path_factory.mktemp(request.param) / "images"
    done = command(
        *("iota.simulate", folder, "-n", 1, "--detector", request.param, "--format", "nxs"),
        *("--blank-fraction", 1, "--weak-fraction", 0, "--background", 2, "--silent"),
        cwd=folder.parent,
    )
    assert done.returncode == 0, done.stderr
    path = next(folder.glob("*.nxs"))
    places = []
    with h5py.File(path, "r+") as file:
        counts = file["entry/data/data"][0]
        masked = file["entry/instrument/detector/pixel_mask"][()]
        rows = 512 if request.param == "eight" else counts.shape[0]
        for row in range(40, counts.shape[0] - 40, 60):
            for column in range(40, counts.shape[1] - 40, 60):
                at = (slice(row, row + 4), slice(column, column + 4))
                around = (slice(row - 12, row + 16), slice(column - 12, column + 16))
                if row % rows < 20 or row % rows > rows - 20 or (masked[around] & 1).any() or masked[at].any():
                    continue
                counts[at] = 300
                counts[row + 1 : row + 3, column + 1 : column + 3] = 600  # a peak, as the spot finder wants it
                places.append((row // rows, column + 2.0, row % rows + 2.0))
        file["entry/data/data"][0] = counts
    return path, np.array(places)


# Centres of the dark blob in the picture, and of the circle that is drawn over it, in CSS px of the canvas. Both are
# drawn again FINE times as large by the same code, or nothing smaller than a pixel of the screen could be measured.
FINE = 6
CENTRES = """
const [width, height] = d.view.size, fine = FINE;
const drawn = (draw) => {
  const canvas = document.createElement('canvas');
  canvas.width = width * fine; canvas.height = height * fine;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  draw(context);
  return context.getImageData(0, 0, canvas.width, canvas.height).data;
};
const picture = drawn((context) => d.view.paint(context, width, height, fine));
const over = drawn((context) => {
  context.setTransform(fine, 0, 0, fine, 0, 0);
  d.view.drawOver(context, width, height);
});
const half = Math.max(9, Math.ceil(5 * d.view.scale));
const found = [];
PLACES.forEach(([panel, fast, slow], k) => {
  const [cx, cy] = d.view.toCanvas(...d.geometry.toPlane(panel, fast, slow));
  if (cx < half + 2 || cy < half + 2 || cx > width - half - 2 || cy > height - half - 60) return;
  const centre = (weight) => {
    let n = 0, x = 0, y = 0;
    const from = (c) => Math.round((c - half) * fine), to = (c) => Math.round((c + half) * fine);
    for (let j = from(cy); j < to(cy); j++) for (let i = from(cx); i < to(cx); i++) {
      const w = weight(4 * (j * width * fine + i));
      n += w; x += w * (i + 0.5) / fine; y += w * (j + 0.5) / fine;
    }
    return n ? [x / n, y / n] : null;
  };
  const blob = centre((p) => (picture[p] < 60 ? 1 : 0));
  const circle = centre((p) => over[p + 3] / 255);
  if (blob && circle) found.push([k, ...blob, ...circle]);
});
return found;
"""


def test_spots_are_drawn_on_their_pixels(known_spots, start_server, open_page, picture, tmp_path):
    path, places = known_spots
    server = start_server(tmp_path / "project")
    page = show(server, open_page, f"path={path}&index=0", width=1280)
    assert page.evaluate("window.devicePixelRatio") == 1
    page.get_by_role("tab", name="Spot finding").click()
    page.get_by_label("Preview spot finding").check()
    expect(page.get_by_text("strong pixels", exact=False).last).to_contain_text("spots from")
    spots = detector(page, "return [d.marks.previewSpots.panel, d.marks.previewSpots.x, d.marks.previewSpots.y];")
    found = np.array(spots).T
    assert len(found) == pytest.approx(len(places), abs=0.05 * len(places))
    nearest = [
        min(np.abs(found[found[:, 0] == panel, 1:] - [fast, slow]).max(axis=1), default=9)
        for panel, fast, slow in places
    ]
    assert np.median(nearest) < 0.1  # px: found where they were put
    detector(
        page, "d.marks.shown.strong = d.marks.shown.beam = d.marks.shown.rings = false; d.shade({low: 0, high: 60});"
    )
    picture(page, f"image-known-spots-{len(set(places[:, 0]))}")
    seen = [places[k] for k in range(len(places)) if nearest[k] < 0.1]
    for scale, x, y in ((0.37, 0.5, 0.5), (2.83, 0.31, 0.42), (17.3, 0.0, 0.0)):
        if scale > 10:
            middle = detector(page, f"return d.geometry.toPlane({', '.join(map(str, seen[len(seen) // 3]))});")
            settle(page, f"d.view.goTo({middle[0]}, {middle[1]}, {scale})")
        else:
            settle(page, f"d.view.goTo(d.geometry.width * {x}, d.geometry.height * {y}, {scale})")
        measured = np.array(
            detector(page, CENTRES.replace("FINE", str(FINE)).replace("PLACES", json.dumps(np.array(seen).tolist())))
        )
        assert len(measured) >= (1 if scale > 10 else 8)
        away = (measured[:, 1:3] - measured[:, 3:5]) / scale  # px of the detector
        assert np.abs(np.median(away, axis=0)).max() < 0.1
        # edges of blobs are known to a sixth of a pixel of the screen; hot pixels near some pull at them
        assert np.percentile(np.abs(away), 90) < 0.1 + 0.5 / (FINE * scale)


def test_predictions_are_drawn_where_their_reflections_are(known_run, start_server, open_page, picture):
    server = start_server(known_run.path.parents[1])
    records = read_ledger(known_run.ledger)[0]
    row = max(range(len(records)), key=lambda k: sum(one.n_strong for one in records[k].lattices))
    page = show(server, open_page, f"run=001&row={row}", dark=True)
    expect(page.locator(".di-about")).to_contain_text(f"integrated · {records[row].n_spots} spots found in the run")
    picture(page, "image-run-dark")
    table = flex.reflection_table.from_file(str(known_run.path / records[row].files["reflections"]))
    strongest = int(np.argmax(table["intensity.sum.value"].as_numpy_array()))
    x, y, _ = table["xyzcal.px"][strongest]
    settle(page, f"d.view.goTo({x}, {y}, 9)")
    box = page.get_by_label("Detector image").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2 + 2, box["y"] + box["height"] / 2 + 2)
    index = " ".join(map(str, table["miller_index"][strongest]))
    expect(page.locator(".di-tip")).to_have_text(index)
    readout = page.get_by_label("Under the cursor")
    expect(readout).to_contain_text(f"hkl {index}")
    expect(readout).to_contain_text(f"pixel {int(x)}, {int(y)}")
    page.get_by_role("tab", name="Pixels").click()
    picture(page, "image-pixels-dark")
    count = detector(page, f"return d.source.count(0, {int(x)}, {int(y)});")
    path = records[row].frame.path
    expect(readout).to_contain_text(f"{count} counts")
    assert path in page.locator(".di-title").get_attribute("title")


def test_rings_have_the_resolution_that_dials_gives_their_pixels(known_spots, start_server, open_page, tmp_path):
    path, _ = known_spots
    server = start_server(tmp_path / "project")
    page = show(server, open_page, f"path={path}&index=0")
    for d_A in (8.0, 3.0, 2.2):
        places = detector(
            page,
            f"return d.geometry.ring({d_A}).flat().filter((_, k) => k % 40 === 0)"
            ".map(([x, y]) => d.geometry.toPanel(x, y)).filter((at) => at);",
        )
        assert len(places) > 6
        for at in places:
            query = f"path={path}&index=0&panel={at['panel']}&fast={int(at['fast'])}&slow={int(at['slow'])}"
            region = page.request.get(f"{server.base}/api/image/region?{query}").json()  # with the page's cookie
            # a ring crosses the pixel somewhere, and DIALS gives its centre, with parallax in the sensor
            assert region["d_A"] == pytest.approx(d_A, rel=0.006)


# -- masks


def test_the_mask_of_the_tutorial(lysozyme, start_server, open_page, picture, tmp_path):
    """A circle and a polygon around the shadow of the beamstop: drawn, saved, used by a run, seen in its spots."""
    server = start_server(tmp_path)
    path = sorted(lysozyme.glob("*.cbf"))[0]
    page = show(server, open_page, f"path={path}")
    page.get_by_role("tab", name="Mask").click()
    box = page.get_by_label("Detector image").bounding_box()
    middle = detector(page, "return d.view.toCanvas(...d.geometry.layout.beam);")
    x, y = box["x"] + middle[0], box["y"] + middle[1]
    page.get_by_role("button", name="Circle").click()
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 90, y, steps=5)
    page.mouse.up()
    page.get_by_role("button", name="Polygon").click()
    for dx, dy in ((-60, -40), (-230, -60), (-230, 60)):
        page.mouse.click(x + dx, y + dy)
        page.wait_for_timeout(400)  # a person does not double-click by chance
    page.mouse.dblclick(x - 60, y + 40)
    expect(page.get_by_label("polygon 2 y4")).to_be_visible()
    page.get_by_label("circle 1 r").fill("160")  # numbers can be edited
    page.keyboard.press("Tab")
    page.get_by_label("Panel edges (px)").fill("3")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_label("Panel edges (px)")).to_have_value("")
    page.get_by_role("button", name="Redo").click()
    expect(page.get_by_label("Panel edges (px)")).to_have_value("3")
    expect(page.locator(".di-save")).to_contain_text("are masked")
    page.get_by_label("Name of the mask").fill("tutorial")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".di-save .di-said")).to_contain_text("Saved:")
    picture(page, "image-mask-light")
    page.get_by_role("button", name="Use for the next run").click()
    page.wait_for_url("**set=**")
    (assignment,) = parse_qs(urlsplit(page.url).query)["set"]
    mask = tmp_path / "masks" / "tutorial.pickle"
    assert assignment == f"image_import.mask={mask}"

    runs = {}
    for name, more in (("without", ()), ("with", (assignment,))):
        done = command("iota.run", path.parent, "-n", 2, *LYSOZYME, *more, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        folder = RunFolder.open(tmp_path / "integration" / f"00{len(runs) + 1}")
        runs[name] = (folder, {record.name: record for record in read_ledger(folder.ledger)[0]})
    (hidden,) = (panel.as_numpy_array() for panel in load_mask(mask))
    folder, records = runs["with"]
    kept = [record for record in records.values() if record.outcome == "integrated"]
    assert len(kept) >= 5
    n_inside = 0
    for record in kept:
        spots = flex.reflection_table.from_file(str(folder.path / record.files["indexed"]))
        px = np.array(spots["xyzobs.px.value"])
        inside = ~hidden[px[:, 1].astype(int), px[:, 0].astype(int)]
        n_inside += int(inside.sum())
    assert n_inside == 0
    fewer = [runs["without"][1][record.name].n_spots - record.n_spots for record in kept]
    assert min(fewer) >= 0
    assert sum(fewer) > 5 * len(fewer)
    row = [record.name for record in read_ledger(folder.ledger)[0]].index(kept[0].name)
    page.goto(f"{server.base}/image?run={folder.path.name}&row={row}")
    page.wait_for_selector(f"{READY}[data-marks=ready]")
    page.get_by_label("Run mask").check()
    page.wait_for_function("document.querySelector('.di').detector.marks.runMask")
    shown = np.ones(hidden.shape, bool)
    for x0, x1, y0, y1 in detector(page, "return d.marks.runMask[0];"):
        shown[y0:y1, x0:x1] = False
    assert (shown == hidden).all()
    picture(page, "image-run-mask-light")


def test_spots_under_a_drawn_mask_are_said_apart(known_spots, start_server, open_page, tmp_path):
    path, _ = known_spots
    page = show(start_server(tmp_path / "project"), open_page, f"path={path}&index=0")
    page.get_by_role("tab", name="Spot finding").click()
    page.get_by_label("Preview spot finding").check()
    said = page.get_by_role("status").filter(has_text="spots from")
    expect(said).to_be_visible()
    spots = detector(page, "return [d.marks.previewSpots.panel, d.marks.previewSpots.x, d.marks.previewSpots.y];")
    panel, x, y = np.array(spots)
    before = said.text_content()
    mask = {"kind": "rectangle", "panel": 0, "numbers": [100, 400, 100, 400]}
    detector(page, f"d.mask.change((drawing) => drawing.shapes.push({json.dumps(mask)}));")
    n_masked = int(((panel == 0) & (x >= 100) & (x < 400) & (y >= 100) & (y < 400)).sum())
    assert n_masked > 10
    expect(said).to_contain_text(f"{len(panel) - n_masked} spots from")
    expect(said).to_contain_text(f"; {n_masked} more under the drawn mask")
    page.get_by_role("tab", name="Overlays").click()
    page.get_by_label("Drawn mask").uncheck()  # what is shown is what is counted
    page.get_by_role("tab", name="Spot finding").click()
    expect(said).to_have_text(before)
    page.get_by_role("tab", name="Overlays").click()
    page.get_by_label("Drawn mask").check()
    page.get_by_role("tab", name="Mask").click()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("tab", name="Spot finding").click()
    expect(said).to_have_text(before)


# -- going through images


def test_images_are_gone_through_by_keys_and_pictures(lysozyme, start_server, open_page, picture, tmp_path):
    server = start_server(tmp_path)
    page = show(server, open_page, f"path={lysozyme}", width=1920, height=1080)
    title = page.locator(".di-title")
    names = [path.name for path in sorted(lysozyme.glob("*.cbf"))]
    expect(title).to_have_text(names[0])
    expect(page.get_by_text("1 of 12")).to_be_visible()
    page.wait_for_selector(".di[data-prefetched='0']")
    page.keyboard.press("ArrowRight")
    expect(title).to_have_text(names[1])
    page.wait_for_selector(READY)
    assert int(page.locator(".di").get_attribute("data-milliseconds")) < 300
    page.wait_for_selector(".di[data-prefetched='1']")
    page.keyboard.press("ArrowLeft")
    expect(title).to_have_text(names[0])
    page.locator(".di-thumb").nth(4).click()
    expect(title).to_have_text(names[4])
    page.wait_for_selector(READY)
    assert f"sources={quote(str(lysozyme), safe='')}" in page.url
    page.reload()  # what is seen is in the address
    page.wait_for_selector(READY)
    expect(title).to_have_text(names[4])
    expect(page.get_by_text("5 of 12")).to_be_visible()
    page.wait_for_function("document.querySelectorAll('.di-thumb canvas[width]').length >= 12", timeout=60_000)
    picture(page, "image-film-light")


def test_what_cannot_be_shown_is_a_sentence_and_the_server_goes_on(
    lysozyme, start_server, open_page, picture, tmp_path
):
    images = tmp_path / "images"
    images.mkdir()
    for k, path in enumerate(sorted(lysozyme.glob("*.cbf"))[:3], 1):
        (images / f"img_{k}.cbf").write_bytes(path.read_bytes())
    (images / "img_2.cbf").write_bytes((images / "img_2.cbf").read_bytes()[:200_000])
    server = start_server(tmp_path / "project")
    page = show(server, open_page, f"path={images}")
    (images / "img_3.cbf").unlink()
    page.keyboard.press("ArrowRight")
    message = page.locator(".di-message")
    expect(message).to_contain_text("img_2.cbf cannot be shown. The file is damaged or cut short")
    picture(page, "image-damaged-light")
    page.keyboard.press("ArrowRight")
    expect(message).to_contain_text("There is no such file")
    page.keyboard.press("Home")
    page.wait_for_selector(READY)
    expect(message).to_be_hidden()
    page.goto(f"{server.base}/image")
    expect(page.get_by_text("No image specified")).to_be_visible()
    page.goto(f"{server.base}/image?path={tmp_path}/nothing_1.cbf")
    expect(message).to_contain_text("nothing_1.cbf")
    page.goto(f"{server.base}/image?run=077&row=0")
    expect(message).to_contain_text("There is no run 077")


def test_the_view_is_saved_as_a_picture(lysozyme, start_server, open_page, tmp_path):
    server = start_server(tmp_path / "project")
    page = show(server, open_page, f"path={sorted(lysozyme.glob('*.cbf'))[0]}")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the view as PNG").click()
    path = tmp_path / "view.png"
    download.value.save_as(path)
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert path.stat().st_size > 50_000
    page.get_by_role("button", name="Open in dials.image_viewer").click()
    expect(page.get_by_text("The server has no display", exact=False)).to_be_visible()


def test_settings_that_were_tried_become_those_of_the_next_run(lysozyme, start_server, open_page, picture, tmp_path):
    server = start_server(tmp_path / "project")
    page = show(server, open_page, f"path={sorted(lysozyme.glob('*.cbf'))[0]}")
    page.get_by_role("tab", name="Spot finding").click()
    page.get_by_label("Preview spot finding").check()
    said = page.get_by_role("status").filter(has_text="spots from")
    expect(said).to_be_visible()
    before = detector(page, "return d.marks.previewSpots.panel.length;")
    page.get_by_label("Sigma strong, number").fill("8")
    page.keyboard.press("Tab")
    page.wait_for_function(f"document.querySelector('.di').detector.marks.previewSpots?.panel.length < {before}")
    picture(page, "image-preview-light")
    page.get_by_role("button", name="Use for the next run").click()
    page.wait_for_url("**set=**")
    assert parse_qs(urlsplit(page.url).query)["set"] == ["spotfinder.threshold.dispersion.sigma_strong=8"]


def test_behind_a_proxy_with_a_prefix_the_page_finds_everything(lysozyme, start_server, open_page, tmp_path):
    server = start_server(tmp_path / "project", "--base-url", "/user/me/iota")
    page = open_page(server.url)
    page.goto(f"{server.base}/image?path={sorted(lysozyme.glob('*.cbf'))[0]}")
    page.wait_for_selector(READY)
    asked = page.evaluate("performance.getEntriesByType('resource').map((e) => new URL(e.name).pathname)")
    tiles = [path for path in asked if path.endswith("/api/image/tiles")]
    assert tiles
    assert all(path.startswith("/user/me/iota/") for path in tiles)
