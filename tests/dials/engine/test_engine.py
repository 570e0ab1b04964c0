"""One frame through the engine, in this process."""

import os
from pathlib import Path

import pytest
from cctbx.sgtbx import space_group_info
from commands import LYSOZYME, command
from dxtbx.model import ExperimentList

from iota.engine.backend import indexing_settings
from iota.engine.backend import parameters as backend
from iota.engine.backend.known_symmetry import with_lattice
from iota.engine.frame.engine import Engine
from iota.engine.frame.filter import LatticeFilter
from iota.engine.frame.tasks import run_in
from iota.engine.images.image import import_frame
from iota.errors import ParameterError
from iota.params import read
from iota.records import FrameRef, Settings, Task


def _engine(tmp_path, *assignments, **words):
    for name in ("dials", "final", "logs"):
        (tmp_path / name).mkdir(exist_ok=True)
    parameters = read([], [*LYSOZYME, *assignments], is_backend_name=backend.is_backend_name)
    return Engine(backend.target_text(parameters), tmp_path, **words)


GIVEN = Settings("given")


def _process(engine, image, settings=(GIVEN,)):
    return run_in(engine, Task("process", FrameRef(str(image)), Path(image).stem, settings))


@pytest.fixture(scope="module")
def hits(determined_run):
    return [Path(line) for line in (determined_run.path / "integrated.lst").read_text().splitlines()]


def test_a_result_does_not_depend_on_the_frames_before(hits, tmp_path):
    engine = _engine(tmp_path)
    first, _, again = (_process(engine, image) for image in (hits[0], hits[1], hits[0]))
    assert first.lattices == again.lattices
    assert first.lattices[0].a_matrix == again.lattices[0].a_matrix


def test_a_failed_attempt_leaves_no_trace_in_the_next(hits, tmp_path):
    impossible = Settings(
        "impossible", "indexing.known_symmetry.unit_cell = 30 40 50 90 90 90\nindexing.known_symmetry.space_group=P222"
    )
    plain = _process(_engine(tmp_path), hits[0])
    after = _process(_engine(tmp_path), hits[0], (impossible, GIVEN))
    assert after.lattices == plain.lattices
    assert after.settings == "given"
    assert len(after.attempts) == 1
    assert after.attempts[0].startswith("impossible: ")


def test_files_of_a_frame_appear_when_they_are_complete_and_experiments_last(hits, tmp_path, monkeypatch):
    appeared = []

    def replace(new, final):
        appeared.append(Path(final).name)
        assert not Path(final).exists()
        rename(new, final)

    rename = os.replace
    monkeypatch.setattr(Path, "replace", replace)
    result = _process(_engine(tmp_path), hits[0])
    monkeypatch.undo()
    assert result.outcome == "integrated"
    assert appeared.index(Path(result.files["reflections"]).name) < appeared.index(
        Path(result.files["experiments"]).name
    )
    written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert written == set(appeared)  # nothing is written in another way, and nothing hidden is left
    assert written == {Path(name).name for name in (*result.files.values(), *result.lattices[0].files.values())}


def test_the_filter_discards_with_a_reason(hits, tmp_path):
    result = _process(_engine(tmp_path, lattice_filter=LatticeFilter(min_reflections=100000)), hits[0])
    assert (result.outcome, result.lattices) == ("failed_filter", [])
    assert "100000 are required" in result.reason
    assert not list((tmp_path / "final").iterdir())
    assert (tmp_path / result.files["strong"]).exists()


def test_every_lattice_of_a_frame_is_kept(tmp_path, tmp_path_factory):
    images = tmp_path_factory.mktemp("two") / "images"
    done = command(
        "iota.simulate",
        images,
        "-n",
        3,
        "--seed",
        5,
        "--multi-fraction",
        1,
        "--blank-fraction",
        0,
        "--weak-fraction",
        0,
        cwd=images.parent,
    )
    assert done.returncode == 0, done.stderr
    engine = _engine(tmp_path, "indexing.multiple_lattice_search.max_lattices=2")
    results = [_process(engine, image) for image in sorted(images.glob("*.cbf"))]
    both = [r for r in results if len(r.lattices) == 2]
    assert both, [r.reason or len(r.lattices) for r in results]
    for result in both:
        first, second = result.lattices
        assert first.a_matrix != second.a_matrix
        assert len({lattice.files["pickle"] for lattice in result.lattices}) == 2
        assert all((tmp_path / lattice.files["pickle"]).exists() for lattice in result.lattices)
        assert all(lattice.n_indexed > 0 and lattice.n_integrated > 0 for lattice in result.lattices)


