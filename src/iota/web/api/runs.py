"""API routes for runs: list, status, log, start, stop."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from iota.analysis.facts import lattice_facts, run_facts
from iota.errors import UsageError
from iota.params import is_assignment
from iota.runs.control import give_order
from iota.runs.folder import RunInfo
from iota.web.api.answers import RunId, current_run, json_answer, project_folder
from iota.web.api.descriptions import answers
from iota.web.api.models import Ordered, RunDetail, RunList, StartRequest, TableInfo
from iota.web.live.log_reader import LogText, read_end, read_since, search
from iota.web.live.runs import LiveRun
from iota.web.projects.launch import resume_run, start_run, stop_run
from iota.web.projects.projects import Projects, RunEntry

Order = Annotated[Literal["stop", "finish", "resume"], Path(description="Order to the run.")]


def add_runs(api: APIRouter, projects: Projects) -> None:
    """Add the routes."""

    @api.get("/runs", responses=answers(RunList, errors=(404,)))
    async def runs(
        project: Annotated[str, Query(description="Only runs of this project folder.", max_length=4096)] = "",
    ) -> Response:
        """Runs of the projects that this server shows."""
        return json_answer(
            RunList(await asyncio.to_thread(projects.runs, project_folder(projects, project) if project else None))
        )

    @api.post("/runs", status_code=201, responses=answers(Ordered, 201, errors=(400, 404, 422, 500)))
    async def start(request: StartRequest) -> Response:
        """Start a run, which continues after the server stops.  If iota.run rejects it, its message is returned."""
        home = project_folder(projects, request.project) if request.project else projects.home
        folder = await start_run(request.script, request.target, home, _arguments(request))
        run_id = projects.id_of(folder)
        return json_answer(Ordered(run_id, str(folder.path)), 201, Location=f"/api/runs/{run_id}")

    @api.get("/runs/{run}", responses=answers(RunDetail, errors=(404, 409)))
    async def run_detail(run: RunId) -> Response:
        """One run: state, summary, how it was started, and how far the ledger has been read."""
        entry = await asyncio.to_thread(projects.entry, projects.folder(run))
        live = await current_run(projects, run)  # after the entry: what that counts as finished is read
        return json_answer(await asyncio.to_thread(_detail, entry, live))

    @api.post("/runs/{run}/{order}", status_code=202, responses=answers(Ordered, 202, errors=(400, 404, 409)))
    async def give(run: RunId, order: Order) -> Response:
        """Stop a run, end its monitor mode (finish), or resume it."""
        folder = projects.folder(run)
        if order == "stop":
            await stop_run(folder)
        elif order == "finish":
            give_order(folder, "finish")
        else:
            await resume_run(folder)
        return json_answer(Ordered(run, str(folder.path)), 202)

    @api.get("/runs/{run}/log", responses=answers(LogText, errors=(404, 422)))
    async def log(
        run: RunId,
        since: Annotated[
            int | None,
            Query(ge=0, description="Number of bytes already received; by default, the end of the log is returned."),
        ] = None,
        contains: Annotated[str, Query(description="Only lines that contain this text.", max_length=1000)] = "",
    ) -> Response:
        """The log of a run: its end, the part after a given byte, or the lines that contain a text (LogLines)."""
        path = projects.folder(run).log
        if contains:
            return json_answer(await asyncio.to_thread(search, path, contains))
        if since is None:
            return json_answer(await asyncio.to_thread(read_end, path))
        return json_answer(await asyncio.to_thread(read_since, path, since))


def _arguments(request: StartRequest) -> list[str]:
    """What the command line would be; nothing in it can be an option."""
    for path in request.inputs:
        if path.startswith("-") or is_assignment(path):
            raise UsageError(f"{path[:200]!r} is not a path. Give the full path, e.g. /data/run1/*.cbf.")
    for assignment in request.assignments:
        if assignment.startswith("-") or not is_assignment(assignment):
            raise UsageError(f"{assignment[:200]!r} is not an assignment. Write name=value.")
    return [*request.inputs, *request.assignments]


def _detail(entry: RunEntry, live: LiveRun) -> RunDetail:
    table, summary = live.table, live.summary()
    try:
        info = msgspec.json.decode(live.folder.info.read_bytes(), type=RunInfo)
    except (OSError, msgspec.DecodeError):
        info = None
    return RunDetail(
        run=entry,
        state=live.state,
        info=info,
        summary=summary,
        facts=[*run_facts(summary), *lattice_facts(summary)],
        table=TableInfo(
            n_rows=table.n_rows,
            n_lattices=table.n_lattices,
            generation=table.generation,
            progress=table.progress,
            n_unreadable=table.n_unreadable,
            reasons=table.words("reason"),
            causes=[kind.cause.value for kind in table.kinds],
            settings=table.words("settings"),
            remarks=table.words("remarks"),
            symmetries=table.words("symmetry"),
        ),
        problem=live.problem,
    )
