"""The HTTP API: all that pages show of runs, for programs; JSON, and float32 or Arrow for columns.

Who may ask is checked outside, by :mod:`iota.web.access.guard`.
"""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import HTMLResponse, Response

import iota
from iota import records
from iota.analysis.table.columns import COLUMNS
from iota.records import OUTCOMES
from iota.web.api.answers import json_answer
from iota.web.api.docs import docs_page
from iota.web.api.errors import NotThereError, handle_errors
from iota.web.api.frames import add_frames
from iota.web.api.models import ColumnList, Versions, answers, components
from iota.web.api.runs import add_runs
from iota.web.projects.projects import Projects

API_VERSION = 1
_DESCRIPTION = (
    "Runs, their frames and their logs. Numbers have their units in their names. Every answer whose status is 400 or"
    ' more is {"error": {"kind", "message", "next"}}.'
)


def add_api(app: FastAPI, projects: Projects) -> None:
    """Give an application the API, its documentation and its way to say what is wrong."""
    app.include_router(_make_router(app, projects))
    handle_errors(app)

    def openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            made = get_openapi(title="IOTA", version=iota.__version__, description=_DESCRIPTION, routes=app.routes)
            made.setdefault("components", {}).setdefault("schemas", {}).update(components())
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation says


def _make_router(app: FastAPI, projects: Projects) -> APIRouter:
    api = APIRouter(prefix="/api")

    @api.get("/versions", responses=answers(Versions, errors=()))
    async def versions() -> Response:
        """What this server is made of."""
        return json_answer(_versions())

    @api.get("/columns", responses=answers(ColumnList, errors=()))
    async def columns() -> Response:
        """What columns there are, with units and words for people."""
        return json_answer(ColumnList(list(COLUMNS.values()), list(OUTCOMES)))

    add_runs(api, projects)
    add_frames(api, projects)

    @api.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(docs_page(app.openapi()))

    @api.api_route("/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
    async def nothing(rest: str) -> Response:
        raise NotThereError(f"There is nothing at /api/{rest[:80]}. See /api/docs for what there is.")

    return api


def _versions() -> Versions:
    packages = {}
    for name in ("nicegui", "fastapi", "numpy", "msgspec", "pyarrow"):
        try:
            packages[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return Versions(iota.__version__, API_VERSION, records.FORMAT_VERSION, platform.python_version(), packages)
