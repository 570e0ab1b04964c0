"""With acceleration off, the reflections of a run are those of dials.stills_process on the same parameters."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import LYSOZYME, command

from iota.engine.backend import versions
from iota.runs import RunFolder, read_ledger

COLUMNS = (
    "miller_index",
    "intensity.sum.value",
    "intensity.sum.variance",
    "xyzcal.px",
    "xyzobs.px.value",
    "background.mean",
)


def _run_both(images, tmp_path, *assignments):
    done = command("iota.run", *images, "-n", 2, "advanced.acceleration=off", *assignments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = RunFolder.open(tmp_path / "integration" / "001")
    backend = tmp_path / "backend"
    backend.mkdir()
    # alone, where a frame could see what the frame before it left behind
    for group in [[image] for image in images] if versions.keeps_indexers() else [images]:
        subprocess.run(
            [
                sys.executable,
                Path(__file__).with_name("backend_script.py"),
                folder.target,
                "output.output_dir=.",
                "output.composite_output=False",
                "output.integration_pickle=None",
                "mp.nproc=2",
                *group,
            ],
            cwd=backend,
            check=True,
            capture_output=True,
            timeout=900,
        )
    return folder, backend


def _column(table, name):
    values = table[name]
    return (
        np.array(list(values))
        if name == "miller_index"
        else values.as_numpy_array()
        if hasattr(values, "as_numpy_array")
        else np.array(values)
    )


def _assert_same(folder, backend):
    from dials.array_family import flex
    from dxtbx.model.experiment_list import ExperimentList

    results, _ = read_ledger(folder.ledger)
    compared = 0
    for result in results:
        theirs = backend / f"idx-{Path(result.frame.path).name.partition('.cbf')[0]}_integrated.refl"
        theirs = theirs if theirs.exists() else backend / f"idx-{Path(result.frame.path).stem}_integrated.refl"
        assert (result.outcome == "integrated") == theirs.exists(), result
        if not theirs.exists():
            continue
        ours = flex.reflection_table.from_file(str(folder.path / result.files["reflections"]))
        expected = flex.reflection_table.from_file(str(theirs))
        assert len(ours) == len(expected)
        for name in COLUMNS:
            np.testing.assert_array_equal(_column(ours, name), _column(expected, name), err_msg=f"{result.name} {name}")
        model, expected_model = (
            ExperimentList.from_file(str(path), check_format=False)[0].crystal
            for path in (folder.path / result.files["experiments"], theirs.with_suffix(".expt"))
        )
        assert model.get_A() == expected_model.get_A()
        compared += 1
    return compared


@pytest.mark.slow
def test_simulated_frames_with_a_known_cell(determined_run, tmp_path):
    hits = (determined_run.path / "integrated.lst").read_text().splitlines()[:2]
    blank = (determined_run.path / "failed_triage.lst").read_text().splitlines()[:1]
    folder, backend = _run_both([*hits, *blank], tmp_path, *LYSOZYME)
    assert _assert_same(folder, backend) == 2


@pytest.mark.slow
def test_simulated_frames_with_a_target_of_all_kinds(determined_run, tmp_path):
    target = tmp_path / "mine.phil"
    target.write_text(
        "spotfinder.threshold.dispersion.kernel_size = 4 4\nindexing.method = real_space_grid_search\n"
        "indexing.stills.method_list = None\nintegration.background.simple.outlier.algorithm = nsigma\n"
        "profile.gaussian_rs.parameters.sigma_b_cutoff = 0.2\nprediction.d_min = 2.2\n"
    )
    hits = (determined_run.path / "integrated.lst").read_text().splitlines()[:2]
    folder, backend = _run_both(hits, tmp_path, f"cctbx_xfel.target={target}", *LYSOZYME)
    assert _assert_same(folder, backend) >= 1


@pytest.mark.slow
def test_real_frames_with_a_known_cell(thaumatin, tmp_path):
    images = [thaumatin / f"thau_3_2_{k}.cbf.bz2" for k in ("0001", "0013", "0016")]
    folder, backend = _run_both(
        images, tmp_path, "target_unit_cell=58.4 58.4 152.2 90 90 90", "target_space_group=P41212"
    )
    assert _assert_same(folder, backend) == 2
