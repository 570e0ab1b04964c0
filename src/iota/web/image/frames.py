"""Which image is meant: a frame of a run by its row, or a path; and sets of them to go through."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from iota.analysis.table.table import RunTable
from iota.errors import RunFolderError, UsageError
from iota.inputs.finding.search_job import CHOOSE_IMAGES, ChooseImages
from iota.inputs.names.select import numbers_in
from iota.records import FrameRef, FrameResult
from iota.runs import RunFolder, iterate_ledger
from iota.web.projects.projects import Projects
from iota.web.searches.searching import image_searches

_MOST_IN_SET = 20_000


class Place(msgspec.Struct, frozen=True):
    """Where an image is, as the query of a page or of the API says it."""

    run: str = ""
    row: int | None = None
    path: str = ""
    index: int | None = None


class Shown(msgspec.Struct, kw_only=True):
    """An image that can be asked for, and what its run knows of it."""

    frame: FrameRef
    record: FrameResult | None = None
    folder: str = ""  # of the run

    @property
    def source(self) -> dict[str, Any]:
        """The image in the words of the helper process."""
        return {
            "path": self.frame.path,
            "index": self.frame.index,
            "target": str(RunFolder(Path(self.folder)).target) if self.folder else "",
            "experiments": self.file("experiments"),
        }

    def file(self, what: str) -> str:
        """Path of a file that the run kept of the frame; empty where there is none."""
        relative = self.record.files.get(what, "") if self.record is not None else ""
        path = os.path.join(self.folder, relative) if relative else ""  # noqa: PTH118 - text, as helpers take it
        return path if path and Path(path).is_file() else ""

    @property
    def version(self) -> str:
        """Changes when the file does."""
        try:
            status = Path(self.frame.path).stat()
        except (OSError, ValueError):
            return ""
        return f"{status.st_mtime_ns:x}-{status.st_size:x}"


def shown(projects: Projects, place: Place, table: RunTable | None = None) -> Shown:
    """The image at a place.

    Args:
        projects: where runs are looked up.
        place: of the image.
        table: of the run, if somebody follows it: it knows where in the ledger a row is.

    Raises:
        UsageError: there is no such run or row, or nothing was named.
    """
    if place.run:
        folder = projects.folder(place.run)
        row = place.row or 0
        record = table.record(row) if table is not None and 0 <= row < table.n_rows else record_of(folder, row)
        return Shown(frame=record.frame, record=record, folder=str(folder.path))
    if not place.path:
        raise UsageError("Name an image: a run and a row, or a path.")
    if "\0" in place.path or not Path(place.path).is_absolute():
        raise UsageError(f"{place.path[:200]} is not an absolute path.")
    return Shown(frame=FrameRef(place.path, place.index))


def record_of(folder: RunFolder, row: int) -> FrameResult:
    """The record of a row, as :class:`iota.analysis.table.table.RunTable` counts them.

    Raises:
        UsageError: there are not so many, or it cannot be read.
    """
    try:
        record = next(islice(iterate_ledger(folder.ledger), max(row, 0), None), None)
    except RunFolderError as error:
        raise UsageError(f"The record of row {row} of run {folder.path.name} cannot be read.") from error
    if record is None:
        raise UsageError(f"Run {folder.path.name} has no row {row}.")
    return record


def n_rows(folder: RunFolder) -> int:
    """Number of finished frames of a run."""
    table = RunTable(folder)
    try:
        table.update()
    except RunFolderError:
        return 0
    return table.n_rows


class ImageSet(msgspec.Struct, kw_only=True):
    """Images to go through: rows of a run, or frames; ``remarks`` are sentences on what was left out."""

    run: str = ""
    n: int = 0
    rows: list[int] | None = None  # None: all rows of the run
    frames: list[FrameRef] = []
    remarks: list[str] = []


def rows_set(projects: Projects, run: str, rows: str = "") -> ImageSet:
    """Images of a run to go through.

    Args:
        projects: where runs are looked up.
        run: id of the run.
        rows: of the run, as ``3,8,12-20``; empty for all.

    Raises:
        UsageError: there is no such run, or the choice is not understood.
    """
    folder = projects.folder(run)
    chosen = numbers_in(rows, "rows", _MOST_IN_SET) if rows else None
    return ImageSet(run=run, n=n_rows(folder) if chosen is None else len(chosen), rows=chosen)


async def found_set(place: Place, sources: Sequence[str] = (), some: str = "") -> ImageSet:
    """Images of files to go through; cancel it when nobody waits any more.

    Args:
        place: the image that is shown; without sources all images of its path.
        sources: files, folders, wildcards and lists instead of the path.
        some: of the frames, ``first 10`` or ``5-20`` counted from 1; empty for all.

    Raises:
        UsageError: a choice is not understood, or the search has reached a limit.
    """
    named = list(sources) or [place.path if place.index is None else f"{place.path}#{place.index + 1}"]
    chosen = await image_searches.ask(CHOOSE_IMAGES, ChooseImages(named, some, _MOST_IN_SET))
    return ImageSet(n=len(chosen.frames), frames=chosen.frames, remarks=chosen.remarks)
