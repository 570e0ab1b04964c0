"""The truth of simulated frames, and its files: orientation, cell, intensities.

``truth.json`` describes the experiment: ``detector`` is where the panels are on the first frame, ``header`` where the
files say they are. If these differ, ``truth.geom`` has the former as a CrystFEL geometry. ``truth_frames.jsonl`` has
one line a frame in the order of the frames, and ``truth_<form>.hkl`` lists h, k, l and the true intensity of each
unique reflection of a crystal form. Matrices are row by row; A takes Miller indices (columns) to reciprocal space
(1/A) in the laboratory frame of dxtbx.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from iota.atomic_files import atomic_file, write_atomically
from iota.simulate.crystfel_geom import geometry_text
from iota.simulate.detector import Detector, Panel
from iota.simulate.intensities import Reflections

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iota.simulate.experiment import Experiment

FORMAT_VERSION = 1
TRUTH_FILE = "truth.json"
FRAMES_FILE = "truth_frames.jsonl"
GEOMETRY_FILE = "truth.geom"


@dataclass(frozen=True)
class LatticeTruth:
    """One lattice of a frame."""

    form: str
    """Name of the crystal form."""
    A: tuple[float, ...]
    """Reciprocal setting A* by rows (1/A), in the laboratory frame of dxtbx."""
    unit_cell: tuple[float, ...]
    """Cell (A, degrees)."""
    scale: float
    """Factor on all intensities of the crystal."""
    b_factor_A2: float
    """B factor (A^2)."""
    mosaic_deg: float
    """Mosaic spread (degrees)."""
    domain_size_A: float
    """Mosaic domain size (A)."""
    n_predicted: int
    """Reflections on the sensor that are near enough to the Ewald sphere to give photons."""
    n_visible: int
    """Those that exceed the background by five standard deviations."""
    d_min_visible_A: float | None
    """The highest resolution of these (A); None if there are none."""


@dataclass(frozen=True)
class FrameTruth:
    """One frame."""

    index: int
    """Index of the frame, from 0."""
    kind: str
    """blank, weak or normal."""
    background: float
    """Mean background (photons per pixel)."""
    lattices: tuple[LatticeTruth, ...]
    """The lattices on the frame."""
    distance_mm: float
    """Distance of the detector (mm)."""


def experiment_truth(experiment: Experiment, n_frames: int, files: str) -> dict[str, Any]:
    """The contents of ``truth.json``: all settings, in the units of their names."""
    return {
        "format": "iota.simulate truth",
        "version": FORMAT_VERSION,
        "n_frames": n_frames,
        "files": files,
        "frame_list": FRAMES_FILE,
        "intensities": {crystal.name: intensities_file(crystal.name) for crystal in experiment.crystals},
        "d_min_A": {crystal.name: experiment.d_min_A(crystal) for crystal in experiment.crystals},
        **asdict(experiment),
        "header": asdict(experiment.stated_detector),
    }


def write_experiment_truth(folder: Path, experiment: Experiment, n_frames: int, files: str) -> None:
    """Write ``truth.json``."""
    text = json.dumps(experiment_truth(experiment, n_frames, files), indent=1)
    write_atomically(folder / TRUTH_FILE, text + "\n")


def write_geometry(folder: Path, experiment: Experiment, hdf5_data: str | None) -> None:
    """Write ``truth.geom``: the true panels of the first frame, as a CrystFEL geometry."""
    text = geometry_text(experiment.detector, experiment.beam.wavelength_A, hdf5_data)
    write_atomically(folder / GEOMETRY_FILE, text)


def read_detector(folder: Path, which: Literal["detector", "header"] = "detector") -> Detector:
    """The true detector of the first frame in ``folder``, or that of the headers."""
    said = json.loads((folder / TRUTH_FILE).read_text(encoding="utf-8"))[which]
    panels = [
        Panel(
            **{
                **panel,
                **{key: tuple(panel[key]) for key in ("origin_mm", "fast", "slow", "size_px", "groups")},
                "gaps": tuple(tuple(gap) for gap in panel["gaps"]),
            }
        )
        for panel in said["panels"]
    ]
    return Detector(**{**said, "panels": tuple(panels), "beam_px": tuple(said["beam_px"])})


def frame_line(truth: FrameTruth, file: str, index_in_file: int) -> str:
    """One line of ``truth_frames.jsonl``, with its newline."""
    record = {"file": file, "index_in_file": index_in_file, **asdict(truth)}
    return json.dumps(record) + "\n"


def read_frames(folder: Path) -> list[dict[str, Any]]:
    """All lines of ``truth_frames.jsonl`` in ``folder``."""
    with (folder / FRAMES_FILE).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def intensities_file(form: str) -> str:
    """Name of the file with the true intensities of crystal form ``form``."""
    return f"truth_{form}.hkl"


def write_intensities(folder: Path, form: str, reflections: Reflections) -> None:
    """Write h k l I, one unique reflection per line; absent reflections are not listed."""
    rows = (
        f"{h} {k} {l} {intensity:.6g}\n"
        for (h, k, l), intensity in zip(reflections.asu_hkl, reflections.asu_intensity, strict=True)  # noqa: E741
    )
    _write_lines(folder / intensities_file(form), rows)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with atomic_file(path) as part, part.open("w", encoding="utf-8") as file:
        file.write("# h k l intensity (1 is the mean at 4 A)\n")
        file.writelines(lines)


def read_intensities(folder: Path, form: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Miller indices [n, 3] and intensities [n] of the unique reflections of a crystal form."""
    table = np.loadtxt(folder / intensities_file(form), ndmin=2)
    return table[:, :3].astype(np.int32), table[:, 3]
