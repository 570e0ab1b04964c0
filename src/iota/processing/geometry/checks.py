"""Asks whether the detector of a run is where it was taken to be, and whether it moved."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from iota.analysis.cells.consensus import Consensus
from iota.analysis.table.columns import CELL
from iota.analysis.table.table import RunTable
from iota.crystallography.cells import Cell
from iota.crystallography.nearness import ONE_SETTING, are_near, is_near
from iota.crystallography.space_groups import bravais_symbol
from iota.engine.questions import DIAGNOSE_GEOMETRY, MEASURE_DRIFT, DiagnoseGeometry, IndexedFrame, MeasureDrift
from iota.geometry.deviations import MINIMUM_DIAGNOSED, Diagnosis
from iota.geometry.drift.record import MINIMUM_FOR_DRIFT, GeometryDrift, GeometryPart
from iota.params.from_target import given_lattice
from iota.processes.question import NoAnswerError, Question
from iota.records import OUTCOMES, FrameRef, FrameResult
from iota.runs import RunFolder
from iota.runs.geometry_diagnosis import read_drift, write_diagnosis, write_drift

_MAX_DIAGNOSED = 200  # frames; more would tell nothing new
_MAX_FOR_DRIFT = 1000  # frames: 40 blocks of 25

Ints = npt.NDArray[np.int64]
Ask = Callable[[Question[Any, Any], Any], Any]

logger = logging.getLogger(__name__)


def conclude_geometry(
    folder: RunFolder, table: RunTable, consensus: Consensus | None, frames: Sequence[FrameRef]
) -> tuple[Diagnosis | None, GeometryDrift | None]:
    """Diagnose the geometry of a run that ends, measure its drift, and store both.

    Without an answer the run has no diagnosis; the reason is in its log. A drift for which parts of the run were
    processed with their own geometries stays as it is.

    Args:
        folder: of the run.
        table: its frames.
        consensus: its lattice.
        frames: of the run, in the order of time.

    Raises:
        RunFolderError: the ledger cannot be read, or the folder not be written.
    """
    checks = GeometryChecks(folder, table, consensus, frames)
    diagnosis = _answer_or_none(checks.diagnosis)
    write_diagnosis(folder, diagnosis)
    if is_drift_in_use(folder):
        return diagnosis, read_drift(folder)
    drift = _answer_or_none(checks.drift)
    write_drift(folder, drift)
    return diagnosis, drift


def is_drift_in_use(folder: RunFolder) -> bool:
    """Whether parts of a run are processed with geometries of their own, that follow the drift that was measured."""
    drift = read_drift(folder)
    return drift is not None and any(part.file for part in drift.parts)


def _answer_or_none(check: Callable[[], Any]) -> Any:
    try:
        return check()
    except NoAnswerError as error:
        logger.info("The geometry was not checked: %s", error)
        return None


def _ask(question: Question[Any, Any], asked: Any) -> Any:
    return question.ask(asked)


def frames_of_parts(drift: GeometryDrift, frames: Sequence[FrameRef]) -> list[tuple[GeometryPart, list[FrameRef]]]:
    """The parts of a run that need geometries of their own, with their frames; empty if one geometry is enough.

    Args:
        drift: of the run.
        frames: of the run, in the order of time.
    """
    starts = [0, *(round(part.first) - 1 for part in drift.parts[1:]), len(frames)]
    return [(part, list(frames[starts[k] : starts[k + 1]])) for k, part in enumerate(drift.parts)]


class GeometryChecks:
    """Questions about the geometry of a run, put to processes with DIALS: about the lattices of its consensus."""

    def __init__(
        self,
        folder: RunFolder,
        table: RunTable,
        consensus: Consensus | None,
        frames: Sequence[FrameRef],
        ask: Ask = _ask,
        without: Sequence[FrameRef] = (),
    ) -> None:
        """Choose the lattices.

        Args:
            folder: of the run.
            table: its frames that are finished.
            consensus: its lattice; None: there is nothing to ask about.
            frames: of the run, in the order of time.
            ask: gets an answer.
            without: frames that are not used.
        """
        self._folder, self._table, self._consensus, self._frames, self._ask = folder, table, consensus, frames, ask
        self._rows = np.empty(0, dtype=np.int64) if consensus is None else _rows_like(table, consensus)
        self._rows = np.setdiff1d(self._rows, table.rows_of(without))

    def diagnosis(self) -> Diagnosis | None:
        """Whether the detector is where it was taken to be; None if there are too few lattices.

        Raises:
            NoAnswerError: the question has no answer.
            RunFolderError: the ledger cannot be read.
        """
        frames = list(self._indexed(self._table.sample(self._rows, _MAX_DIAGNOSED)))
        if self._consensus is None or _n_lattices(frames) < MINIMUM_DIAGNOSED:
            return None
        diagnosis: Diagnosis = self._ask(DIAGNOSE_GEOMETRY, DiagnoseGeometry(frames, self._known_cell))
        return diagnosis

    def drift(self, write_to: Path | None = None, most: int = _MAX_FOR_DRIFT) -> GeometryDrift | None:
        """How the detector moved; None if there are too few lattices.

        Times are numbers of images, from 1, in the order of the run's input.

        Args:
            write_to: folder for reference geometries of parts of the run, which are written if they are needed.
            most: frames that are used, evenly distributed over the run.

        Raises:
            NoAnswerError: the question has no answer.
            RunFolderError: the ledger cannot be read.
        """
        if len(self._rows) < MINIMUM_FOR_DRIFT:
            return None
        number = np.zeros(self._table.n_rows, dtype=np.int64)
        rows = self._table.rows_of(self._frames)
        number[rows[rows >= 0]] = np.flatnonzero(rows >= 0) + 1
        in_time = self._rows[np.argsort(number[self._rows], kind="stable")]
        in_time = in_time[number[in_time] > 0]
        if len(in_time) > most:
            in_time = in_time[np.linspace(0, len(in_time) - 1, most).astype(np.int64)]
        frames = list(self._indexed(in_time, number))
        if _n_lattices(frames) < MINIMUM_FOR_DRIFT:
            return None
        drift: GeometryDrift = self._ask(MEASURE_DRIFT, MeasureDrift(frames, self._known_cell, str(write_to or "")))
        return drift

    @property
    def _known_cell(self) -> Cell | None:
        given, consensus = given_lattice(self._folder.target), self._consensus
        if given is None or consensus is None or bravais_symbol(given[1]) != consensus.bravais:
            return None
        return given[0]

    def _indexed(self, rows: Ints, number: Ints | None = None) -> Iterator[IndexedFrame]:
        for row, result in zip(rows, self._table.records(rows), strict=True):
            numbers = tuple(k for k, _ in enumerate(result.lattices) if self._is_like(result, k))
            if numbers and {"experiments", "indexed"} <= result.files.keys():
                experiments, indexed = (
                    str(self._folder.path / result.files[what]) for what in ("experiments", "indexed")
                )
                time = None if number is None else float(number[row])
                yield IndexedFrame(result.frame, experiments, indexed, numbers, time)

    def _is_like(self, result: FrameResult, number: int) -> bool:
        lattice, wanted = result.lattices[number], self._consensus
        return (
            wanted is not None
            and lattice.bravais == wanted.bravais
            and is_near(lattice.unit_cell, wanted.unit_cell, ONE_SETTING)
        )


def _n_lattices(frames: Sequence[IndexedFrame]) -> int:
    return sum(len(one.numbers) for one in frames)


def _rows_like(table: RunTable, consensus: Consensus) -> Ints:
    """Rows of integrated frames with a lattice like the consensus."""
    row = table.lattice_column("row")
    cells = np.stack([table.lattice_column(name) for name in CELL], axis=1).astype(float)
    same = [code for code, (bravais, _) in enumerate(table.symmetries) if bravais == consensus.bravais]
    like = np.isin(table.lattice_column("symmetry"), same) & are_near(cells, consensus.unit_cell, ONE_SETTING)
    like &= table.column("outcome")[row] == OUTCOMES.index("integrated")
    return np.asarray(np.unique(row[like]), dtype=np.int64)
