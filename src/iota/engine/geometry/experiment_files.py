"""Which lattices ``.expt`` files of other programs hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from iota.crystallography.cells import Cell
from iota.engine.backend.dials_files import read_experiments
from iota.records import FrameRef


class FileLattice(NamedTuple):
    """A lattice of a file."""

    number: int  # in the list of experiments
    frame: FrameRef  # its image, as far as the file tells
    unit_cell: Cell
    space_group: str


def lattices_in(path: Path) -> list[FileLattice]:
    """Lattices of an ``.expt`` file; experiments without a crystal are none.

    Raises:
        BackendError: it cannot be read.
    """
    return [
        FileLattice(
            number,
            image_of(experiment, path, number),
            experiment.crystal.get_unit_cell().parameters(),
            str(experiment.crystal.get_space_group().info()),
        )
        for number, experiment in enumerate(read_experiments(path))
        if experiment.crystal is not None
    ]


def image_of(experiment: Any, path: Path, number: int) -> FrameRef:
    """The image of an experiment; where the file does not name one image, each lattice counts as one of its own."""
    imageset = experiment.imageset
    if imageset is not None and len(imageset) == 1:
        return FrameRef(str(imageset.paths()[0]), int(imageset.indices()[0]))
    return FrameRef(str(path), number)
