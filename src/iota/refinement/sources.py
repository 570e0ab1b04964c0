"""Chooses the lattices for a refinement of the geometry: of a run, or of ``.expt`` and ``.refl`` files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from iota.analysis.cells.consensus import consensus
from iota.analysis.cells.fitting import NO_FILES, OTHER_CELL, OTHER_TYPE, reason_to_exclude
from iota.analysis.summary import SummaryBuilder
from iota.crystallography.cells import Cell
from iota.crystallography.nearness import is_within_fraction
from iota.crystallography.space_groups import bravais_symbol
from iota.engine.geometry.experiment_files import lattices_in
from iota.engine.geometry.observations import StillFiles
from iota.errors import UsageError
from iota.params.from_target import given_lattice
from iota.records import FrameRef, FrameResult
from iota.runs import RunFolder, iterate_ledger
from iota.runs.sampling import scouting_key
from iota.runs.state import is_at_work, read_state

_ENDINGS = ("_indexed", "_integrated", "_refined", "_strong", "_experiments", "_reflections")


@dataclass
class Source:
    """Lattices of one kind. Get it from :func:`source_of_run` or :func:`source_of_files`."""

    names: list[str]  # of run or files
    files: list[StillFiles]  # of the lattices that were chosen
    unit_cell: Cell
    space_group: str
    known_cell: Cell | None
    n_available: int
    run: RunFolder | None = None
    left_out: Counter[str] = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)


def source_of_run(run: RunFolder, values: Any) -> Source:
    """Lattices of the consensus of a run; of more than are wanted, those whose images come first by a digest.

    Args:
        run: folder of the run.
        values: parameters, see :mod:`iota.params.refining`.

    Raises:
        UsageError: nothing is integrated, or nothing of that can be used.
    """
    source = source_of_results(run, iterate_ledger(run.ledger), values)
    if run.state.exists() and is_at_work(read_state(run.state)):
        source.remarks.append("The run is still in progress: only the images that were finished were used.")
    return source


def source_of_results(run: RunFolder, results: Iterable[FrameResult], values: Any) -> Source:
    """The same from some records of a run, which are read twice.

    Args:
        run: folder of the run.
        results: records of frames.
        values: parameters, see :mod:`iota.params.refining`.

    Raises:
        UsageError: nothing is integrated, or nothing of that can be used.
    """
    builder = SummaryBuilder(0)
    for result in results:
        builder.add(result)
    found = builder.summary().consensus
    if found is None:
        raise UsageError(f"No lattice was integrated in {run.path}, so its geometry cannot be refined.")
    left_out: Counter[str] = Counter()
    usable: list[tuple[FrameRef, StillFiles]] = []
    for result in results:
        if result.outcome != "integrated":
            continue
        reasons = [reason_to_exclude(result, lattice, found, values.uc_tolerance) for lattice in result.lattices]
        reasons = [reason or ("" if "indexed" in result.files else NO_FILES) for reason in reasons]
        left_out.update(reason for reason in reasons if reason)
        numbers = tuple(k for k, reason in enumerate(reasons) if not reason)
        if numbers:
            usable.append((result.frame, _files_of(run, result, numbers)))
    given = given_lattice(run.target)
    return Source(
        names=[str(run.path)],
        files=_first(usable, values.max_lattices),
        unit_cell=found.unit_cell,
        space_group=found.space_group,
        known_cell=None if given is None else given[0],
        n_available=sum(len(files.numbers) for _, files in usable),
        run=run,
        left_out=left_out,
    )


def _files_of(run: RunFolder, result: FrameResult, numbers: tuple[int, ...]) -> StillFiles:
    experiments, indexed = run.path / result.files["experiments"], run.path / result.files["indexed"]
    return StillFiles(experiments, indexed, numbers, (result.frame,) * len(numbers))


def source_of_files(paths: Sequence[Path], values: Any) -> Source:
    """Lattices of most of the same cell and Bravais type in files, chosen in the same way.

    Raises:
        UsageError: ``.expt`` and ``.refl`` files cannot be paired, or hold no lattices.
        BackendError: an ``.expt`` file cannot be read.
    """
    pairs = pair_files(paths)
    listed = [(pair, lattice) for pair in pairs for lattice in lattices_in(pair[0])]
    if not listed:
        raise UsageError(
            "The .expt files contain no crystal models. Give files of indexed or integrated stills, or a run: its hits"
            " need not be indexed, and beam centre and distance can be searched for."
        )
    kinds = [(bravais_symbol(lattice.space_group), lattice.space_group) for _, lattice in listed]
    codes = {kind: code for code, kind in enumerate(dict.fromkeys(kinds))}
    cells = np.array([lattice.unit_cell for _, lattice in listed])
    found = consensus(list(codes), np.array([codes[kind] for kind in kinds], dtype=np.uint16), cells)
    left_out: Counter[str] = Counter()
    usable: dict[tuple[Path, Path, FrameRef], list[int]] = {}
    for (experiments, reflections), lattice in listed:
        if bravais_symbol(lattice.space_group) != found.bravais:
            left_out[OTHER_TYPE] += 1
        elif not is_within_fraction(lattice.unit_cell, found.unit_cell, values.uc_tolerance):
            left_out[OTHER_CELL] += 1
        else:
            usable.setdefault((experiments, reflections, lattice.frame), []).append(lattice.number)
    stills = [
        (frame, StillFiles(experiments, reflections, tuple(numbers), (frame,) * len(numbers)))
        for (experiments, reflections, frame), numbers in usable.items()
    ]
    return Source(
        names=[str(path) for path in paths],
        files=_joined(_first(stills, values.max_lattices)),
        unit_cell=found.unit_cell,
        space_group=found.space_group,
        known_cell=None,
        n_available=sum(map(len, usable.values())),
        left_out=left_out,
    )


def _first(usable: Iterable[tuple[FrameRef, StillFiles]], most: int) -> list[StillFiles]:
    """Files of the first frames by a digest of their names until there are enough lattices, in the order of frames."""
    chosen: list[tuple[FrameRef, StillFiles]] = []
    n = 0
    for frame, files in sorted(usable, key=lambda item: scouting_key(item[0])):
        n += len(files.numbers)
        if n > most and chosen:
            break
        chosen.append((frame, files))
    return [files for _, files in sorted(chosen, key=lambda item: (item[0].path, item[0].index or 0))]


def _joined(files: Sequence[StillFiles]) -> list[StillFiles]:
    """One entry for each pair of files, so that each is read once."""
    found: dict[tuple[Path, Path], tuple[list[int], list[FrameRef]]] = {}
    for one in files:
        numbers, frames = found.setdefault((one.experiments, one.reflections), ([], []))
        numbers += one.numbers
        frames += one.frames
    return [StillFiles(*pair, tuple(numbers), tuple(frames)) for pair, (numbers, frames) in found.items()]


def pair_files(paths: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Pair ``.expt`` with ``.refl`` files: one of each, or those with the same name up to ``_indexed`` and the like.

    Raises:
        UsageError: a file has no partner, or is of another kind.
    """
    experiments = [path for path in paths if path.suffix == ".expt"]
    reflections = [path for path in paths if path.suffix == ".refl"]
    others = [path for path in paths if path.suffix not in (".expt", ".refl")]
    if others:
        raise UsageError(f"{others[0]} is neither a run folder nor an .expt or .refl file.")
    if len(experiments) == len(reflections) == 1:
        return [(experiments[0], reflections[0])]
    tables: dict[tuple[Path, str], list[Path]] = {}
    for path in reflections:
        tables.setdefault((path.parent, _stem(path)), []).append(path)
    pairs = []
    for path in experiments:
        same = tables.pop((path.parent, _stem(path)), [])
        if len(same) != 1:
            said = "several .refl files belong" if same else "no .refl file belongs"
            raise UsageError(
                f"{said[0].upper()}{said[1:]} to {path}. Give pairs such as x_indexed.expt x_indexed.refl."
            )
        pairs.append((path, same[0]))
    if tables or not pairs:
        left = next(iter(tables.values()))[0] if tables else None
        raise UsageError(f"No .expt file belongs to {left}." if left else "Give .expt files with their .refl files.")
    return pairs


def _stem(path: Path) -> str:
    for ending in _ENDINGS:
        if path.stem.endswith(ending):
            return path.stem.removesuffix(ending)
    return path.stem
