"""Routes of the API for the frames of a run: records, some at a time, and columns."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query
from starlette.responses import Response, StreamingResponse

from iota.analysis.table.arrow import MEDIA_TYPE, arrow_stream
from iota.analysis.table.columns import COLUMNS
from iota.analysis.table.selection import Wanted, select_rows
from iota.errors import UsageError
from iota.records import FrameResult
from iota.web.api.answers import RunId, current_run, json_answer
from iota.web.api.columns import float32_rows, zero_of_finished
from iota.web.api.errors import NotThereError, NotYetError
from iota.web.api.models import ColumnList, FramePage, FrameRow, answers
from iota.web.live.runs import PATIENCE_S, LiveRun
from iota.web.projects.projects import Projects

MOST_FRAMES = 1000  # in one answer
_COLUMN_ANSWERS: dict[int | str, dict[str, Any]] = {
    **answers(ColumnList, errors=(400, 404, 422)),
    200: {
        "description": "The columns.",
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}},
        },
    },
}


_Names = Annotated[str, Query(description="Names of columns, with commas between them.", max_length=2000)]


def add_frames(api: APIRouter, projects: Projects) -> None:
    """Add the routes."""

    @api.get("/runs/{run}/frames", responses=answers(FramePage, errors=(400, 404, 409, 422)))
    async def frames(
        run: RunId,
        offset: Annotated[int, Query(ge=0, description="How many to leave out.")] = 0,
        limit: Annotated[int, Query(ge=0, le=MOST_FRAMES, description="How many to give.")] = 100,
        outcome: Annotated[list[str] | None, Query(description="Any of these outcomes.", max_length=20)] = None,
        reason: Annotated[
            list[str] | None, Query(description="Any of these reasons, as the run's table has them.", max_length=100)
        ] = None,
        where: Annotated[
            list[str] | None, Query(description="Limits that must all hold, e.g. d_min_A<2.5.", max_length=20)
        ] = None,
        text: Annotated[str, Query(description="A part of the frame's path or name.", max_length=1000)] = "",
        sort: Annotated[str, Query(description="A column; -column for the largest first.", max_length=40)] = "",
    ) -> Response:
        """Records of the frames that are wanted, some at a time."""
        live = await current_run(projects, run)
        if offset + limit > live.table.n_rows and not live.table.is_complete:
            await live.current(PATIENCE_S)
        wanted = Wanted(outcomes=outcome or (), reasons=reason or (), limits=where or (), text=text, sort=sort)
        return json_answer(await asyncio.to_thread(_page, live, wanted, offset, limit))

    @api.get("/runs/{run}/frames/{row}", responses=answers(FrameRow, errors=(404, 409, 422, 503)))
    async def frame(run: RunId, row: Annotated[int, Path(ge=0, description="Row in the ledger.")]) -> Response:
        """The record of one frame; of a run at work one that will be there soon is waited for (5 s at most)."""
        live = await current_run(projects, run)
        if not await live.reach(row + 1):
            if live.may_reach(row + 1):
                raise NotYetError(
                    f"Row {row} of run {run} is not there yet. {_progress(live)} Ask again in some seconds."
                )
            raise NotThereError(f"Run {run} has no row {row}. It has {live.table.n_rows} finished frames.")
        return json_answer(_frame_row(row, await asyncio.to_thread(live.table.record, row)))

    @api.get("/runs/{run}/columns", responses=_COLUMN_ANSWERS)
    async def run_columns(
        run: RunId,
        names: _Names,
        since: Annotated[int, Query(ge=0, description="First row that is wanted.")] = 0,
        limit: Annotated[int | None, Query(ge=0, description="How many rows at most.")] = None,
        generation: Annotated[
            int | None, Query(description="Of the rows that are known; when it has changed, all rows come.")
        ] = None,
        accept: Annotated[str, Header(include_in_schema=False)] = "",
    ) -> Response:
        """Columns of finished frames: float32, little-endian, row by row `[n_rows, n_names]`, or an Arrow stream.

        X-Rows-From differs from ``since`` when the rows that were known are void.  In float32, codes and nan are as in
        /api/columns, and ``finished`` counts from X-Finished-Zero.
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
    frames = [_frame_row(row, result) for row, result in zip(some.tolist(), live.table.records(some), strict=True)]
    return FramePage(total=len(rows), offset=offset, progress=live.table.progress, frames=frames)


def _progress(live: LiveRun) -> str:
    if live.table.is_complete:
        return f"{live.table.n_rows} of {live.n_frames} frames are finished."
    return f"{live.table.n_rows} rows, {live.table.progress:.0%} of the ledger, are read."


def _frame_row(row: int, result: FrameResult) -> FrameRow:
    return FrameRow(row=row, **{name: getattr(result, name) for name in result.__struct_fields__})


def _column_names(names: str) -> list[str]:
    asked = [name.strip() for name in names.split(",") if name.strip()]
    for name in asked:
        if name not in COLUMNS:
            raise UsageError(f"There is no column {name[:40]!r}. Columns are {', '.join(COLUMNS)}.")
    if not asked:
        raise UsageError(f"No column is named. Columns are {', '.join(COLUMNS)}.")
    return asked
