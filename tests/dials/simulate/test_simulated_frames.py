"""Simulated frames, judged by DIALS as it is: it must read, index and integrate them as if they were real."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cctbx import crystal
from dials.array_family import flex
from dxtbx.model.experiment_list import ExperimentListFactory
from side_by_side.results import read_lattices

from iota.simulate import (
    Experiment,
    FoundLattice,
    Frames,
    make_detector,
    merge,
    orientation_error_deg,
    read_frames,
    read_intensities,
    simulate_frame,
    write_dataset,
)

# An empty module stands in for one that Debian's cctbx lacks and that nothing here calls.
STILLS_PROCESS = """\
import sys, types
sys.modules.setdefault("xfel_mono_sim_ext", types.ModuleType("xfel_mono_sim_ext"))
from dials.command_line import stills_process
stills_process.run(sys.argv[1:])
"""
KNOWN_CELL = (
    "indexing.known_symmetry.unit_cell=79.2,79.2,38.1,90,90,90",
    "indexing.known_symmetry.space_group=P43212",
    "indexing.stills.ewald_proximal_volume_max=0.03",
    "indexing.stills.refine_all_candidates=False",
)
LYSOZYME = (79.2, 79.2, 38.1, 90.0, 90.0, 90.0)
HITS = Frames(blank_fraction=0.0, weak_fraction=0.0, multi_fraction=0.0)


def stills_process(folder: Path, *words: str) -> list[FoundLattice]:
    """Run DIALS on the simulated frames in ``folder``."""
    truths = read_frames(folder)
    images = sorted({str(folder / truth["file"]) for truth in truths})
    out = folder / "dials"
    out.mkdir()
    arguments = [*images, "mp.nproc=2", f"output.output_dir={out}", *words]
    with (out / "log.txt").open("w") as log:
        code = subprocess.run(
            [sys.executable, "-c", STILLS_PROCESS, *arguments],
            cwd=out,
            stdout=log,
            stderr=log,
            timeout=600,
            check=False,
        ).returncode
    assert code == 0, (out / "log.txt").read_text()[-2000:]
    paths = sorted(out.glob("*_integrated.expt"))
    return [one for path in paths for one in read_lattices(path, path.with_suffix(".refl"), "P43212")]


def truths_of(folder: Path, found: list[FoundLattice]) -> list[dict]:
    """What is true about the frame of each lattice."""
    truths = {(truth["file"], truth["index_in_file"]): truth for truth in read_frames(folder)}
    return [truths[one.frame] for one in found]


def orientation_errors_deg(folder: Path, found: list[FoundLattice]) -> np.ndarray:
    truths = truths_of(folder, found)
    return np.array([orientation_error_deg(one.A, truth["lattices"]) for one, truth in zip(found, truths, strict=True)])


# The unit library under Debian's NeXus reader warns when it loads its own tables.
@pytest.mark.filterwarnings("ignore:path is deprecated")
@pytest.mark.parametrize(("name", "file_format"), [("1m", "cbf"), ("1m", "nxs"), ("quads", "nxs"), ("eight", "nxs")])
def test_dxtbx_reads_geometry_mask_and_counts(tmp_path, name, file_format):
    experiment = Experiment(detector=make_detector(name), seed=2)
    write_dataset(tmp_path, experiment, 2, file_format=file_format)
    file = tmp_path / read_frames(tmp_path)[1]["file"]
    experiments = ExperimentListFactory.from_filenames([str(file)])
    # Stills of one file come as one set of images each.
    imageset = experiments[-1].imageset
    assert len(experiments) == (1 if file_format == "cbf" else 2)
    counts, _ = simulate_frame(experiment, 1)
    assert imageset.get_beam().get_wavelength() == pytest.approx(experiment.beam.wavelength_A, abs=1e-5)
    for panel, model, raw, mask in zip(
        experiment.detector.panels,
        imageset.get_detector(),
        imageset.get_raw_data(0),
        imageset.get_mask(0),
        strict=True,
    ):
        n_fast, n_slow = panel.size_px
        expected = counts[panel.row0 : panel.row0 + n_slow, :n_fast]
        np.testing.assert_array_equal(raw.as_numpy_array(), expected)
        np.testing.assert_array_equal(mask.as_numpy_array(), expected >= 0)
        assert model.get_origin() == pytest.approx(panel.origin_mm, abs=1e-3)
        assert model.get_fast_axis() == pytest.approx(panel.fast, abs=1e-9)
        assert model.get_slow_axis() == pytest.approx(panel.slow, abs=1e-9)
        lowest, highest = model.get_trusted_range()
        assert lowest in (-1, 0)  # 0 in newer ones; what is marked with -1 is masked in both
        assert highest == experiment.detector.saturation
        assert model.get_thickness() == pytest.approx(experiment.detector.sensor_mm)
        assert model.get_pixel_size() == pytest.approx((panel.pixel_mm, panel.pixel_mm))


@pytest.mark.slow
def test_a_known_crystal_is_found_where_it_is_and_merges_to_the_truth(tmp_path):
    """Measured when this was written: see docs/decisions/0003-simulated-stills.md."""
    n_frames = 90
    frames = Frames(blank_fraction=0.1, weak_fraction=0.1, multi_fraction=0.1)
    experiment = Experiment(frames=frames, seed=11)
    dataset = write_dataset(tmp_path, experiment, n_frames, nproc=2)
    found = stills_process(tmp_path, *KNOWN_CELL, "prediction.d_min=2.0")
    kinds = [truth["kind"] for truth in truths_of(tmp_path, found)]
    assert "blank" not in kinds
    assert kinds.count("normal") >= 0.95 * dataset.kinds["normal"]
    errors = orientation_errors_deg(tmp_path, found)
    assert np.mean(errors < 0.2) > 0.95, np.sort(errors)[-5:]
    assert np.median(errors) < 0.05
    hkl, truth = read_intensities(tmp_path, "lyso")
    fine = np.array(crystal.symmetry(LYSOZYME, "P43212").unit_cell().d(flex.miller_index(hkl.tolist()))) > 1.95
    hkl, truth = hkl[fine], truth[fine]
    merged, multiplicity = merge(found, hkl)
    seen = multiplicity >= 2
    correlation = np.corrcoef(merged[seen], truth[seen])[0, 1]
    print(f"{len(found)} lattices, median error {np.median(errors):.3f} deg, largest {errors.max():.3f}")
    print(f"{seen.sum()} of {len(hkl)} reflections, multiplicity {multiplicity[seen].mean():.1f}, CC {correlation:.3f}")
    assert seen.sum() > 0.3 * len(hkl)
    assert correlation > 0.9


@pytest.mark.slow
def test_several_panels_index_like_one(tmp_path):
    write_dataset(tmp_path, Experiment(detector=make_detector("quads"), frames=HITS, seed=3), 6, file_format="nxs")
    found = stills_process(tmp_path, *KNOWN_CELL)
    errors = orientation_errors_deg(tmp_path, found)
    assert sum(errors < 0.2) >= 5
    assert max(errors) < 0.2


@pytest.mark.slow
def test_most_hits_index_with_nothing_known(tmp_path):
    write_dataset(tmp_path, Experiment(frames=HITS, seed=8), 10)
    found = stills_process(tmp_path)
    errors = orientation_errors_deg(tmp_path, found)
    print(f"{len(found)} of 10 integrated, {errors.round(3)}")
    assert sum(errors < 0.2) >= 5
