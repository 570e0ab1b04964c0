"""Which image is meant: a frame of a run by its row, or a path; and sets of them to go through."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from iota.analysis.table import RunTable
from iota.errors import RunFolderError, UsageError
from iota.inputs import find_frames
from iota.records import FrameRef, FrameResult
from iota.runs import RunFolder, iterate_ledger
from iota.web.projects import Projects

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
    """The record of a row, as :class:`iota.analysis.table.RunTable` counts them.

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


def image_set(
    projects: Projects, place: Place, rows: str = "", sources: Sequence[str] = (), some: str = ""
) -> ImageSet:
    """Images to go through.

    Args:
        projects: where runs are looked up.
        place: the image that is shown; without other choice all of its run, or of its path.
        rows: of the run, as ``3,8,12-20``; empty for all.
        sources: files, folders, wildcards and lists instead of the path.
        some: of the frames, ``first 10`` or ``5-20`` counted from 1; empty for all.

    Raises:
        UsageError: nothing is there, or a choice is not understood.
    """
    if place.run:
        folder = projects.folder(place.run)
        chosen = _numbers(rows, "rows") if rows else None
        return ImageSet(run=place.run, n=n_rows(folder) if chosen is None else len(chosen), rows=chosen)
    named = list(sources) or [place.path if place.index is None else f"{place.path}#{place.index + 1}"]
    found = find_frames(named)
    frames = _chosen(found.frames, some)
    remarks = [str(problem.text) for problem in found.problems[:5]]
    if len(frames) > _MOST_IN_SET:
        remarks.append(f"The first {_MOST_IN_SET:,} of {len(frames):,} images are gone through.")
    return ImageSet(n=min(len(frames), _MOST_IN_SET), frames=frames[:_MOST_IN_SET], remarks=remarks)


def _chosen(frames: list[FrameRef], some: str) -> list[FrameRef]:
    if not some:
        return frames
    word, _, number = some.partition(" ")
    if word == "first" and (number or "1").isdigit():
        return frames[: int(number or 1)]
    return [frames[k - 1] for k in _numbers(some, "images") if 0 < k <= len(frames)]


def _numbers(text: str, what: str) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise UsageError(f"{text[:60]} is no list of {what}; write it like 3,8,12-20.")
        named = range(int(first), int(last if dash else first) + 1)
        if len(found) + len(named) > _MOST_IN_SET:
            raise UsageError(f"{text[:60]} names more than {_MOST_IN_SET:,} {what}.")
        found += named
    return found
