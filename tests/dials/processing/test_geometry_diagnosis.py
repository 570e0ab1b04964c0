"""A run says at its end that its detector is not where the headers say, and nothing where it is."""

from __future__ import annotations

import msgspec
import pytest
from commands import LYSOZYME, command

import iota.api
from iota.cli.next_steps import next_steps
from iota.processing.conclusion import conclude_again
from iota.runs import RunFolder
from iota.runs.geometry_diagnosis import read_diagnosis

_FRACTIONS = ("--blank-fraction", 0, "--weak-fraction", 0, "--multi-fraction", 0, "--format", "nxs")


def _run(folder, *wrong):
    done = command("iota.simulate", "images", "-n", 20, "--seed", 4, *_FRACTIONS, *wrong, cwd=folder)
    assert done.returncode == 0, done.stderr
    done = command("iota.run", "images", "-n", 2, *LYSOZYME, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return RunFolder.open(folder / "integration" / "001"), " ".join(done.stdout.split())


def _checks(run):
    return [fact for fact in iota.api.open_run(run.path).facts() if fact.label == "Check"]


def test_a_wrong_distance_is_named_with_the_right_one(tmp_path):
    run, said = _run(tmp_path, "--wrong-distance", 1)
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
    # files that are gone make no run fail
    for path in (run.path / "dials").glob("*_indexed.refl"):
        path.unlink()
    conclude_again(run)
    assert read_diagnosis(run) is None


def test_a_right_geometry_gets_no_sentence(tmp_path):
    run, said = _run(tmp_path)
    found = read_diagnosis(run)
    assert found.n_lattices == 20 and found.sentence == "" and found.explains_cells
    assert _checks(run) == [] and "Check:" not in said and "iota.geometry" not in said
    distance = found.deviation("distance")
    assert distance.value == pytest.approx(0.0, abs=4.0 * distance.uncertainty)
