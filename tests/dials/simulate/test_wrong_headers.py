"""Simulated headers that are wrong: DIALS reads what is wrong, and the true geometry makes up for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import LYSOZYME, command
from dxtbx.model.experiment_list import ExperimentListFactory

from iota.engine.images.image import load_reference_geometry
from iota.records import FrameResult
from iota.runs import RunFolder, read_ledger
from iota.simulate import (
    Detector,
    GeometryAccuracy,
    geometry_accuracy,
    orientation_error_deg,
    read_detector,
    read_frames,
)

N = 3


def simulated(folder: Path, *words: object) -> Path:
    none = [word for kind in ("blank", "weak", "multi") for word in (f"--{kind}-fraction", 0)]
    done = command("iota.simulate", folder, "-n", N, "--seed", 6, *none, *words, cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return folder


def processed(folder: Path, number: int, *words: str) -> list[FrameResult]:
    """Results of the frames in order; run ``number``."""
    command("iota.run", folder, *LYSOZYME, *words, "-n", 2, cwd=folder.parent)
    results = read_ledger(RunFolder(folder.parent / "integration" / f"{number:03d}").ledger)[0]
    return sorted(results, key=lambda result: (result.frame.path, result.frame.index or 0))


def compared(detector, truth: Detector) -> GeometryAccuracy:
    """A detector of dxtbx with the true one."""
    return geometry_accuracy(
        [panel.get_origin() for panel in detector],
        [panel.get_fast_axis() for panel in detector],
        [panel.get_slow_axis() for panel in detector],
        truth,
    )


def given(detector: Detector) -> list[str]:
    """Parameters of a run that state distance and beam centre, whatever the header says."""
    (x, y), distance = detector.beam_px, detector.distance_mm
    return [f"image_import.{word}" for word in (f"distance={distance}", f"beam_center.x={x}", f"beam_center.y={y}")]


def in_header(folder: Path):
    image = folder / read_frames(folder)[0]["file"]
    return ExperimentListFactory.from_filenames([str(image)])[0].detector


def assert_right(folder: Path, results: list[FrameResult]):
    for result, truth in zip(results, read_frames(folder), strict=True):
        assert result.outcome == "integrated", result.reason
        (lattice,) = result.lattices
        assert orientation_error_deg(lattice.a_matrix, truth["lattices"]) < 0.1
        assert lattice.unit_cell[:3] == pytest.approx(truth["lattices"][0]["unit_cell"][:3], rel=2e-3)


def test_a_wrong_distance_and_centre_spoil_a_run_and_the_true_ones_mend_it(tmp_path):
    folder = simulated(tmp_path / "wrong", "--detector", "300k", "--wrong-distance", 1, "--wrong-beam", "3,-2")
    true = read_detector(folder)
    seen = compared(in_header(folder), true)
    assert seen.distance_mm == pytest.approx(1.1, abs=0.01)
    assert seen.centre_px == pytest.approx((3, -2), abs=0.02)
    wrong = processed(folder, 1, *given(read_detector(folder, "header")))
    for result, truth in zip(wrong, read_frames(folder), strict=True):
        for lattice in result.lattices:
            assert np.array(lattice.unit_cell[:3]) / truth["lattices"][0]["unit_cell"][:3] != pytest.approx(1, abs=2e-3)
    assert_right(folder, processed(folder, 2, *given(true)))
    geometry = load_reference_geometry(str(folder / "truth.geom"))
    assert compared(geometry, true).rms_px < 1e-6


# The unit library under Debian's NeXus reader warns when it loads its own tables.
@pytest.mark.filterwarnings("ignore:path is deprecated")
def test_displaced_panels_are_in_the_true_geometry_and_64_of_them_in_their_hierarchy(tmp_path):
    folder = simulated(tmp_path / "panels", "--detector", "cspad", "--displaced-panels", "1,0.1")
    true, detector = read_detector(folder), in_header(folder)
    assert compared(detector, true).rms_px_panels == pytest.approx(1, abs=0.1)
    assert compared(detector, read_detector(folder, "header")).rms_px < 1e-6
    whole = detector.hierarchy()
    while len(whole) == 1:
        whole = whole[0]
    assert [len(quadrant) for quadrant in whole] == [8, 8, 8, 8]
    assert {len(sensor) for quadrant in whole for sensor in quadrant} == {2}
    results = processed(folder, 1, f"advanced.reference_geometry={folder / 'truth.geom'}")
    assert_right(folder, results)
    (expt, *_) = sorted((tmp_path / "integration" / "001" / "dials").glob("*_integrated.expt"))
    used = ExperimentListFactory.from_json_file(str(expt), check_format=False)[0].detector
    assert compared(used, true).rms_px_panels < 1e-3
