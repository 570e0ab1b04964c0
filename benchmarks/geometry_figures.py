"""What a run on a simulated set gave, compared with the truth: frames, lattices, geometry, merged intensities."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from dials.array_family import flex
from dxtbx.model.experiment_list import ExperimentListFactory
from geometry_cases import CRYSTALS, Case, Done

from iota.crystallography.indices import hkl_in_asymmetric_unit
from iota.runs import read_ledger
from iota.simulate import (
    Detector,
    FoundLattice,
    GeometryAccuracy,
    geometry_accuracy,
    merge,
    orientation_error_deg,
    read_detector,
    read_frames,
    read_intensities,
)

FloatArray = npt.NDArray[np.float64]

WRONG_DEG = 1.0  # a lattice that is this far from the true one is another
CHANGED_PX = 1e-3


@dataclass
class Lattices:
    """Integrated lattices: the frames they are on, how many are wrong, and the true ones merged."""

    frames: list[int] = field(default_factory=list)
    n_wrong: int = 0
    cell_error_percent: float | None = None
    """The largest of the relative errors of the axes, median over the lattices that are not wrong."""
    merged: FloatArray = field(default_factory=lambda: np.zeros(0))
    multiplicity: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


@dataclass
class Geometry:
    """A geometry minus the truth."""

    centre_px: float
    distance_percent: float
    tilt_deg: float
    rotation_deg: float
    panels_gone_percent: float | None
    """How much smaller the displacement of panels is than that of the header (rms); None for one panel."""


def read_lattices(case: Case, done: Done, images: Path) -> tuple[Lattices, dict[int, Any]]:
    """Lattices of a run, and the detector of dxtbx that each integrated frame was processed with."""
    truth = read_frames(images)
    crystal = CRYSTALS[case.crystal]
    found, detectors, errors = Lattices(), {}, []
    good: list[FoundLattice] = []
    for record in read_ledger(done.run / "frames.jsonl")[0]:
        if record.outcome != "integrated":
            continue
        experiments = ExperimentListFactory.from_json_file(
            str(done.run / record.files["experiments"]), check_format=False
        )
        table = flex.reflection_table.from_file(str(done.run / record.files["reflections"]))
        index = experiments[0].imageset.indices()[0]
        found.frames.append(index)
        detectors[index] = experiments[0].detector
        true_A = np.reshape(truth[index]["lattices"][0]["A"], (3, 3)) if truth[index]["lattices"] else None
        for number, experiment in enumerate(experiments):
            chosen = table.select(table["id"] == number)
            lattice = (
                None if true_A is None else _in_true_axes(experiment.crystal, chosen, true_A, (images.name, index))
            )
            if lattice is None:
                found.n_wrong += 1
            else:
                errors.append(_cell_error(lattice.A, true_A))
                good.append(lattice)
    found.frames.sort()
    if good:
        found.cell_error_percent = 100 * float(np.median(errors))
        for lattice in good:
            lattice.hkl[:] = hkl_in_asymmetric_unit(lattice.hkl, crystal.space_group)
        found.merged, found.multiplicity = merge(good, read_intensities(images, crystal.name)[0])
    return found, detectors


def _in_true_axes(
    crystal: Any, table: flex.reflection_table, true_A: FloatArray, frame: tuple[str, int]
) -> FoundLattice | None:
    """A lattice and its reflections described by the axes of the true one [3, 3]; None if it is another."""
    # a run that knows nothing may describe it by a centred cell
    to_primitive = crystal.get_space_group().info().change_of_basis_op_to_primitive_setting()
    A = np.reshape(crystal.change_basis(to_primitive).get_A(), (3, 3))
    if orientation_error_deg(A, [{"A": true_A}]) > WRONG_DEG:
        return None
    axes = np.rint(np.linalg.inv(true_A) @ A)
    hkl = to_primitive.apply(table["miller_index"]).as_vec3_double().as_numpy_array() @ axes.T
    A = A @ np.linalg.inv(axes)
    return FoundLattice(
        frame=frame,
        A=A,
        unit_cell=tuple(_lengths_A(A)),
        hkl=np.rint(hkl).astype(np.int32),
        intensity=table["intensity.sum.value"].as_numpy_array(),
    )


def _cell_error(A: FloatArray, true_A: FloatArray) -> float:
    """The largest of the relative errors of the three axes."""
    return float(np.abs(_lengths_A(A) / _lengths_A(true_A) - 1).max())


def _lengths_A(A: FloatArray) -> FloatArray:
    return np.linalg.norm(np.linalg.inv(A), axis=1)


def correlation(found: Lattices, others: Lattices, images: Path, case: Case) -> float | None:
    """Correlation of merged with true intensities, of reflections that both have measured twice or more."""
    truth = read_intensities(images, CRYSTALS[case.crystal].name)[1]
    if not len(found.merged) or not len(others.merged):
        return None
    common = (found.multiplicity >= 2) & (others.multiplicity >= 2)
    return float(np.corrcoef(found.merged[common], truth[common])[0, 1]) if common.sum() >= 10 else None


def read_geometry(path: Path) -> Any:
    """The detector of an ``.expt`` file."""
    return ExperimentListFactory.from_json_file(str(path), check_format=False)[0].detector


def compare(detector: Any, truth: Detector, header: Detector) -> Geometry:
    """A detector of dxtbx minus the true one."""
    found, start = _accuracy(detector, truth), _of_header(header, truth)
    gone = 1 - found.rms_px_panels / start.rms_px_panels if start.rms_px_panels > CHANGED_PX else None
    return Geometry(
        centre_px=float(np.hypot(*found.centre_px)),
        distance_percent=100 * found.distance_mm / truth.distance_mm,
        tilt_deg=float(np.hypot(*found.tilt_deg)),
        rotation_deg=found.rotation_deg,
        panels_gone_percent=None if gone is None else 100 * gone,
    )


def change_px(detector: Any, header: Detector) -> float:
    """How far a detector of dxtbx is from that of the header (rms over its panels)."""
    return _accuracy(detector, header).rms_px


def drift_errors_mm(detectors: dict[int, Any], images: Path) -> FloatArray:
    """Error of the distance [n] that each frame was processed with, where the true one drifts."""
    truth, frames = read_detector(images), read_frames(images)
    of_detector: dict[int, float] = {}
    errors = []
    for index, detector in detectors.items():
        key = hash(tuple(x for panel in detector for x in (*panel.get_origin(), *panel.get_fast_axis())))
        if key not in of_detector:
            of_detector[key] = _accuracy(detector, truth).distance_mm
        errors.append(of_detector[key] - (frames[index]["distance_mm"] - truth.distance_mm))
    return np.array(errors)


def most_used(detectors: dict[int, Any]) -> tuple[Any, int]:
    """The detector of most frames, and the number of different ones."""
    keys = {k: json.dumps(detector.to_dict(), sort_keys=True) for k, detector in detectors.items()}
    counts = Counter(keys.values())
    most = counts.most_common(1)[0][0]
    return next(detectors[k] for k, key in keys.items() if key == most), len(counts)


def _accuracy(detector: Any, truth: Detector) -> GeometryAccuracy:
    frames = ([get() for get in (p.get_origin, p.get_fast_axis, p.get_slow_axis)] for p in detector)
    return geometry_accuracy(*zip(*frames, strict=True), truth)


def _of_header(header: Detector, truth: Detector) -> GeometryAccuracy:
    frames = ((p.origin_mm, p.fast, p.slow) for p in header.panels)
    return geometry_accuracy(*zip(*frames, strict=True), truth)


def uncertainties(refined: Path) -> dict[str, float]:
    """Standard uncertainties that a refinement states of the whole detector, by name of the parameter."""
    record = _record(refined)
    return {
        parameter["name"]: parameter["uncertainty"]
        for parameter in record.get("parameters", [])
        if parameter["level"] == 0 and parameter["uncertainty"] is not None
    }


def geometry_cpu_s(refined: tuple[Path, ...]) -> float | None:
    """CPU time of the refinements, if their records state it."""
    seconds = [_record(path).get("cpu_s") for path in refined]
    return sum(seconds) if seconds and None not in seconds else None


def _record(refined: Path) -> dict[str, Any]:
    return json.loads(refined.with_name("geometry.json").read_text())
