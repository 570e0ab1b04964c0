"""iota.merge on frames whose true intensities are known, read back by gemmi."""

import contextlib
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import gemmi
import numpy as np
import pytest
from commands import command
from dials.array_family import flex
from dxtbx.model import ExperimentList

from iota.analysis.summary import SummaryBuilder
from iota.crystallography.indices import unique_reflections
from iota.merging.merge_folders import merge_state
from iota.merging.merge_programs import prime_command, xia2_command
from iota.runs import RunFolder, iterate_ledger, read_state
from iota.runs.process import own_mark
from iota.simulate.truth import read_frames, read_intensities

CELL = (79.2, 79.2, 38.1, 90, 90, 90)


def _run(folder, space_group, n):
    images = folder / "images"
    options = ("--blank-fraction", 0, "--weak-fraction", 0, "--multi-fraction", 0, "--space-group", space_group)
    done = command("iota.simulate", images, "-n", n, "--seed", 6, *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    cell = "target_unit_cell=79.2 79.2 38.1 90 90 90"
    done = command("iota.run", images, "-n", 2, cell, f"target_space_group={space_group}", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return images


def _truth_correlation(mtz, images, operation=((1, 0, 0), (0, 1, 0), (0, 0, 1))):
    """CC of merged and true intensities, the merged ones indexed by this operation."""
    merged = gemmi.read_mtz_file(str(mtz))
    hkl = (np.array(merged)[:, :3] @ np.array(operation)).astype(int)
    true_hkl, true = read_intensities(images, "lyso")
    symbol = merged.spacegroup.hm
    unique, _, number = unique_reflections(CELL, symbol, 1.7, hkl)
    _, _, true_number = unique_reflections(CELL, symbol, 1.7, true_hkl)
    wanted, found = np.full(len(unique), np.nan), np.full(len(unique), np.nan)
    wanted[true_number[true_number >= 0]] = true[true_number >= 0]
    found[number[number >= 0]] = np.array(merged.column_with_label("IMEAN"))[number >= 0]
    both = np.isfinite(wanted) & np.isfinite(found)
    assert both.sum() > 2000
    return merged, float(np.corrcoef(wanted[both], found[both])[0, 1])


@pytest.mark.slow
def test_merged_intensities_are_the_true_ones_and_cc_half_says_so(tmp_path):
    images = _run(tmp_path, "P43212", 120)
    done = command("iota.merge", 1, "d_min=1.7", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path / "integration" / "001" / "merge" / "001"
    merged, correlation = _truth_correlation(folder / "merged.mtz", images)
    assert merged.spacegroup.hm == "P 43 21 2"
    assert merged.cell.parameters == pytest.approx(CELL, rel=1e-3)
    assert correlation > 0.9
    result = json.loads((folder / "merge.json").read_text())
    cc_half = result["overall"]["cc_half"]
    assert math.sqrt(2 * cc_half / (1 + cc_half)) == pytest.approx(correlation, abs=0.05)  # CC* of Karplus & Diederichs
    assert result["ambiguities"] == [] and result["n_lattices"] > 100
    assert [point["n_lattices"] for point in result["cumulative"]][-1] == result["n_lattices"]
    assert re.search(r"Indexing ambiguity +none", done.stdout)
    assert {"merge.phil", "table.txt", "merging.png", "scale.log", "merge.log"} <= {p.name for p in folder.iterdir()}
    again = command("iota.merge", 1, folder / "merge.phil", "--silent", cwd=tmp_path)
    assert (again.returncode, again.stdout) == (0, "")
    repeated = json.loads((folder.parent / "002" / "merge.json").read_text())
    assert repeated["overall"] == result["overall"]


def _lattices_right(folder, images):
    """How many of the scaled lattices of P 43 are indexed as most are, compared with the truth, and of how many."""
    true = [np.array(frame["lattices"][0]["A"]).reshape(3, 3) for frame in read_frames(images)]
    experiments = ExperimentList.from_file(str(folder / "scaled.expt"), check_format=False)
    assert len(experiments) == len(true)  # all are merged, in the order of collection
    upwards = 0
    for experiment in experiments:
        a_found = np.array(experiment.crystal.get_A()).reshape(3, 3)
        operation = np.linalg.inv(true[int(experiment.identifier.partition("_")[2]) - 1]) @ a_found
        assert np.abs(operation - np.rint(operation)).max() < 0.1
        upwards += operation[2, 2] > 0
    return max(upwards, len(true) - upwards), len(true)


@pytest.mark.slow
def test_ways_of_indexing_are_told_apart(tmp_path):
    images = _run(tmp_path, "P43", 60)
    for options in (("cosym_lattices=30",), ("resolve_ambiguity=False",)):
        done = command("iota.merge", 1, "d_min=1.7", *options, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "y,x,-z" in done.stdout
    above = tmp_path / "integration" / "001" / "merge"
    result = json.loads((above / "001" / "merge.json").read_text())
    assert result["ambiguities"] == ["y,x,-z"]
    assert sum(result["reindexed"].values()) == result["n_lattices"] == 60
    right, n_lattices = _lattices_right(above / "001", images)
    assert right >= n_lattices - 1
    assert _lattices_right(above / "002", images)[0] < 45  # as they came, half of them
    # which of the two is the first way is chance
    told_apart, as_they_are = (
        max(_truth_correlation(above / n / "merged.mtz", images, way)[1] for way in (np.eye(3), np.diag([-1, 1, -1])))
        for n in ("001", "002")
    )
    assert told_apart > 0.8
    assert told_apart > as_they_are + 0.1


def test_a_centred_group_with_an_ambiguity_in_another_setting(tmp_path):
    """A monoclinic cell that looks orthorhombic: both ways of indexing fit it, and CCP4 lists no I 1 1 2."""
    rare = ("--blank-fraction", 0, "--weak-fraction", 0, "--multi-fraction", 0)
    cell = ("--cell", "70,62,50,90,90,90", "--space-group", "I 1 1 2")
    assert command("iota.simulate", "images", "-n", 4, "--seed", 11, *cell, *rare, cwd=tmp_path).returncode == 0
    given = ("target_unit_cell=70 62 50 90 90 90", "target_space_group=I 1 1 2")
    assert command("iota.run", "images", "-n", 1, *given, cwd=tmp_path).returncode == 0
    done = command("iota.merge", 1, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path / "integration" / "001" / "merge" / "001"
    assert 'space_group = "I 1 1 2"' in (folder / "cosym.log").read_text()
    merged = gemmi.read_mtz_file(str(folder / "merged.mtz"))
    assert merged.spacegroup_name == merged.spacegroup.xhm() == "I 1 1 2"
    assert merged.cell.parameters == pytest.approx((70, 62, 50, 90, 90, 90), rel=0.01)
    hkl = np.array(merged)[:, :3].astype(int)
    assert len(hkl) > 500 and not np.any(hkl.sum(axis=1) % 2)


def test_a_run_that_goes_on_is_merged_as_far_as_it_is(known_run, tmp_path):
    run = RunFolder(shutil.copytree(known_run.path, tmp_path / "001"))
    state = read_state(run.state)
    state.status, state.n_frames, state.process = "running", 50, own_mark()
    state.write(run.state)
    done = command("iota.merge", run.path, "d_min=2.5", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The run is still in progress: 12 of 50 images were finished" in " ".join(done.stdout.split())
    result = json.loads((run.path / "merge" / "001" / "merge.json").read_text())
    assert (result["n_frames_finished"], result["n_frames"]) == (12, 50)
    assert merge_state(run.path / "merge" / "001").status == "done"


@pytest.mark.parametrize(("end", "status"), [(signal.SIGTERM, 130), (signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_merge_that_was_ended_is_no_result(end, status, known_run, tmp_path):
    run = RunFolder(shutil.copytree(known_run.path, tmp_path / "001"))
    program = Path(sys.executable).with_name("iota.merge")
    merging = subprocess.Popen([program, run.path], stderr=subprocess.PIPE, text=True, start_new_session=True)
    log = run.path / "merge" / "001" / "scale.log"
    deadline = time.monotonic() + 120
    while not log.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(merging.pid, end)
    words = merging.communicate(timeout=60)[1]
    assert merging.returncode == status
    with contextlib.suppress(ProcessLookupError):  # what a killed one has left running
        os.killpg(merging.pid, signal.SIGKILL)
    assert merge_state(log.parent).status == ("stopped" if status == 130 else "interrupted")
    assert not (log.parent / "merge.json").exists() and not (log.parent / "merged.mtz").exists()
    if status == 130:
        assert words == "iota.merge: interrupted; nothing was merged.\n"
        assert {path.name for path in log.parent.iterdir()} == {"merge.phil", "scale.log", "state.json"}


def _chosen(run):
    results = [result for result in iterate_ledger(run.ledger) if result.lattices]
    builder = SummaryBuilder(len(results))
    for result in results:
        builder.add(result)
    return [(result, k) for result in results for k in range(len(result.lattices))], builder.summary()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # PRIME leaves its files open
def test_prime_reads_what_a_run_and_a_merge_write_for_it(known_run, tmp_path):
    prime = pytest.importorskip("prime.postrefine.mod_input", reason="PRIME is not installed")
    chosen, summary = _chosen(known_run)
    command_line = prime_command(known_run, tmp_path, chosen[:3], summary, ("P 43 21 2", 2.1))
    assert command_line == ["prime.run", str(tmp_path / "prime.phil")]
    for script, n_lattices, d_min in (
        (known_run.path / "prime.phil", len(chosen), round(summary.d_min_A[1], 2)),
        (tmp_path / "prime.phil", 3, 2.1),
    ):
        parameters, _ = prime.process_input([str(script)], flag_mkdir=False)
        assert (parameters.merge.d_min, str(parameters.target_space_group)) == (d_min, "P 43 21 2")
        assert parameters.target_crystal_system == "Tetragonal"
        pickles = prime.read_pickles(parameters.data)
        assert len(pickles) == n_lattices
        assert all(len(prime.read_frame(pickle)["observations"][0].data()) > 50 for pickle in pickles)


def test_xia2_gets_the_chosen_lattices_under_the_names_it_looks_for(known_run, tmp_path):
    chosen, _ = _chosen(known_run)
    command_line = xia2_command(known_run, tmp_path, chosen[:4], ("P 43 21 2", 2.1))
    assert command_line == [
        "xia2.ssx_reduce", "directory=lattices", "space_group=P43212", "d_min=2.10"
    ]  # fmt: skip
    experiments = ExperimentList.from_file(str(tmp_path / "lattices" / "integrated.expt"), check_format=False)
    table = flex.reflection_table.from_file(str(tmp_path / "lattices" / "integrated.refl"))
    assert len(experiments) == 4 and set(table["id"]) == {0, 1, 2, 3}
    table.assert_experiment_identifiers_are_consistent(experiments)


def test_what_cannot_be_merged_gets_a_sentence(known_run):
    project = known_run.path.parents[1]
    for arguments, words in (
        (("1", "engine=xia2"), "xia2.ssx_reduce is not on the PATH"),
        (("1", "engine=prime"), "PRIME is"),
        (("1", "space_group=P222"), "does not fit the lattice"),
        (("1", "space_group=P 4 (c,a,b)"), "which needs b = c"),
        (("1", "dmin=2"), "no parameter named merging.dmin"),
        (("99",), "is not a run folder"),
        ((), "takes one run"),
    ):
        done = command("iota.merge", *arguments, cwd=project)
        assert done.returncode == 2
        assert words in done.stderr and "Traceback" not in done.stderr
    assert not (known_run.path / "merge").exists()
