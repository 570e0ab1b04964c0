"""A wrong beam centre with which nothing is integrated is found from the spots of the hits of a run."""

from __future__ import annotations

import json
import shutil

import pytest
from commands import LYSOZYME, command

from iota.engine.geometry.detector import panels_of
from iota.engine.images.image import load_reference_geometry
from iota.engine.questions import SEARCH_GEOMETRY, HitFrame, SearchGeometry
from iota.processes.question import NoAnswerError
from iota.runs import RunFolder, read_ledger

WRONG_PX = (3.0, -2.0)  # fast, slow
NO_LATTICES = ("filter.flag_on=True", "filter.crystal_system=Cubic")  # whatever is indexed, quickly
CELL = (79.2, 79.2, 38.1, 90.0, 90.0, 90.0)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run over 15 hits and a blank, with headers that have a wrong beam centre."""
    folder = tmp_path_factory.mktemp("search")
    fractions = ("--blank-fraction", 0.1, "--weak-fraction", 0, "--multi-fraction", 0)
    wrong = ("--wrong-beam", ",".join(map(str, WRONG_PX)))
    done = command("iota.simulate", "images", "-n", 16, "--seed", 3, "--format", "nxs", *fractions, *wrong, cwd=folder)
    assert done.returncode == 0, done.stderr
    done = command("iota.run", "images", "-n", 2, *LYSOZYME, *NO_LATTICES, "geometry.refine=off", cwd=folder)
    assert done.returncode == 1 and "none was integrated" in done.stdout, done.stdout + done.stderr
    assert f"iota.geometry {folder / 'integration' / '001'}" in done.stdout
    return RunFolder.open(folder / "integration" / "001")


@pytest.fixture(scope="module")
def kept(run):
    """All frames, with the files of their spots if there are any."""
    files = [(result.frame, result.files) for result in read_ledger(run.ledger)[0]]
    return [
        HitFrame(frame, *(str(run.path / names[what]) for what in ("experiments", "strong") if "strong" in names))
        for frame, names in files
    ]


@pytest.fixture(scope="module")
def found(run, kept, tmp_path_factory):
    """The answer from spots that were kept, and the reference geometry that was written."""
    output = tmp_path_factory.mktemp("found") / "found.expt"
    target = run.target.read_text()
    answer = SEARCH_GEOMETRY.ask(SearchGeometry(kept, target, str(output), CELL, "P43212"))
    return answer, output


def test_the_beam_centre_is_found_and_the_whole_detector_moved(run, kept, found):
    answer, output = found
    n_blank = sum(not frame.strong for frame in kept)
    assert n_blank and answer.left_out == {"no diffraction": n_blank}
    assert answer.found and answer.changed and answer.n_indexed >= 0.9 * answer.n_hits == 0.9 * (16 - n_blank)
    before, after = answer.beam_centre_before_px, answer.beam_centre_after_px
    assert (before[0] - after[0], before[1] - after[1]) == pytest.approx(WRONG_PX, abs=0.05)
    assert answer.distance_after_mm == pytest.approx(130.0, rel=5e-4)
    at_first = load_reference_geometry(kept[-1].experiments or kept[0].experiments)
    moved = panels_of(load_reference_geometry(str(output)))
    by_mm = moved.origin_mm - panels_of(at_first).origin_mm
    assert by_mm.tolist() == [pytest.approx(answer.move_mm, abs=1e-9)]


def test_spots_are_found_again_with_the_parameters_of_the_run(run, kept, found, tmp_path):
    wanted, reference = found
    frames = [HitFrame(frame.frame, frame.experiments, str(tmp_path / "gone.refl")) for frame in kept]
    output = tmp_path / "again.expt"
    target = run.target.read_text()
    again = SEARCH_GEOMETRY.ask(SearchGeometry(frames, target, str(output)))
    assert again.method == "lattice vectors, common cell of the hits" and again.left_out == wanted.left_out
    assert again.shift_px == pytest.approx(wanted.shift_px, abs=0.02) and output.is_file()
    # with the geometry that was found, there is nothing to find
    right = f"{target}\ninput.reference_geometry = {reference}\n"
    output = tmp_path / "right.expt"
    answer = SEARCH_GEOMETRY.ask(SearchGeometry(frames, right, str(output), CELL, "P43212"))
    assert answer.found and not answer.changed and not output.exists()
    assert answer.beam_centre_before_px == wanted.beam_centre_after_px
    assert answer.sentence.startswith("Beam centre and distance are as assumed within the uncertainty: ")


def test_without_hits_there_is_no_answer(run, kept, tmp_path):
    blanks = [frame for frame in kept if not frame.strong]
    with pytest.raises(
        NoAnswerError, match=rf"None of {len(blanks)} frames has spots .*\({len(blanks)} no diffraction"
    ):
        SEARCH_GEOMETRY.ask(SearchGeometry(blanks, run.target.read_text(), str(tmp_path / "x.expt")))
    few = SEARCH_GEOMETRY.ask(SearchGeometry(kept[:8], run.target.read_text(), str(tmp_path / "x.expt")))
    assert not few.found and not few.changed and few.shift_esd_px is None and "at least 10 are needed" in few.sentence
    assert not (tmp_path / "x.expt").exists()


def test_a_run_without_lattices_gets_a_geometry_with_which_it_is_processed(run, geometry):
    folder = run.path / "geometry" / "001"
    status, said, error = geometry(run.path)
    assert (status, error) == (0, ""), error
    record = json.loads((folder / "geometry_search.json").read_text())
    assert record["n_lattices"] == 0 and record["n_available"] == record["result"]["n_frames"] == 15
    assert {path.name for path in folder.iterdir()} == {*record["files"], "geometry_search.json"}
    assert {"found.expt", "found.geom", "found_mask.h5", "geometry.png"} <= record["files"].keys()
    assert record["result"]["sentence"] in " ".join(said.split())
    reference = f"advanced.reference_geometry={folder / 'found.expt'}"
    assert f"{run.script} {reference}" in said
    as_crystfel = panels_of(load_reference_geometry(str(folder / "found.geom")))
    wanted = panels_of(load_reference_geometry(str(folder / "found.expt")))
    assert as_crystfel.origin_mm.tolist() == [pytest.approx(wanted.origin_mm[0], abs=2e-5)]
    project = run.path.parents[1]
    done = command("iota.run", run.script, "-n", 2, reference, cwd=project)
    outcomes = [result.outcome for result in read_ledger(project / "integration/002/frames.jsonl")[0]]
    assert outcomes.count("failed_filter") >= 14, done.stdout  # all but the filter likes them
    # the geometry is right now, whatever else is wrong, and nothing is written
    status, said, error = geometry(project / "integration/002")
    assert (status, error) == (0, ""), error
    said = " ".join(said.split())
    assert "Beam centre and distance are as assumed within the uncertainty" in said and "keep the geometry" in said
    assert not (project / "integration/002/geometry").exists()
    status, said, _ = geometry(run.path, "unit_cell=50 62 71 90 90 90", "--output", "other", "--json")
    found = json.loads(said)["result"]
    assert found["shift_px"] == pytest.approx(record["result"]["shift_px"], abs=0.02)
    assert "do not have the known cell, but a cell with the reduced axes 38." in found["sentence"]


def test_without_a_geometry_the_reason_is_said(run, geometry, tmp_path):
    status, _, error = geometry(run.path, "search=off")
    assert status == 2 and "No lattice was integrated" in error
    few = tmp_path / "integration" / "001"
    shutil.copytree(run.path, few, ignore=shutil.ignore_patterns("geometry"))
    lines = (few / "frames.jsonl").read_text().splitlines(keepends=True)
    (few / "frames.jsonl").write_text("".join(lines[:7]))
    status, _, error = geometry(few, "search=on")
    assert status == 2 and "0 indexed lattices are too few to refine" in error and "at least 10 are needed" in error
    assert not (few / "geometry").exists()
