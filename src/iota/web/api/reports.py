"""API routes for reports of runs, as written by ``iota.report``, and for pictures of their geometries."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse

from iota.report.content import Source, report_blocks
from iota.report.html import html_text
from iota.report.markdown import markdown_text
from iota.runs.geometry_revisions import geometry_picture
from iota.web.live.heat_maps import grid_tally
from iota.web.live.index_counting import index_counting
from iota.web.live.run_charts import charts_of
from iota.web.live.runs import LiveRun, live_runs
from iota.web.projects.projects import Projects


def make_router(projects: Projects) -> APIRouter:
    """The routes of reports: ``/run/ID/report`` is shown, ``/run/ID/report.html`` and ``report.md`` are saved.

    ``/run/ID/geometry/N.png`` is the picture of the displacements of a detector.
    """
    router = APIRouter()

    @router.get("/run/{run_id}/report", include_in_schema=False)
    async def report(run_id: str) -> Response:
        return await _answer(projects, run_id, "html", "inline")

    @router.get("/run/{run_id}/report.{kind}", include_in_schema=False)
    async def saved(run_id: str, kind: Literal["html", "md"]) -> Response:
        return await _answer(projects, run_id, kind, "attachment")

    @router.get("/run/{run_id}/geometry/{number}.png", include_in_schema=False)
    async def picture(run_id: str, number: Annotated[int, PathParameter(ge=1, le=999_999_999)]) -> Response:
        path = geometry_picture(projects.folder(run_id), number)
        if not path.is_file():
            return Response("There is no such picture.", status_code=404, media_type="text/plain")
        return FileResponse(path, media_type="image/png", headers={"Cache-Control": "no-store"})

    return router


async def _answer(projects: Projects, run_id: str, kind: Literal["html", "md"], way: str) -> Response:
    live = live_runs.get(projects.folder(run_id))
    await live.current(10.0)
    blocks = await asyncio.to_thread(report_blocks, await _source(live))
    name = f"iota_run_{live.folder.path.name}.{kind}"
    headers = {"Content-Disposition": f'{way}; filename="{name}"', "Cache-Control": "no-store"}
    if kind == "html":
        return Response(html_text(blocks), media_type="text/html; charset=utf-8", headers=headers)
    return Response(markdown_text(blocks), media_type="text/markdown; charset=utf-8", headers=headers)


async def _source(live: LiveRun) -> Source:
    charts, tally = charts_of(live), grid_tally(live)
    await charts.update()
    await tally.update()
    summary = live.summary()
    indices = await index_counting(live).pictures(summary.consensus.space_group if summary.consensus else "")
    return Source(live.folder, live.table, live.state, summary, charts, indices, tally.tally)
