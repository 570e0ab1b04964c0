"""The DIALS part of merging: runs dials.cosym, dials.scale and dials.merge, reads results, corrects the MTZ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from iota.crystallography.indices import hkl_from_flex
from iota.engine.backend.dials_files import read_experiments, read_reflections
from iota.engine.backend.installation import prepare
from iota.errors import BackendError
from iota.hdf5 import environment_with_filters
from iota.processes.program import run_program
from iota.processes.starting import python
from iota.records import FrameResult

prepare()

from cctbx import sgtbx  # noqa: E402
from dials.array_family import flex  # noqa: E402
from dxtbx.model import ExperimentList  # noqa: E402
from iotbx import mtz  # noqa: E402

Ints = npt.NDArray[np.int64]

# what scaling and merging read
_COLUMNS = (
    "miller_index",
    "id",
    "panel",
    "flags",
    "d",
    "partiality",
    "partial_id",
    "s1",
    "xyzobs.px.value",
    "xyzobs.mm.value",
    "xyzcal.px",
    "xyzcal.mm",
    "intensity.sum.value",
    "intensity.sum.variance",
    "background.mean",
    "background.sum.value",
    "num_pixels.valid",
    "qe",
    "lp",
)


class Source(NamedTuple):
    """One lattice: its files, and which of the lattices in them it is."""

    experiments: Path
    reflections: Path
    number: int


class Scaled(NamedTuple):
    """Scaled observations, with variances from counting statistics."""

    hkl: npt.NDArray[np.int32]  # `[n, 3]`
    lattice: npt.NDArray[np.int64]  # `[n]`
    intensity: npt.NDArray[np.float64]  # `[n]`
    variance: npt.NDArray[np.float64]  # `[n]`


class Observed(NamedTuple):
    """Observations as they were integrated."""

    hkl: npt.NDArray[np.int32]  # `[n, 3]`
    lattice: npt.NDArray[np.int32]  # `[n]`
    intensity: npt.NDArray[np.float64]  # `[n]`
    variance: npt.NDArray[np.float64]  # `[n]`
    partiality: npt.NDArray[np.float64]  # `[n]`


def source(run: Path, result: FrameResult, number: int) -> Source:
    """A lattice of a frame of a run, which is this folder."""
    return Source(run / result.files["experiments"], run / result.files["reflections"], number)


def combine(sources: Sequence[Source], space_group: str, folder: Path) -> None:
    """Write ``combined.expt`` and ``combined.refl`` with these lattices, in order.

    Raises:
        BackendError: a file cannot be read.
    """
    experiments, tables = ExperimentList(), []
    group = sgtbx.space_group_info(space_group).group()
    detector = None
    for k, source in enumerate(sources):
        try:
            experiment = read_experiments(source.experiments)[source.number]
        except IndexError as error:
            raise BackendError(f"{source.experiments} does not hold the lattices of its record.") from error
        table = read_reflections(source.reflections)
        table = table.select(table["id"] == source.number)
        for name in list(table.keys()):
            if name not in _COLUMNS:
                del table[name]
        for identifier in list(table.experiment_identifiers().keys()):
            del table.experiment_identifiers()[identifier]
        detector = detector or experiment.detector
        experiment.detector, experiment.imageset = detector, None  # one geometry is enough, and pixels are not needed
        experiment.crystal.set_space_group(group)
        experiment.identifier = f"lattice_{k + 1}"
        table["id"] = flex.int(len(table), k)
        table.experiment_identifiers()[k] = experiment.identifier
        experiments.append(experiment)
        tables.append(table)
    experiments.as_file(str(folder / "combined.expt"))
    flex.reflection_table.concat(tables).as_file(str(folder / "combined.refl"))


def run_dials(program: str, arguments: Sequence[str], folder: Path, logs: Path) -> list[str]:
    """Run a DIALS program in a folder, with its output in ``program.log`` of another; returns its command line.

    Raises:
        BackendError: it failed; with its last words if they are meant for people.
    """
    run_program(
        [*python(), "-m", f"dials.command_line.{program}", *arguments],
        folder=folder,
        log=logs / f"{program}.log",
        name=f"dials.{program}",
        environment=environment_with_filters() | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )
    (folder / f"dials.{program}.log").unlink(missing_ok=True)  # the same words
    return [f"dials.{program}", *arguments]


def read_scaled(folder: Path, lattices: Sequence[str]) -> Scaled:
    """Observations of ``scaled.refl`` that scaling did not reject; their lattices by identifier, in the given order."""
    table = read_reflections(folder / "scaled.refl")
    table = table.select(~table.get_flags(table.flags.bad_for_scaling, all=False))
    table = table.select(table["intensity.scale.variance"] > 0)
    scale = table["inverse_scale_factor"].as_numpy_array()
    place = {name: k for k, name in enumerate(lattices)}
    of_id = {number: place[name] for number, name in dict(table.experiment_identifiers()).items()}
    to_place = np.full(max(of_id) + 1, -1, dtype=np.int64)
    to_place[list(of_id)] = list(of_id.values())
    return Scaled(
        hkl_from_flex(table["miller_index"]),
        to_place[table["id"].as_numpy_array()],
        table["intensity.scale.value"].as_numpy_array() / scale,
        table["intensity.scale.variance"].as_numpy_array() / scale**2,
    )


def write_weighted(folder: Path, variance: npt.NDArray[np.float64]) -> None:
    """Write ``weighted.refl``: the observations of :func:`read_scaled` with these variances of scaled intensities.

    DIALS merges with weights by variance, so equal variances of a reflection give its plain mean.
    """
    table = read_reflections(folder / "scaled.refl")
    table = table.select(~table.get_flags(table.flags.bad_for_scaling, all=False))
    table = table.select(table["intensity.scale.variance"] > 0)
    scale = table["inverse_scale_factor"].as_numpy_array()
    table["intensity.scale.variance"] = flex.double(np.ascontiguousarray(variance * scale**2))
    table.as_file(str(folder / "weighted.refl"))


def name_space_group(path: Path) -> None:
    """Complete the space group of an MTZ file that has ``No.4`` for its symbol, or 0 for its number.

    cctbx takes symbols from CCP4's symop.lib, which has few settings other than the standard ones, and no P 21 1 1;
    newer versions of DIALS write the number 0 for such a setting.

    Raises:
        BackendError: the file cannot be read or written.
    """
    try:
        merged = mtz.object(str(path))
        group = merged.space_group()
        symbol, number = str(group.match_tabulated_settings().hermann_mauguin()), group.type().number()
        if symbol and (merged.space_group_name().startswith("No.") or merged.space_group_number() != number):
            merged.set_space_group_name(symbol)
            merged.set_space_group_number(number)
            merged.write(str(path))
    except RuntimeError as error:
        raise BackendError(f"{path} cannot be read, so its space group symbol is not set: {error}.") from error


def read_combined(folder: Path) -> Observed:
    """Observations of ``combined.refl``, as integrated."""
    table = read_reflections(folder / "combined.refl")
    table = table.select(table["intensity.sum.variance"] > 0)
    return Observed(
        hkl_from_flex(table["miller_index"]),
        table["id"].as_numpy_array(),
        table["intensity.sum.value"].as_numpy_array(),
        table["intensity.sum.variance"].as_numpy_array(),
        table["partiality"].as_numpy_array() if "partiality" in table else np.ones(len(table)),
    )


def write_part(folder: Path, lattices: Ints, name: str) -> None:
    """Write some lattices of ``combined`` to files of this name, in the given order."""
    experiments = read_experiments(folder / "combined.expt")
    table = read_reflections(folder / "combined.refl")
    place = np.full(len(experiments), -1, dtype=np.int32)
    place[lattices] = np.arange(len(lattices))
    table["id"] = flex.int(np.ascontiguousarray(place[table["id"].as_numpy_array()]))
    table = table.select(table["id"] >= 0)
    for identifier in list(table.experiment_identifiers().keys()):
        del table.experiment_identifiers()[identifier]
    part = ExperimentList([experiments[int(k)] for k in lattices])
    for k, experiment in enumerate(part):
        table.experiment_identifiers()[k] = experiment.identifier
    part.as_file(str(folder / f"{name}.expt"))
    table.as_file(str(folder / f"{name}.refl"))


def changes_of_cosym(folder: Path) -> dict[int, npt.NDArray[np.int64]]:
    """How dials.cosym reindexed lattices of ``combined``, relative to the first one.

    Returns:
        Number of the lattice to the matrix that its indices (columns) are multiplied with, `[3, 3]`.
    """
    before = read_experiments(folder / "combined.expt")
    after = read_experiments(folder / "symmetrized.expt")
    number = {experiment.identifier: k for k, experiment in enumerate(before)}
    found: dict[int, npt.NDArray[np.int64]] = {}
    first = None  # cosym may prefer another setting, which is none of our business
    for experiment in after:
        k = number[experiment.identifier]
        a_before, a_after = (np.array(x.crystal.get_A()).reshape(3, 3) for x in (before[k], experiment))
        change = np.linalg.inv(a_after) @ a_before
        first = np.linalg.inv(change) if first is None else first
        found[k] = np.rint(first @ change).astype(np.int64)
    return found


def write_reindexed(folder: Path, operators: Sequence[str]) -> None:
    """Write ``reindexed.expt`` and ``.refl``: the lattices of ``combined``, each with its operator (``y,x,-z``)."""
    experiments = read_experiments(folder / "combined.expt")
    table = read_reflections(folder / "combined.refl")
    group = experiments[0].crystal.get_space_group()
    number = table["id"].as_numpy_array()
    for operator in set(operators) - {"x,y,z"}:
        operation = sgtbx.change_of_basis_op(operator)
        for k in (k for k, other in enumerate(operators) if other == operator):
            crystal = experiments[k].crystal
            crystal.set_space_group(sgtbx.space_group("P 1"))  # the cell may be only nearly of the lattice's symmetry
            crystal = crystal.change_basis(operation)
            crystal.set_space_group(group)
            crystal.set_unit_cell(group.average_unit_cell(crystal.get_unit_cell()))
            experiments[k].crystal = crystal
        chosen = flex.bool(np.array([other == operator for other in operators])[number])
        table["miller_index"].set_selected(chosen, operation.apply(table["miller_index"].select(chosen)))
    experiments.as_file(str(folder / "reindexed.expt"))
    table.as_file(str(folder / "reindexed.refl"))
