"""A run says at its end that its detector is not where the headers say, and nothing where it is."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import Future
from pathlib import Path
from threading import Event, Thread

import msgspec
import numpy as np
import pytest
from commands import LYSOZYME, command
from dials.array_family import flex
from dxtbx.model import ExperimentList

import iota.api
from iota.cli.next_steps import next_steps
from iota.engine.images.image import load_reference_geometry
from iota.engine.questions import MEASURE_DRIFT, IndexedFrame, MeasureDrift
from iota.inputs import find_frames
from iota.params import read
from iota.processing.conclusion import conclude_again
from iota.processing.geometry import live as live_geometry
from iota.processing.geometry.checks import frames_of_parts
from iota.processing.geometry.live import LiveGeometry
from iota.processing.run import Run
from iota.runs import RunFolder, read_ledger
from iota.runs.geometry_diagnosis import read_diagnosis, read_drift, write_diagnosis, write_drift
from iota.runs.state import read_state

_FRACTIONS = ("--blank-fraction", 0, "--weak-fraction", 0, "--multi-fraction", 0, "--format", "nxs")


def _run(folder, *wrong):
    done = command("iota.simulate", "images", "-n", 20, "--seed", 4, *_FRACTIONS, *wrong, cwd=folder)
    assert done.returncode == 0, done.stderr
    done = command("iota.run", "images", "-n", 2, *LYSOZYME, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return RunFolder.open(folder / "integration" / "001"), " ".join(done.stdout.split())


def _checks(run):
    return [fact for fact in iota.api.open_run(run.path).facts() if fact.label == "Check"]


@pytest.fixture(scope="module")
def wrong(tmp_path_factory):
    """A run whose distance is 1 % wrong, and what it printed."""
    return _run(tmp_path_factory.mktemp("wrong"), "--wrong-distance", 1)


class Replay:
    """Workers that give the records of another run, and the last one only when something was noted."""

    n_processes = 1

    def __init__(self, run, is_noted):
        self._records = {record.frame: record for record in read_ledger(run.ledger)[0]}
        self._n_left, self._is_noted = len(self._records), is_noted

    def submit(self, tasks):
        future = Future()
        self._n_left -= 1
        if self._n_left:
            future.set_result([self._records[tasks[0].frame]])
        else:
            answer = [self._records[tasks[0].frame]]
            Thread(target=lambda: (self._is_noted.wait(120), future.set_result(answer))).start()
        return future

    def stop(self):
        pass


class Notes:
    """A display that remembers."""

    def __init__(self):
        self.notes, self.is_noted, self.steps = [], Event(), []

    def progress(self, n_finished, n_frames, n_waiting, counts, doing):
        self.steps.append((n_finished, doing))

    def determined(self, lattice):
        raise AssertionError

    def note(self, text):
        self.notes.append((self.steps[-1][0], text))
        self.is_noted.set()


def test_a_run_in_progress_tells_it_before_its_last_frame_is_finished(wrong, tmp_path, monkeypatch):
    earlier, _ = wrong
    monkeypatch.setattr(live_geometry, "FIRST_CHECK", 19)
    folder, parameters = RunFolder.create(tmp_path), read([earlier.script])
    shutil.copytree(earlier.path / "dials", folder.path / "dials", dirs_exist_ok=True)
    run = Run.create(folder, parameters, find_frames(parameters.inputs), ["iota.run"], {})
    shown = Notes()
    run.execute(shown, Replay(earlier, shown.is_noted))
    ((n_finished, note),) = shown.notes
    assert n_finished == 19 and note.startswith("Check: All cell axes are 1.0 % larger")
    assert note in folder.log.read_text()
    assert shown.steps[-1] == (20, "checking the geometry")
    assert read_state(folder.state).doing == ""
    assert read_diagnosis(folder).n_lattices == 20


def test_a_wrong_distance_is_named_with_the_right_one(wrong, tmp_path):
    run, said = wrong
    found = read_diagnosis(run)
    assert found.n_lattices == 20 and found.distance_mm == pytest.approx(131.3, abs=1e-3)
    assert found.better_distance_mm == pytest.approx(130.0, rel=1e-3)
    (check,) = _checks(run)  # that of the cells is the same said less well
    assert check.text == found.sentence and check.values["distance_mm"] == found.better_distance_mm
    assert f"{found.better_distance_mm:.2f} mm would explain it, and so would a wavelength 1.0 % shorter." in said
    assert found.sentence in " ".join(run.log.read_text().split())
    done = command("iota.report", run.path, "--output", tmp_path / "report.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"a detector distance of {found.better_distance_mm:.2f} mm" in (tmp_path / "report.html").read_text()
    # a run is analysed again with the same result
    conclusion, _ = conclude_again(run)
    assert msgspec.to_builtins(read_diagnosis(run)) == msgspec.to_builtins(found)
    steps = " ".join(next_steps(conclusion, run))
    assert f"image_import.distance={found.better_distance_mm:.1f}" in steps and "iota.geometry" in steps
    # while a run goes on, the same is told once in the background
    told = []
    live = LiveGeometry(run, told.append)
    write_diagnosis(run, None)
    for n_integrated in (24, 25, 99, 100, 399):
        live.look(n_integrated, [])
        begun = live.is_checking
        while live.is_checking:  # the question has a limit of time
            time.sleep(0.05)
        assert begun == (n_integrated in (25, 100))
    assert told == [f"Check: {found.sentence}"]
    assert read_diagnosis(run) == found
    write_diagnosis(run, None)
    live.look(400, [])
    live.stop()
    assert not live.is_checking and read_diagnosis(run) is None
    # files that are gone make no run fail
    for path in (run.path / "dials").glob("*_indexed.refl"):
        path.unlink()
    conclude_again(run)
    assert read_diagnosis(run) is None


@pytest.fixture(scope="module")
def right(tmp_path_factory):
    """A run whose geometry is right, and what it printed."""
    return _run(tmp_path_factory.mktemp("right"))


def test_a_right_geometry_gets_no_sentence(right):
    run, said = right
    found = read_diagnosis(run)
    assert found.n_lattices == 20 and found.sentence == "" and found.explains_cells
    assert _checks(run) == [] and "Check:" not in said and "iota.geometry" not in said
    distance = found.deviation("distance")
    assert distance.value == pytest.approx(0.0, abs=4.0 * distance.uncertainty)


def _origin(run):
    record = read_ledger(run.ledger)[0][0]
    experiments = ExperimentList.from_file(str(run.path / record.files["experiments"]), check_format=False)
    return experiments[0].detector[0].get_origin()


def test_a_step_of_the_beam_centre_splits_a_run_into_parts_with_reference_geometries(right, tmp_path):
    run, _ = right
    records = read_ledger(run.ledger)[0]
    frames = []
    for number in range(1, 121):  # the lattices of the run six times, those from 61 on with spots moved by 0.1 mm
        record = records[number % len(records)]
        indexed = run.path / record.files["indexed"]
        if number > 60:
            indexed = tmp_path / indexed.name
            if not indexed.exists():
                table = flex.reflection_table.from_file(str(run.path / record.files["indexed"]))
                table["xyzobs.mm.value"] = table["xyzobs.mm.value"] + flex.vec3_double(len(table), (0.1, 0.0, 0.0))
                table.as_file(str(indexed))
        frames.append(
            IndexedFrame(record.frame, str(run.path / record.files["experiments"]), str(indexed), (0,), float(number))
        )
    drift = MEASURE_DRIFT.ask(MeasureDrift(frames[::-1], write_to=str(tmp_path / "parts")))
    assert drift.sentence == "The beam centre moves during the run, by 0.10 mm along x."
    assert [len(some) for _, some in frames_of_parts(drift, [one.frame for one in frames])] == [60, 60]
    before, after = (load_reference_geometry(part.file) for part in drift.parts)
    assert Path(drift.parts[1].file) == tmp_path / "parts" / "part_02.expt"
    moved = np.array(after[0].get_origin()) - before[0].get_origin()
    # the first part is where it was, and the mean is half of the way
    assert before[0].get_origin()[:2] == pytest.approx(_origin(run)[:2], abs=0.005)
    assert drift.mean_mm["shift x"] == pytest.approx(-0.05, abs=0.005) and not drift.is_cell_known
    assert moved == pytest.approx([-0.1, 0.0, 0.0], abs=0.005)  # spots farther to the right: panel farther to the left
    # what parts of a run were processed with stays when the run is concluded
    write_drift(run, drift)
    conclude_again(run)
    assert read_drift(run) == drift
    # one geometry is enough where nothing moves, and too few lattices tell nothing
    same = MEASURE_DRIFT.ask(MeasureDrift(frames[:60] * 2, write_to=str(tmp_path / "none")))
    assert (same.sentence, same.parts) == ("", []) and not (tmp_path / "none").exists()
