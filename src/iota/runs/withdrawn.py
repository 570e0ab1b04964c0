"""Records that were taken out of a ledger because their frames are processed again with another geometry."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from iota.errors import RunFolderError
from iota.records import FrameRef, FrameResult
from iota.runs.folder import RunFolder, cannot_write
from iota.runs.geometry_revisions import BY_RUN, FRAMES_BEFORE, Revision, read_revisions_in_use
from iota.runs.ledger import Ledger, LedgerReader, decoded_record, iterate_ledger, remove_unreplaced


class WithdrawnRecords(Mapping[FrameRef, FrameResult]):
    """The records in a file, by frame; they are read one by one, and only their places are kept in memory."""

    def __init__(self, path: Path) -> None:
        """Read where the records are; there are none if there is no such file.

        Raises:
            RunFolderError: the file cannot be read.
        """
        self._path = path
        self._start: dict[FrameRef, int] = {}
        reader = LedgerReader()
        try:
            with path.open("rb") as file:
                while piece := reader.read(file):
                    self._start.update(
                        (record.frame, int(start)) for record, start in zip(piece.records, piece.starts, strict=True)
                    )
        except FileNotFoundError:
            pass
        except OSError as error:
            raise self._unreadable(error) from error

    def __getitem__(self, frame: FrameRef) -> FrameResult:
        start = self._start[frame]
        try:
            with self._path.open("rb") as file:
                file.seek(start)
                return decoded_record(file.readline())
        except OSError as error:
            raise self._unreadable(error) from error

    def __iter__(self) -> Iterator[FrameRef]:
        return iter(self._start)

    def __len__(self) -> int:
        return len(self._start)

    def _unreadable(self, error: OSError) -> RunFolderError:
        return RunFolderError(f"{self._path} cannot be read: {error.strerror}.")


def withdraw(
    folder: RunFolder, ledger: Ledger, new: Revision, is_wanted: Callable[[FrameResult], bool], *, lattices: bool
) -> WithdrawnRecords:
    """Move records to the folder of a new geometry, which counts once it is among the stored revisions.

    Args:
        folder: of the run.
        ledger: from which they are taken.
        new: the geometry with which their frames are processed again.
        is_wanted: which records.
        lattices: whether to withdraw the determined lattices, too.

    Raises:
        RunFolderError: the file system refuses.
    """
    before = folder.path / new.frames_before
    ledger.take_out(is_wanted, before)
    if lattices:
        _move(folder.determined, before.with_name(folder.determined.name))
    return WithdrawnRecords(before)


def undo_unfinished(folder: RunFolder) -> None:
    """Undo what a run had begun when it was killed: put back what it withdrew, remove geometries not decided on.

    To be called by whoever holds the lock of the run.

    Raises:
        RunFolderError: the file system refuses, or the stored revisions cannot be read.
    """
    decided = {folder.path / one.folder for one in read_revisions_in_use(folder).revisions}
    try:
        remove_unreplaced(folder.ledger)
        for mark in sorted(folder.path.glob(f"geometry/*/{BY_RUN}")):
            if mark.parent not in decided:
                _put_back(folder, mark.parent)
                shutil.rmtree(mark.parent)
    except OSError as error:
        raise RunFolderError(cannot_write(folder.path, error)) from error


def _put_back(folder: RunFolder, geometry: Path) -> None:
    before = geometry / FRAMES_BEFORE
    if before.exists():
        recorded = {record.frame for record in iterate_ledger(folder.ledger)}
        with Ledger(folder.ledger) as ledger:
            for record in iterate_ledger(before):
                if record.frame not in recorded:
                    ledger.append(record)
    _move(geometry / folder.determined.name, folder.determined)


def _move(path: Path, to: Path) -> None:
    try:
        path.replace(to)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise RunFolderError(cannot_write(to, error)) from error
