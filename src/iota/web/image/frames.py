"""Finds the requested image: a row of a run, or a path; and sets of images to browse."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from iota.errors import UsageError
from iota.inputs.finding.search_job import CHOOSE_IMAGES, ChooseImages
from iota.inputs.names.select import numbers_in
from iota.records import FrameRef, FrameResult
from iota.runs import RunFolder
from iota.web.live.runs import LiveRun
from iota.web.searches.searching import image_searches

_MAX_IN_SET = 20_000
_ALL_ROWS_S = 30.0  # in which a large ledger is read


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


def at_path(path: str, index: int | None = None) -> Shown:
    """The image that a path names, and for a multi-image file its index from 0.

    Raises:
        UsageError: nothing is named, or not by an absolute path.
    """
    if not path:
        raise UsageError("Specify an image by run and row, or by path.")
    if "\0" in path or not Path(path).is_absolute():
        raise UsageError(f"{path[:200]} is not an absolute path.")
    return Shown(frame=FrameRef(path, index))


class ImageSet(msgspec.Struct, kw_only=True):
    """Images to browse: rows of a run, or frames; ``remarks`` say what was left out."""

    run: str = ""
    n: int = 0
    rows: list[int] | None = None  # None: all rows of the run
    frames: list[FrameRef] = []
    remarks: list[str] = []


async def rows_set(live: LiveRun, run: str, rows: str = "") -> ImageSet:
    """Images of a run to go through; rows that it does not have are left out.

    Args:
        live: the run.
        run: its id.
        rows: of the run, as ``3,8,12-20``; empty for all.

    Raises:
        UsageError: the choice is not understood.
    """
    if not rows:
        await live.current(_ALL_ROWS_S)
        return ImageSet(run=run, n=live.table.n_rows)
    wanted = numbers_in(rows, "rows", _MAX_IN_SET)
    await live.reach(max(wanted, default=-1) + 1)
    chosen = [row for row in wanted if row < live.table.n_rows or live.may_reach(row + 1)]
    n_left_out = len(wanted) - len(chosen)
    remark = f"Rows that do not exist in run {run} were left out: {n_left_out}."
    return ImageSet(run=run, n=len(chosen), rows=chosen, remarks=[remark] if n_left_out else [])


async def found_set(path: str, index: int | None = None, sources: Sequence[str] = (), some: str = "") -> ImageSet:
    """Images of files to go through; cancel it when nobody waits any more.

    Args:
        path: of a file, all of whose images are wanted, where there are no sources.
        index: of the only image of that file that is wanted, from 0.
        sources: files, folders, wildcards and lists.
        some: of the frames, ``first 10`` or ``5-20`` counted from 1; empty for all.

    Raises:
        UsageError: nothing is named, a choice is not understood, or the search has reached a limit.
    """
    if not (sources or path):
        raise UsageError("Specify images by run, path or sources.")
    named = list(sources) or [path if index is None else f"{path}#{index + 1}"]
    chosen = await image_searches.ask(CHOOSE_IMAGES, ChooseImages(named, some, _MAX_IN_SET))
    return ImageSet(n=len(chosen.frames), frames=chosen.frames, remarks=chosen.remarks)
