"""Counts how often each Miller index was measured in a run, in a separate process.

It reads the reflections of integrated frames as the ledger grows, and continues from the counts of an earlier process.
Memory depends on the volume of reciprocal space, not on the number of frames.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np

from iota.crystallography.cells import Cell, median_cell
from iota.crystallography.index_counts import IndexCounts
from iota.crystallography.indices import Ints, hkl_from_flex
from iota.crystallography.nearness import ONE_SETTING, is_near
from iota.engine.backend.dials_files import read_experiments, read_reflections
from iota.engine.questions import CountedReflections, CountReflections
from iota.errors import BackendError, RunFolderError
from iota.processes.protocol import Tell
from iota.records import FrameResult, Lattice
from iota.runs import RunFolder
from iota.runs.ledger import LedgerReader
from iota.runs.miller_counts import LatticeCounts, MillerCounts, read_miller_counts, write_miller_counts

MAX_GROUPS = 12
_MAX_CELLS = 5000  # of which a median is taken
_PIECE_S = 1.0  # of counting, between two times of writing
_LARGEST_INDEX = np.iinfo(np.int16).max  # that the file of counts can hold
_SLICE_BYTES = 500_000  # of the ledger at a time, with reflections that are read in seconds


class GroupCounts:
    """Indices of lattices of one space group and nearly one cell, with their counts."""

    def __init__(self, space_group: str, unit_cell: Cell) -> None:
        self.space_group = space_group
        self.reference = unit_cell
        self.cells: list[Cell] = []
        self.n_lattices = 0
        self.n_reflections = 0
        self._counts = IndexCounts()

    @classmethod
    def of(cls, known: LatticeCounts) -> GroupCounts:
        """Continue from earlier counts."""
        group = cls(known.space_group, known.unit_cell)
        group.cells = [known.unit_cell] * min(known.n_lattices, _MAX_CELLS)
        group.n_lattices, group.n_reflections = known.n_lattices, known.n_reflections
        group._counts = IndexCounts.of(known.hkl, known.counts)
        return group

    def holds(self, lattice: Lattice) -> bool:
        """Whether a lattice belongs to this group."""
        return lattice.space_group == self.space_group and is_near(lattice.unit_cell, self.reference, ONE_SETTING)

    def add(self, lattice: Lattice, hkl: Ints) -> None:
        """Count the reflections of a lattice, `[n, 3]`."""
        if len(self.cells) < _MAX_CELLS:
            self.cells.append(lattice.unit_cell)
        self.n_lattices += 1
        self.n_reflections += len(hkl)
        self._counts.add(hkl)

    def found(self) -> LatticeCounts:
        """The counts so far."""
        hkl, counts = self._counts.result()
        return LatticeCounts(
            space_group=self.space_group,
            unit_cell=median_cell(self.cells),
            n_lattices=self.n_lattices,
            n_reflections=self.n_reflections,
            hkl=hkl.astype(np.int16),
            counts=counts.astype(np.uint32),
        )


class MillerCounter:
    """Counts the indices of a run, as far as its ledger goes."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        known = read_miller_counts(folder.path)
        self._begin(known)
        self._is_unwritten = known is None
        self._spent_s = 0.0  # when the file was written

    def _begin(self, known: MillerCounts | None) -> None:
        """Continue from the stored counts, or start from zero."""
        self._known_bytes, self._known_checksum = (known.ledger_bytes, known.ledger_checksum) if known else (0, 0)
        self.groups = [GroupCounts.of(lattice) for lattice in known.lattices] if known else []
        self.n_frames = known.n_frames if known else 0
        self.n_missing = known.n_missing if known else 0
        self.n_other = known.n_other_lattices if known else 0
        self._reader = LedgerReader()  # from the beginning: frames that were counted are not to be counted again

    def read_on(self) -> int:
        """Count the frames added since, at most some megabytes of the ledger; returns the number of new records."""
        try:
            with self.folder.ledger.open("rb") as file:
                if not self._reader.offset and self._known_bytes:
                    self._read_what_is_counted(file)
                if not self._reader.fits(file):  # another ledger, or edited
                    self._begin(None)
                piece = self._reader.read(file, _SLICE_BYTES)
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise RunFolderError(f"{self.folder.ledger} cannot be read: {error.strerror}.") from error
        if piece is None:
            return 0
        for result in piece.records:
            if result.lattices and "reflections" in result.files:
                self._add(result)
        return max(1, len(piece.records))  # there may be more behind lines that are no records

    def count_on(self) -> bool:
        """Count for a second, or ten times as long as writing takes, and write; returns whether all is counted.

        It is at most a minute, so that whoever waits sees that it goes on.

        Raises:
            RunFolderError: the ledger cannot be read, or the file system refuses.
        """
        start = time.monotonic()
        while (n_new := self.read_on()) > 0:
            self._is_unwritten = True
            if time.monotonic() - start > min(60.0, max(_PIECE_S, 10 * self._spent_s)):
                break
        if self._is_unwritten:
            start = time.monotonic()
            self.write()
            self._is_unwritten = False
            self._spent_s = time.monotonic() - start
        return n_new == 0

    def _read_what_is_counted(self, file: BinaryIO) -> None:
        """Read the part of the ledger counted by an earlier process, unless the ledger has been replaced."""
        while self._reader.offset < self._known_bytes:
            left = self._known_bytes - self._reader.offset
            if self._reader.read(file, min(left, _SLICE_BYTES)) is None:
                break
        if (self._reader.offset, self._reader.checksum) != (self._known_bytes, self._known_checksum):
            self._begin(None)

    def _add(self, result: FrameResult) -> None:
        try:
            by_lattice = _indices(self.folder.path, result)
        except (OSError, RuntimeError, BackendError):  # deleted or damaged: the chart says how many
            self.n_missing += 1
            return
        self.n_frames += 1
        for lattice, hkl in zip(result.lattices, by_lattice, strict=True):
            group = self._group_of(lattice)
            if group is None:
                self.n_other += 1
            else:
                group.add(lattice, hkl)

    def _group_of(self, lattice: Lattice) -> GroupCounts | None:
        for group in self.groups:
            if group.holds(lattice):
                return group
        if len(self.groups) >= MAX_GROUPS:
            rarest = min(self.groups, key=lambda group: group.n_lattices)
            if rarest.n_lattices > 1:
                return None
            self.groups.remove(rarest)
            self.n_other += rarest.n_lattices
        self.groups.append(GroupCounts(lattice.space_group, lattice.unit_cell))
        return self.groups[-1]

    def write(self) -> None:
        """Replace the file in the run folder.

        Raises:
            RunFolderError: the file system refuses.
        """
        self.groups.sort(key=lambda group: -group.n_lattices)
        found = MillerCounts(
            lattices=[group.found() for group in self.groups],
            n_frames=self.n_frames,
            n_missing=self.n_missing,
            n_other_lattices=self.n_other,
            ledger_bytes=self._reader.offset,
            ledger_checksum=self._reader.checksum,
        )
        write_miller_counts(self.folder.path, found)


