"""What the programs found, read from their files, and how good it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from dials.array_family import flex
from dxtbx.model.experiment_list import ExperimentList

from iota.crystallography.indices import hkl_in_asymmetric_unit
from iota.runs import read_ledger
from iota.simulate import FoundLattice, merge, orientation_error_deg
from iota.simulate.accuracy import FloatArray, IntArray

if TYPE_CHECKING:
    from .sets import ImageSet


def read_lattices(experiments: Path, reflections: Path, space_group: str) -> Iterator[FoundLattice]:
    """Lattices in a pair of files of DIALS, with indices in the asymmetric unit of ``space_group``."""
    table = flex.reflection_table.from_file(str(reflections))
    for number, experiment in enumerate(ExperimentList.from_file(str(experiments), check_format=False)):
        imageset, crystal = experiment.imageset, experiment.crystal
        file = Path(imageset.get_path(0)).name
        index = imageset.indices()[0] if Path(file).suffix in (".nxs", ".h5") else 0
        chosen = table.select(table["id"] == number)
        hkl = chosen["miller_index"].as_vec3_double().as_numpy_array().round()
        yield FoundLattice(
            frame=(file, index),
            A=np.reshape(crystal.get_A(), (3, 3)),
            unit_cell=crystal.get_unit_cell().parameters(),
            hkl=hkl_in_asymmetric_unit(hkl, space_group),
            intensity=chosen["intensity.sum.value"].as_numpy_array(),
        )


def read_stills_process(folder: Path, images: ImageSet) -> list[FoundLattice]:
    """Lattices that stills_process integrated, whether it wrote composite files or not."""
    paths = sorted(folder.glob("*_integrated.expt"))
    return [one for path in paths for one in read_lattices(path, path.with_suffix(".refl"), images.space_group)]


def read_run(run: Path, images: ImageSet) -> list[FoundLattice]:
    """Lattices that iota.run integrated."""
    return [
        one
        for record in read_ledger(run / "frames.jsonl")[0]
        if record.outcome == "integrated"
        for one in read_lattices(
            run / record.files["experiments"], run / record.files["reflections"], images.space_group
        )
    ]


@dataclass(frozen=True)
class Quality:
    """How much was found and how near the truth; None where there is none.

    ``cell_error_percent`` is the largest of the three relative errors of the axes, ``orientation_error_deg`` the
    angle to the true lattice: medians over lattices.  ``n_astray`` lattices are others than those on the frame.
    """

    n_integrated: int
    reflections_per_frame: float
    cell_error_percent: float | None
    orientation_error_deg: float | None
    n_astray: int | None


def judge(found: Sequence[FoundLattice], images: ImageSet) -> Quality:
    """Compare lattices with the truth, or with the given cell where the truth is not known."""
    n_integrated = len({one.frame for one in found})
    if not found:
        return Quality(0, 0.0, None, None, None)
    cells, angles = [], []
    for one in found:
        truth = images.frames[one.frame[0]]["lattices"] if images.frames else []
        cell = truth[0]["unit_cell"] if truth else images.unit_cell
        cells.append(max(abs(a / b - 1) for a, b in zip(one.unit_cell[:3], cell[:3], strict=True)))
        angles.append(orientation_error_deg(one.A, truth))
    return Quality(
        n_integrated=n_integrated,
        reflections_per_frame=sum(len(one.hkl) for one in found) / n_integrated,
        cell_error_percent=100 * float(np.median(cells)),
        orientation_error_deg=float(np.median(angles)) if images.frames else None,
        n_astray=sum(angle > 1 for angle in angles) if images.frames else None,
    )


@dataclass(frozen=True)
class Merged:
    """Correlation of merged intensities with the true ones: reflections that one program has seen twice or more, and
    those of them that all programs have."""

    cc: float
    n: int
    cc_common: float
    n_common: int


def correlate(founds: Sequence[Sequence[FoundLattice]], hkl: IntArray, truth: FloatArray) -> list[Merged] | None:
    """Correlation for each program; None where there is too little to merge."""
    if not all(founds):
        return None
    merged = [merge(found, hkl) for found in founds]
    common = np.all([multiplicity >= 2 for _, multiplicity in merged], axis=0)
    if common.sum() < 10:
        return None
    return [
        Merged(
            cc=_cc(intensity, truth, multiplicity >= 2),
            n=int((multiplicity >= 2).sum()),
            cc_common=_cc(intensity, truth, common),
            n_common=int(common.sum()),
        )
        for intensity, multiplicity in merged
    ]


def _cc(intensity: FloatArray, truth: FloatArray, chosen: npt.NDArray[np.bool_]) -> float:
    return float(np.corrcoef(intensity[chosen], truth[chosen])[0, 1])
