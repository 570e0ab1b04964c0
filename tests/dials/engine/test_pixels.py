"""The processes that open images: what they answer is what is in the files, and nothing they meet hurts the server."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import zlib
from dataclasses import replace

import dxtbx
import h5py
import numpy as np
import pytest
from commands import command
from dials.array_family import flex

from iota.engine.images.masks import load_mask
from iota.engine.questions import PIXELS, ImageRequest
from iota.engine.viewer.mask_shapes import rectangles_of, shapes_in_phil
from iota.engine.viewer.pixel_layout import layout_of
from iota.engine.viewer.pixels import Pixels
from iota.errors import IotaError, NotFoundError, UsageError
from iota.processes.question import AnsweringProcess, CrashError, NoAnswerError
from iota.runs import read_ledger
from iota.web.image.mask_phil import MaskDrawing, Shape, phil_of
from iota.web.image.pixel_server import PixelServer


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    """A file of two frames on eight tilted panels."""
    folder = tmp_path_factory.mktemp("eight") / "images"
    done = command("iota.simulate", folder, "-n", 2, "--detector", "eight", "--silent", cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.nxs"))


@pytest.fixture
def pixels(tmp_path):
    return Pixels(tmp_path)


def ask(pixels, do, **given):
    return pixels.answer(ImageRequest(do, given))


def counts_of(path, index=0):
    image = dxtbx.load(str(path))
    raw = image.get_raw_data(index) if path.suffix == ".nxs" else image.get_raw_data()
    return [panel.as_numpy_array() for panel in (raw if isinstance(raw, tuple) else (raw,))]


def tile(pixels, source, panel, level, x, y):
    _, body = ask(pixels, "tiles", source=source, tiles=[(panel, level, x, y)])
    return np.frombuffer(zlib.decompress(body[4:]), "<u2")


# -- pixels


def test_tiles_are_the_counts_and_their_maxima(pixels, lysozyme):
    path = sorted(lysozyme.glob("*.cbf"))[0]
    (counts,) = counts_of(path)
    source = {"path": str(path)}
    first = tile(pixels, source, 0, 0, 1, 2).reshape(256, 256).astype(int)
    there = counts[512:768, 256:512]
    assert ((first == there) | ((first == 65535) & (there < 0))).all()
    assert (there < 0).any()
    half = tile(pixels, source, 0, 1, 1, 0)
    columns = -(-counts.shape[1] // 2) - 256
    half = half.reshape(-1, columns)
    block = counts[:20, 512:532].reshape(10, 2, 10, 2).max(axis=(1, 3))
    assert (half[:10, :10] == np.where(block < 0, 65535, block)).all()
    assert ask(pixels, "tiles", source=source, tiles=[(0, 0, 99, 0), (7, 0, 0, 0)])[1] == bytes(8)


def test_what_is_masked_is_what_dials_masks(pixels, lysozyme, eight):
    for source in ({"path": str(sorted(lysozyme.glob("*.cbf"))[0])}, {"path": str(eight), "index": 1}):
        frame = pixels._frame(source)
        for ours, theirs in zip(frame.trusted, frame.imageset.get_mask(0), strict=True):
            assert (ours == theirs.as_numpy_array()).all()
            assert not ours.all()


def test_the_region_holds_exact_counts_and_the_resolution_of_dials(pixels, lysozyme):
    path = sorted(lysozyme.glob("*.cbf"))[0]
    (counts,) = counts_of(path)
    region, _ = ask(pixels, "region", source={"path": str(path)}, panel=0, fast=5, slow=300)
    table = region.counts
    assert (len(table), len(table[0])) == (17, 17)
    assert table[0][:3] == [None, None, None]  # left of the panel
    assert table[8][8] == counts[300, 5]
    image = dxtbx.load(str(path))
    d_A = image.get_detector()[0].get_resolution_at_pixel(image.get_beam().get_s0(), (5.5, 300.5))
    assert region.d_A == pytest.approx(d_A, abs=1e-3)


def test_images_and_panels_that_a_file_does_not_hold_are_told_from_what_cannot_be_read(pixels, eight, tmp_path):
    def refused(do, path, **given):
        source = {"path": str(path), "index": given.pop("index", 0)}
        with pytest.raises(Exception) as caught:
            pixels.answer(ImageRequest(do, {"source": source, **given}))
        return caught.type

    assert refused("open", eight, index=2) is NotFoundError
    assert refused("open", tmp_path / "nothing.nxs") is NotFoundError
    assert refused("region", eight, panel=8, fast=0, slow=0) is NotFoundError
    assert refused("region", eight, panel=7, fast=10**6, slow=0) is NotFoundError
    assert refused("strong", eight, more="spotfinder.threshold.dispersion.gain=x") is UsageError
    assert refused("open", tmp_path) is UsageError
    assert not issubclass(refused("region", eight, panel="x", fast=0, slow=0), IotaError)


def test_the_server_hands_on_what_is_not_there(tmp_path):
    server = PixelServer()
    try:
        with pytest.raises(NotFoundError, match=r"nothing\.nxs"):
            server.ask("open", source={"path": str(tmp_path / "nothing.nxs"), "index": 0})
    finally:
        server.close()


def test_panels_lie_where_the_geometry_says(eight):
    image = dxtbx.load(str(eight))
    detector, beam = image.get_detector(0), image.get_beam(0)
    layout = layout_of(detector, beam)
    x, y, origin = (np.array(v) for v in (layout.plane_x, layout.plane_y, layout.plane_origin))
    normal = np.cross(x, y) / np.linalg.norm(np.cross(x, y))
    for place, panel in zip(layout.panels, detector, strict=True):
        for fast, slow in ((0, 0), (1000.3, 17.25), (512, 511.5)):
            on_plane = np.array(place.origin) + fast * np.array(place.fast) + slow * np.array(place.slow)
            lab = origin + on_plane[0] * x + on_plane[1] * y
            true = np.array(panel.get_lab_coord((fast * 0.075, slow * 0.075)))
            assert np.linalg.norm(np.cross(true - lab, normal)) < 1e-6  # mm: straight above its place on the plane
            assert abs((true - lab) @ normal) < 2.0
    assert min(p.origin[0] for p in layout.panels) >= 0
    assert layout.beam_panel is None  # between the panels
    assert layout.beam is not None
    assert y[1] < 0 < x[0]  # seen along the beam


def test_one_panel_is_its_own_plane(lysozyme):
    image = dxtbx.load(str(sorted(lysozyme.glob("*.cbf"))[0]))
    (place,) = (layout := layout_of(image.get_detector(), image.get_beam())).panels
    assert place.origin == pytest.approx((0, 0), abs=1e-9)
    assert place.fast == pytest.approx((1, 0))
    assert place.slow == pytest.approx((0, 1))
    assert layout.beam == pytest.approx(layout.beam_panel[1:], abs=0.01)


# -- marks


def test_marks_are_those_of_the_files_of_the_run(pixels, known_run):
    record = next(r for r in read_ledger(known_run.ledger)[0] if r.outcome == "integrated")
    files = {what: str(known_run.path / file) for what, file in record.files.items()}
    lattices, _ = ask(pixels, "lattices", experiments=files["experiments"], reflections=files["reflections"])
    assert [len(one.panel) for one in lattices] == [lattice.n_integrated for lattice in record.lattices]
    table = flex.reflection_table.from_file(files["reflections"])
    assert (lattices[0].h[0], lattices[0].k[0], lattices[0].l[0]) == table["miller_index"][0]
    assert (lattices[0].x[0], lattices[0].y[0]) == pytest.approx(table["xyzcal.px"][0][:2], abs=1e-3)
    source = {"path": record.frame.path, "index": record.frame.index, "target": str(known_run.target)}
    spots, _ = ask(pixels, "spots", source=source, indexed=files["indexed"])
    assert len(spots.panel) == record.n_spots  # found again with the settings of the run
    indexed = flex.reflection_table.from_file(files["indexed"])
    assert sum(k >= 0 for k in spots.lattice) == indexed.get_flags(indexed.flags.indexed).count(True)


def test_the_preview_follows_its_settings(pixels, known_run):
    record = next(r for r in read_ledger(known_run.ledger)[0] if r.outcome == "integrated")
    source = {"path": record.frame.path, "target": str(known_run.target)}
    numbers = {}
    for sigma in (3, 6):
        more = f"spotfinder.threshold.dispersion.sigma_strong={sigma}"
        strong, body = ask(pixels, "strong", source=source, more=more)
        spots, _ = ask(pixels, "spots", source=source, more=more)
        assert len(body) == 4 * (1 + strong["n_pixels"])
        numbers[sigma] = (strong["n_pixels"], len(spots.panel))
    assert numbers[6][0] < numbers[3][0]
    assert numbers[6][1] < numbers[3][1]
    # what IOTA leaves to the backend is previewed, too
    by_backend, _ = ask(pixels, "strong", source=source, more="spotfinder.threshold.dispersion.gain=1")
    assert by_backend["n_pixels"] == pytest.approx(numbers[3][0], rel=0.02)


# -- masks


@pytest.mark.parametrize("which", ["one panel", "eight panels"])
def test_a_mask_is_pixel_for_pixel_that_of_generate_mask(pixels, lysozyme, eight, tmp_path, which):
    path = sorted(lysozyme.glob("*.cbf"))[0] if which == "one panel" else eight
    panel = 0 if which == "one panel" else 5
    drawing = MaskDrawing(
        shapes=[
            Shape("circle", [490, 200, 33], panel),
            Shape("rectangle", [3, 90, 400, 512], panel),
            Shape("polygon", [100, 100, 300, 120, 250, 330, 90, 310], panel),
        ],
        border=2,
        d_max=20.0,
        resolution_ranges=[(3.7, 3.6)],
    )
    source = {"path": str(path), "index": None if which == "one panel" else 0}
    target = tmp_path / "masks" / "mine.pickle"
    saved, _ = ask(pixels, "save_mask", source=source, phil=phil_of(drawing), base=[], path=str(target))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "dials.command_line.generate_mask", str(path), saved.phil),
            "output.mask=theirs.mask",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    theirs, ours = load_mask(sorted(tmp_path.glob("theirs*.mask"))[0]), load_mask(target)  # one for each image
    assert len(ours) == (1 if which == "one panel" else 8)
    for a, b in zip(ours, theirs, strict=True):
        assert (a == b).count(False) == 0
    assert saved.n_masked == sum(panel.count(False) for panel in theirs) > 5000
    again = shapes_in_phil((tmp_path / "masks" / "mine.phil").read_text())
    assert [(s["kind"], s["numbers"], s["panel"]) for s in again["shapes"]] == [
        (shape.kind, shape.numbers, shape.panel) for shape in drawing.shapes
    ]
    assert (again["border"], again["d_max"], again["resolution_ranges"]) == (2, 20.0, [[3.6, 3.7]])


def test_a_mask_joins_those_of_files(pixels, lysozyme, tmp_path):
    path = sorted(lysozyme.glob("*.cbf"))[0]
    source = {"path": str(path)}
    base = flex.bool(flex.grid(*counts_of(path)[0].shape), True)
    base[10, 20] = False
    (tmp_path / "base.pickle").write_bytes(pickle.dumps((base,)))
    shown, _ = ask(
        pixels, "mask", source=source, phil="untrusted { circle = 500 500 3 }", base=[str(tmp_path / "base.pickle")]
    )
    alone, _ = ask(pixels, "mask", source=source, phil="untrusted { circle = 500 500 3 }", base=[])
    assert shown.n_masked == alone.n_masked + 1
    assert (20, 21, 10, 11) in shown.rectangles[0]


def test_the_shadow_becomes_rectangles_that_generate_mask_understands(pixels, lysozyme, tmp_path):
    path = sorted(lysozyme.glob("*.cbf"))[0]
    source = {"path": str(path)}
    found, _ = ask(pixels, "shadow", source=source, threshold=2.0)
    drawing = MaskDrawing(shapes=[Shape("rectangle", list(numbers), panel) for panel, numbers in found])
    shown, _ = ask(pixels, "mask", source=source, phil=phil_of(drawing), base=[])
    assert shown.n_masked == sum((x1 - x0) * (y1 - y0) for _, (x0, x1, y0, y1) in found) > 100
    with pytest.raises(UsageError, match="above the background"):
        ask(pixels, "shadow", source=source, threshold=1e6)


def test_rectangles_are_exactly_the_region():
    region = np.random.default_rng(1).random((70, 90)) < 0.3
    region[20:40, 10:60] = True
    again = np.zeros(region.shape, int)
    for x0, x1, y0, y1 in rectangles_of(region):
        again[y0:y1, x0:x1] += 1
    assert (again == region).all()
    assert rectangles_of(np.zeros((3, 3), bool)) == []


# -- what goes wrong


class _Evil:
    def __reduce__(self):
        return os.mkdir, (self.where,)


def test_hostile_and_broken_files_are_sentences(pixels, lysozyme, tmp_path):
    path = sorted(lysozyme.glob("*.cbf"))[0]
    evil = _Evil()
    evil.where = str(tmp_path / "was-run")
    for name, data in (("mask.pickle", (evil,)), ("img_1.pickle", {"DATA": evil}), ("img_2.img", {"DATA": evil})):
        for protocol in (0, 2, 4):
            (tmp_path / name).write_bytes(pickle.dumps(data, protocol))
            with pytest.raises(UsageError):
                ask(pixels, "mask_file", source={"path": str(path)}, path=str(tmp_path / name))
            with pytest.raises(UsageError):
                ask(pixels, "open", source={"path": str(tmp_path / name)})
    (tmp_path / "t.phil").write_text(f'spotfinder.lookup.mask = "{tmp_path / "mask.pickle"}"\n')
    with pytest.raises(UsageError, match="not a mask"):
        ask(pixels, "strong", source={"path": str(path), "target": str(tmp_path / "t.phil")})
    (tmp_path / "m.phil").write_text(f"border = __import__('os').mkdir('{tmp_path / 'was-run'}')\n")
    with pytest.raises(UsageError):
        ask(pixels, "mask_shapes", path=str(tmp_path / "m.phil"))
    assert not (tmp_path / "was-run").exists()
    cut = tmp_path / "cut_1.cbf"
    cut.write_bytes(path.read_bytes()[:300_000])
    for source, words in (
        ({"path": str(cut)}, "damaged or cut short"),
        ({"path": str(tmp_path / "gone_1.cbf")}, "There is no such file"),
        ({"path": str(tmp_path / "m.phil")}, "does not recognise"),
        ({"path": str(path), "index": 4}, "contains only 1 image"),
    ):
        with pytest.raises(UsageError, match=words):
            ask(pixels, "open", source=source)
    with pytest.raises(UsageError, match="Nothing is called"):
        ask(pixels, "_frame", source={"path": str(path)})


def test_image_pickles_of_numbers_are_opened(pixels, tmp_path):
    image = {
        "DATA": flex.int(flex.grid(40, 50), 7),
        "PIXEL_SIZE": 0.1,
        "DISTANCE": 100.0,
        "WAVELENGTH": 1.0,
        "BEAM_CENTER_X": 2.5,
        "BEAM_CENTER_Y": 2.0,
        "SIZE1": 40,
        "SIZE2": 50,
        "CCD_IMAGE_SATURATION": 1000,
        "SATURATED_VALUE": 1000,
        "OSC_START": 0.0,
        "OSC_RANGE": 0.0,
        "TIME": 1.0,
        "TWOTHETA": 0.0,
        "DETECTOR_ADDRESS": "",
        "TIMESTAMP": "2020-01-01T00:00Z00.000",
    }
    (tmp_path / "img_1.pickle").write_bytes(pickle.dumps(image, 2))
    opened, _ = ask(pixels, "open", source={"path": str(tmp_path / "img_1.pickle")})
    assert opened["n_pixels"] == 2000
    assert (tile(pixels, {"path": str(tmp_path / "img_1.pickle")}, 0, 0, 0, 0) == 7).all()


def test_an_image_that_changes_is_read_again(pixels, eight, tmp_path):
    copy = tmp_path / "img_1.nxs"
    copy.write_bytes(eight.read_bytes())
    source = {"path": str(copy), "index": 0}
    before = ask(pixels, "region", source=source, panel=0, fast=100, slow=100)[0].counts[8][8]
    changed = tmp_path / "changed.nxs"
    changed.write_bytes(eight.read_bytes())
    with h5py.File(changed, "r+") as file:
        file["entry/data/data"][0, 100, 100] = before + 5
    changed.replace(copy)
    assert ask(pixels, "region", source=source, panel=0, fast=100, slow=100)[0].counts[8][8] == before + 5


# -- the processes


@pytest.fixture
def server():
    server = PixelServer(limit_s=20)
    yield server
    server.close()


def process_ids(server):
    return [helper.process._process.pid for helper in server._helpers if helper.process.is_running]


def test_a_helper_that_was_killed_costs_nothing_and_two_one_request(server, lysozyme, monkeypatch):
    source = {"path": str(sorted(lysozyme.glob("*.cbf"))[0])}
    assert server.ask("open", about="a", source=source)[0]["n_pixels"] == 1043 * 981
    (first,) = process_ids(server)
    os.kill(first, signal.SIGSTOP)  # at work, as it were
    threading.Timer(0.5, os.kill, (first, signal.SIGKILL)).start()
    assert server.ask("open", about="a", source=source)[0]["n_pixels"] == 1043 * 981
    assert first not in process_ids(server)
    started = []

    def start_and_kill(process):
        start(process)
        process.kill()
        started.append(process)

    start = AnsweringProcess.start
    monkeypatch.setattr(AnsweringProcess, "start", start_and_kill)
    with pytest.raises(CrashError, match="no result because its process was killed"):
        server.ask("open", about="a", source=source)
    assert len(started) == 2
    monkeypatch.undo()
    assert server.ask("open", about="a", source=source)[0]["n_pixels"] == 1043 * 981


def test_a_hang_is_given_up_and_holds_up_nobody_else(lysozyme):
    server = PixelServer()
    try:
        one, two = ({"path": str(path)} for path in sorted(lysozyme.glob("*.cbf"))[:2])
        server.ask("open", about="a", source=one)
        (helper,) = [helper for helper in server._helpers if helper.process.is_running]
        helper.process._question = replace(PIXELS, seconds=4)
        os.kill(helper.process._process.pid, signal.SIGSTOP)
        said = []

        def hang():
            try:
                server.ask("open", about="a", source=one)
            except NoAnswerError as error:
                said.append(str(error))

        waiting = threading.Thread(target=hang)
        start = time.monotonic()
        waiting.start()
        time.sleep(0.1)
        assert server.ask("open", about="b", source=two)[0]["n_pixels"] == 1043 * 981  # by the other helper
        answered = time.monotonic() - start
        waiting.join()
        assert answered < time.monotonic() - start
        assert said == [
            "Processing the image was ended after 4 s. The server is still running; other images can be opened."
        ]
        helper.process._question = PIXELS
        assert server.ask("open", about="a", source=one)[0]["n_pixels"] == 1043 * 981
    finally:
        server.close()