def test_the_target_is_checked_against_the_installed_backend(tmp_path):
    wrong = tmp_path / "wrong.phil"
    wrong.write_text("indexing {\n  max_cel = 100\n}\n")
    with pytest.raises(ParameterError, match=r"indexing.max_cel .*line 2.*Did you mean indexing.max_cell"):
        backend.target_text(read([], [f"cctbx_xfel.target={wrong}"]))
    wrong.write_text("indexing.method = magic\n")
    with pytest.raises(ParameterError, match="magic"):
        backend.target_text(read([], [f"cctbx_xfel.target={wrong}"]))


def test_more_spots_than_allowed_are_neither_a_blank_nor_a_hit(hits, tmp_path):
    result = _process(_engine(tmp_path, "dispatch.hit_finder.maximum_number_of_reflections=40"), hits[0])
    assert (result.outcome, result.lattices) == ("too_many_spots", [])
    assert result.reason == f"{result.n_spots} spots found; the maximum allowed is 40 (dispatch.hit_finder)."
    assert {"experiments", "strong", "log"} <= set(result.files)  # its spots can be looked at


@pytest.mark.parametrize(
    ("cell", "space_group", "accelerate"),
    [("79.2 79.2 38.1", "P 43 21 2", True), ("79.2 79.2 38.1", "P 41", False), ("38.1 79.2 79.2", "P 4 (c,a,b)", True)],
)
def test_candidates_refined_with_known_symmetry_keep_the_space_group(hits, tmp_path, cell, space_group, accelerate):
    words = [f"target_unit_cell={cell} 90 90 90", f"target_space_group={space_group}"]
    words.append("indexing.stills.refine_candidates_with_known_symmetry=True")
    result = _process(_engine(tmp_path, *words, accelerate=accelerate), hits[0])
    (lattice,) = result.lattices
    given = space_group_info(space_group)
    assert space_group_info(lattice.space_group).group() == given.group()
    assert lattice.unit_cell[:3] == pytest.approx([float(length) for length in cell.split()], rel=0.01)
    (experiment,) = ExperimentList.from_file(str(tmp_path / result.files["experiments"]), check_format=False)
    assert experiment.crystal.get_space_group() == given.group()


def test_a_cell_that_contradicts_its_space_group_is_refused_wherever_they_are_given(tmp_path):
    target = tmp_path / "target.phil"
    target.write_text("indexing.known_symmetry { unit_cell = 38.1 79.2 79.2 90 90 90\n space_group = P43212 }\n")
    for assignments in (
        [f"cctbx_xfel.target={target}"],
        ["indexing.known_symmetry.unit_cell=38.1 79.2 79.2 90 90 90", "indexing.known_symmetry.space_group=P43212"],
        ["cctbx_xfel.target_unit_cell=38.1 79.2 79.2 90 90 90", "indexing.known_symmetry.space_group=P43212"],
    ):
        parameters = read([], assignments, is_backend_name=backend.is_backend_name)
        with pytest.raises(ParameterError, match=r"needs a = b .* The cell 79.2 79.2 38.1 90 90 90 would fit"):
            backend.target_text(parameters)
    # IOTA's own parameters overrule the target file
    backend.target_text(read([], [f"cctbx_xfel.target={target}", "target_unit_cell=79.2 79.2 38.1 90 90 90"]))


def test_what_the_user_gives_wins_over_settings_and_determination(tmp_path):
    target = tmp_path / "mine.phil"
    target.write_text("indexing.max_cell = 123\nindexing.known_symmetry.space_group = P222\n")
    text = backend.target_text(read([], [f"cctbx_xfel.target={target}", "significance_filter.sigma=0.5"]))
    assert "max_cell = 123" in text
    assert "isigi_cutoff = 0.5" in text
    assert not any("max_cell" in rung.phil for rung in indexing_settings.settings_to_try(text))
    assert not indexing_settings.lattice_is_given(text)
    determined = with_lattice("x", (79, 79, 38, 90, 90, 90), "P 4 2 2", indexing_settings.given_space_group(text))
    assert '"P 2 2 2"' in determined.phil


def test_the_written_target_gives_itself_back(tmp_path):
    text = backend.target_text(read([], [*LYSOZYME, "use_fft3d=False"]))
    path = tmp_path / "target.phil"
    path.write_text(text)
    assert backend.target_text(read([], [f"cctbx_xfel.target={path}", *LYSOZYME, "use_fft3d=False"])) == text


def test_geometry_can_be_overruled(hits, tmp_path):
    engine = _engine(tmp_path, "image_import.distance=160", "beam_center.x=470.5", "beam_center.y=530.25")
    experiment = import_frame(FrameRef(str(hits[0])), engine.params(), tmp_path / "links" / "x")[0]
    panel = experiment.detector[0]
    assert panel.get_directed_distance() == pytest.approx(160)
    assert panel.get_beam_centre_px(experiment.beam.get_s0()) == pytest.approx((470.5, 530.25), abs=0.01)
