"""Shared by all routes of the API: finding a run, encoding a response."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import fastapi
import msgspec
from starlette.responses import Response

from iota.errors import NotFoundError
from iota.records import FrameResult
from iota.web.api.errors import NotYetError
from iota.web.live.runs import LiveRun, live_runs
from iota.web.projects.projects import Projects

RunId = Annotated[str, fastapi.Path(alias="run", description="Id of a run, as in the list of runs.", max_length=40)]


def json_answer(value: object, status: int = 200, **headers: str) -> Response:
    """An answer in JSON, which no proxy keeps."""
    body = msgspec.json.encode(value)
    return Response(body, status, media_type="application/json", headers={"Cache-Control": "no-store", **headers})


def project_folder(projects: Projects, text: str) -> Path:
    """A project by its folder, which must be one of those that the server shows.

    Raises:
        NotFoundError: it is not.
    """
    for folder in projects.folders:
        if str(folder) == text:
            return folder
    raise NotFoundError(f"The project {text[:200]} is not open on this server. Open it on the Runs page first.")


async def current_run(projects: Projects, run: str) -> LiveRun:
    """A run by its id, read as far as that is done within a second.

    Raises:
        NotFoundError: there is no such run.
    """
    live = live_runs.get(projects.folder(run))
    await live.current()
    return live


async def finished_record(live: LiveRun, run: str, row: int) -> FrameResult:
    """The record of a row; one that is to be expected is waited for (5 s at most).

    Args:
        live: the run.
        run: its id.
        row: of the ledger, from 0.

    Raises:
        NotFoundError: there is no such row.
        NotYetError: it is not finished or read yet.
        RunFolderError: the ledger cannot be read any more.
    """
    if not await live.reach(row + 1):
        if live.may_reach(row + 1):
            raise NotYetError(
                f"Row {row} of run {run} has not been processed or read yet. {progress(live)} Try again in a few"
                " seconds."
            )
        raise NotFoundError(f"Run {run} has no row {row}. Finished frames: {live.table.n_rows}.")
    with still_the_same(run):
        return await asyncio.to_thread(live.table.record, row)


@contextlib.contextmanager
def still_the_same(run: str) -> Iterator[None]:
    """Have rows that are gone, because the run was replaced in this moment, asked for again.

    Raises:
        NotYetError: they are gone.
    """
    try:
        yield
    except IndexError as error:
        raise NotYetError(f"Run {run} was replaced while being read. Try again in a few seconds.") from error


def progress(live: LiveRun) -> str:
    """How far a run is finished or read, as a sentence."""
    if live.table.is_complete:
        return f"{live.table.n_rows} of {live.n_frames} frames are finished."
    return f"{live.table.n_rows} rows ({live.table.progress:.0%} of the ledger) have been read."
