"""API routes for the frames of a run: records and columns."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query
from starlette.responses import Response, StreamingResponse

from iota.analysis.table.arrow import MEDIA_TYPE, arrow_stream
from iota.analysis.table.columns import COLUMNS, current_name
from iota.analysis.table.selection import Wanted, select_rows
from iota.errors import UsageError
from iota.records import FrameResult
from iota.runs.earlier_records import with_old_names
from iota.web.api.answers import RunId, current_run, finished_record, json_answer, still_the_same
from iota.web.api.columns import float32_rows, zero_of_finished
from iota.web.api.descriptions import answers, error_answers
from iota.web.api.models import FramePage, FrameRow
from iota.web.live.runs import PATIENCE_S, LiveRun
from iota.web.projects.projects import Projects

MAX_FRAMES = 1000  # in one answer
_COLUMN_ANSWERS: dict[int | str, dict[str, Any]] = {
    **error_answers((400, 404, 422)),
    200: {
        "description": "The columns.",
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}},
        },
    },
}


_Names = Annotated[str, Query(description="Names of columns, separated by commas.", max_length=2000)]


def add_frames(api: APIRouter, projects: Projects) -> None:
    """Add the routes."""

    @api.get("/runs/{run}/frames", responses=answers(FramePage, errors=(400, 404, 409, 422, 503)))
    async def frames(
        run: RunId,
        offset: Annotated[int, Query(ge=0, description="Number of frames to skip.")] = 0,
        limit: Annotated[int, Query(ge=0, le=MAX_FRAMES, description="Maximum number of frames.")] = 100,
        outcome: Annotated[list[str] | None, Query(description="Any of these outcomes.", max_length=20)] = None,
        reason: Annotated[
            list[str] | None, Query(description="Any of these reasons, as in the table of the run.", max_length=100)
        ] = None,
        cause: Annotated[
            list[str] | None, Query(description="Any of these causes, by their codes.", max_length=100)
        ] = None,
        where: Annotated[
            list[str] | None, Query(description="Limits that must all hold, e.g. d_min_A<2.5.", max_length=20)
        ] = None,
        text: Annotated[str, Query(description="Part of the path or name of the frame.", max_length=1000)] = "",
        sort: Annotated[
            str,
            Query(description="Column to sort by; with a minus sign before it, in descending order.", max_length=40),
        ] = "",
    ) -> Response:
        """Records of the frames that meet all conditions, one page at a time."""
        live = await current_run(projects, run)
        if offset + limit > live.table.n_rows and not live.table.is_complete:
            await live.current(PATIENCE_S)
        wanted = Wanted(
            outcomes=outcome or (), reasons=reason or (), causes=cause or (), limits=where or (), text=text, sort=sort
        )
        with still_the_same(run):
            return json_answer(await asyncio.to_thread(_page, live, wanted, offset, limit))

    @api.get("/runs/{run}/frames/{row}", responses=answers(FrameRow, errors=(404, 409, 422, 503)))
    async def frame(run: RunId, row: Annotated[int, Path(ge=0, description="Row in the ledger.")]) -> Response:
        """The record of one frame; if it is about to be finished or read, the response waits up to 5 s."""
        live = await current_run(projects, run)
        return json_answer(_frame_row(row, await finished_record(live, run, row)))

    @api.get("/runs/{run}/columns", responses=_COLUMN_ANSWERS)
    async def run_columns(
        run: RunId,
        names: _Names,
        since: Annotated[int, Query(ge=0, description="First row to return.")] = 0,
        limit: Annotated[int | None, Query(ge=0, description="Maximum number of rows.")] = None,
        generation: Annotated[
            int | None,
            Query(description="X-Generation of the rows already received; if it has changed, all rows are returned."),
        ] = None,
        accept: Annotated[str, Header(include_in_schema=False)] = "",
    ) -> Response:
        """Columns of finished frames: float32, little-endian, row by row `[n_rows, n_names]`, or an Arrow stream.

        X-Rows-From differs from ``since`` if the rows already received are no longer valid.  In float32, codes and nan
        are as in /api/columns, and ``finished`` counts from X-Finished-Zero.
        """
        asked = _column_names(names)
        live = await current_run(projects, run)
        table = live.table
        if since > table.n_rows and generation in (None, table.generation):
            await live.reach(since)
        n_rows = table.n_rows
        is_void = since > n_rows or (generation is not None and generation != table.generation)
        first = 0 if is_void else since
        last = n_rows if limit is None else min(n_rows, first + limit)
        headers = {
            "X-Rows-From": str(first),
            "X-Rows-To": str(last),
            "X-Columns": ",".join(asked),
            "X-Generation": str(table.generation),
            "X-Progress": f"{table.progress:.4f}",
            "Cache-Control": "no-store",
        }
        if MEDIA_TYPE in accept:
            stream = await asyncio.to_thread(arrow_stream, table, asked, first, last)
            return Response(stream, media_type=MEDIA_TYPE, headers=headers)
        headers["Content-Length"] = str((last - first) * len(asked) * 4)
        headers["X-Finished-Zero"] = repr(zero_of_finished(table))
        rows = float32_rows(table, asked, first, last)
        return StreamingResponse(rows, media_type="application/octet-stream", headers=headers)


def _page(live: LiveRun, wanted: Wanted, offset: int, limit: int) -> FramePage:
    rows = select_rows(live.table, wanted)
    some = rows[offset : offset + limit]
    records = live.table.records(some) if len(some) else ()  # a run that has just begun has no ledger
    frames = [_frame_row(row, result) for row, result in zip(some.tolist(), records, strict=True)]
    return FramePage(total=len(rows), offset=offset, progress=live.table.progress, frames=frames)


def _frame_row(row: int, result: FrameResult) -> FrameRow:
    named = with_old_names(result)
    return FrameRow(row=row, **{name: getattr(named, name) for name in named.__struct_fields__})


def _column_names(names: str) -> list[str]:
    asked = [name.strip() for name in names.split(",") if name.strip()]
    for name in asked:
        if current_name(name) not in COLUMNS:
            raise UsageError(f"There is no column {name[:40]!r}. Columns are {', '.join(COLUMNS)}.")
    if not asked:
        raise UsageError(f"No column was requested. Columns are {', '.join(COLUMNS)}.")
    return asked
