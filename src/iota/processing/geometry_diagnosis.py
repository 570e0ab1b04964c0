"""Asks, when a run ends, whether its detector is where it was taken to be."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np

from iota.analysis.cells.consensus import Consensus
from iota.analysis.table.columns import CELL
from iota.analysis.table.table import RunTable
from iota.crystallography.nearness import ONE_SETTING, are_near, is_near
from iota.crystallography.space_groups import bravais_symbol
from iota.engine.questions import DIAGNOSE_GEOMETRY, DiagnoseGeometry, IndexedFrame
from iota.geometry.deviations import MINIMUM_DIAGNOSED, Diagnosis
from iota.params.from_target import given_lattice
from iota.processes.question import NoAnswerError
from iota.records import OUTCOMES, FrameResult
from iota.runs import RunFolder
from iota.runs.geometry_diagnosis import write_diagnosis

_MAX_FRAMES = 200  # more would tell nothing new

logger = logging.getLogger(__name__)


def diagnose_run(folder: RunFolder, table: RunTable, consensus: Consensus | None) -> Diagnosis | None:
    """Diagnose the geometry of a run from a sample of the lattices of its consensus, and store the result.

    Without an answer the run has no diagnosis; the reason is in its log.

    Raises:
        RunFolderError: the ledger cannot be read, or the folder not be written.
    """
    diagnosis = None
    frames = [] if consensus is None else _sample(folder, table, consensus)
    if consensus is not None and sum(len(one.numbers) for one in frames) >= MINIMUM_DIAGNOSED:
        given = given_lattice(folder.target)
        known = given[0] if given is not None and bravais_symbol(given[1]) == consensus.bravais else None
        try:
            diagnosis = DIAGNOSE_GEOMETRY.ask(DiagnoseGeometry(frames, known))
        except NoAnswerError as error:
            logger.info("The geometry was not checked: %s", error)
    write_diagnosis(folder, diagnosis)
    return diagnosis


def _sample(folder: RunFolder, table: RunTable, consensus: Consensus) -> list[IndexedFrame]:
    row = table.lattice_column("row")
    cells = np.stack([table.lattice_column(name) for name in CELL], axis=1).astype(float)
    same = [code for code, (bravais, _) in enumerate(table.symmetries) if bravais == consensus.bravais]
    like = np.isin(table.lattice_column("symmetry"), same) & are_near(cells, consensus.unit_cell, ONE_SETTING)
    like &= table.column("outcome")[row] == OUTCOMES.index("integrated")
    return list(_indexed_frames(folder, table.records(table.sample(np.unique(row[like]), _MAX_FRAMES)), consensus))


def _indexed_frames(folder: RunFolder, results: Iterator[FrameResult], consensus: Consensus) -> Iterator[IndexedFrame]:
    for result in results:
        numbers = tuple(
            number
            for number, lattice in enumerate(result.lattices)
            if lattice.bravais == consensus.bravais and is_near(lattice.unit_cell, consensus.unit_cell, ONE_SETTING)
        )
        if numbers and {"experiments", "indexed"} <= result.files.keys():
            experiments, indexed = (str(folder.path / result.files[what]) for what in ("experiments", "indexed"))
            yield IndexedFrame(result.frame, experiments, indexed, numbers)
