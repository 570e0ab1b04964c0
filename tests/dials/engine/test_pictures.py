"""Pictures of frames, made while they are processed."""

from pathlib import Path

import numpy as np
import pytest
from commands import LYSOZYME, command
from dials.array_family import flex
from matplotlib.image import imread

from iota.engine.backend import parameters as backend
from iota.engine.frame import pictures
from iota.engine.frame.engine import Engine
from iota.engine.frame.picture_choice import Pictures
from iota.engine.frame.tasks import run_in
from iota.params import read
from iota.records import FrameRef, Settings, Task

EVERYTHING = Pictures(predictions=True, vectors=True, trumpet=True)


@pytest.fixture(scope="module")
def four_panels(tmp_path_factory):
    images = tmp_path_factory.mktemp("quads") / "images"
    words = ("--detector", "quads", "--weak-fraction", 0, "--blank-fraction", 0, "--multi-fraction", 0)
    done = command("iota.simulate", images, "-n", 1, "--seed", 3, *words, cwd=images.parent)
    assert done.returncode == 0, done.stderr
    return next(images.glob("*.nxs"))


def _process(tmp_path, frame, *assignments, **words):
    for name in ("dials", "final", "logs"):
        (tmp_path / name).mkdir(exist_ok=True)
    parameters = read([], [*LYSOZYME, *assignments], is_backend_name=backend.is_backend_name)
    engine = Engine(backend.target_text(parameters), tmp_path, **words)
    return run_in(engine, Task("process", frame, "frame", (Settings("given"),)))


@pytest.fixture(scope="module")
def hit(determined_run):
    return FrameRef((determined_run.path / "integrated.lst").read_text().splitlines()[0])


def _names(tmp_path):
    return sorted(path.name for path in tmp_path.glob("visualization/*"))


# the unit library under Debian's NeXus reader warns when it loads its own tables
@pytest.mark.filterwarnings("ignore:path is deprecated")
@pytest.mark.parametrize("acceleration", [True, False])
def test_each_picture_is_a_png_and_a_pdf_with_something_in_it(hit, tmp_path, acceleration):
    result = _process(tmp_path, hit, pictures=EVERYTHING, accelerate=acceleration)
    assert result.outcome == "integrated"
    assert _names(tmp_path) == sorted(
        f"frame_{what}.{ending}" for what in ("predictions", "trumpet", "vectors") for ending in ("pdf", "png")
    )
    for path in tmp_path.glob("visualization/*.png"):
        image = imread(path)
        assert image.shape[0] > 600
        assert image[..., :3].std() > 0.03  # not empty
    assert "No picture" not in (tmp_path / result.files["log"]).read_text()


@pytest.mark.filterwarnings("ignore:path is deprecated")
def test_panels_are_where_the_geometry_says(four_panels, tmp_path):
    result = _process(tmp_path, FrameRef(str(four_panels), 0), pictures=EVERYTHING)
    assert result.outcome == "integrated", result.reason
    assert len(_names(tmp_path)) == 6
    import dxtbx

    detector = dxtbx.load(str(four_panels)).get_detector()
    assert len(detector) == 4
    panels, points = flex.size_t([0, 1, 3, 3]), flex.vec3_double([(1, 2, 0), (30.5, 40, 0), (7, 9, 0), (100, 0.5, 0)])
    x, y = pictures.lab_positions(detector, panels, points)
    wanted = [detector[p].get_pixel_lab_coord(point[:2]) for p, point in zip(panels, points, strict=True)]
    assert np.allclose(np.stack([x, y], axis=1), np.array(wanted)[:, :2])


def test_a_picture_that_cannot_be_drawn_costs_no_frame(hit, tmp_path, monkeypatch):
    def fails(drawn):
        raise ValueError("nothing to draw")

    monkeypatch.setattr(pictures, "_trumpet", fails)
    result = _process(tmp_path, hit, pictures=EVERYTHING)
    assert result.outcome == "integrated"
    assert len(_names(tmp_path)) == 4
    assert "nothing to draw" in (tmp_path / result.files["log"]).read_text()


def test_none_is_drawn_unless_asked_for(hit, tmp_path):
    assert _process(tmp_path, hit).outcome == "integrated"
    assert not (tmp_path / "visualization").exists()


def test_a_run_draws_what_its_parameters_ask_for(hit, tmp_path):
    words = ("analysis.viz=integration", "analysis.charts=True", "analysis.summary_graphs=True")
    done = command("iota.run", hit.path, "-n", 1, *words, *LYSOZYME, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    name = Path(hit.path).stem
    drawn = {path.stem for path in tmp_path.glob("integration/001/visualization/*.pdf")}
    assert drawn == {f"{name}_predictions", f"{name}_trumpet", "resolution", "unit_cells", "beam_centre"}
    assert "visualization/, charts of the run: resolution" in " ".join(done.stdout.split())