def _indices(run_folder: Path, result: FrameResult) -> list[Ints]:
    """Miller indices of each lattice of a record, `[n_reflections, 3]` each."""
    path = run_folder / result.files["reflections"]
    table = read_reflections(path)
    hkl = hkl_from_flex(table["miller_index"])
    if np.abs(hkl).max(initial=0) > _LARGEST_INDEX:
        raise BackendError(f"{path} has Miller indices beyond {_LARGEST_INDEX}, so it is damaged.")
    ids = table["id"].as_numpy_array()
    numbers: Sequence[int] = np.unique(ids).tolist()
    if len(numbers) != len(result.lattices):  # a filter dropped some, whose reflections are still in the file
        numbers = _numbers_of(run_folder / result.files["experiments"], result.lattices)
    return [hkl[ids == number] for number in numbers]


def _numbers_of(path: Path, lattices: Sequence[Lattice]) -> list[int]:
    """Which experiments of a file the lattices of a record are: those with their orientation."""
    experiments = read_experiments(path)
    matrices = np.array([experiment.crystal.get_A() for experiment in experiments])
    return [int(np.abs(matrices - np.array(lattice.a_matrix)).sum(axis=1).argmin()) for lattice in lattices]


@lru_cache(maxsize=1)
def _counter(folder: str) -> MillerCounter:
    return MillerCounter(RunFolder.open(Path(folder)))


def count_reflections(question: CountReflections, tell: Tell) -> CountedReflections:
    """Continue counting, usually for ten times as long as it takes to write the counts.

    Raises:
        RunFolderError: this is no run, its ledger cannot be read, or nothing can be written.
    """
    return CountedReflections(is_all=_counter(question.folder).count_on())
