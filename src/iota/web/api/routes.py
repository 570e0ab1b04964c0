"""Adds all routes of the HTTP API to the server, with their OpenAPI description.

Who may ask is checked outside, by :mod:`iota.web.access.guard`.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

import iota
from iota import records
from iota.analysis.table.columns import COLUMNS, OLD_NAMES
from iota.records import OUTCOMES
from iota.web.api.answers import json_answer
from iota.web.api.descriptions import answers, components
from iota.web.api.docs import docs_page
from iota.web.api.errors import SEE_DOCS, error_response, handle_errors
from iota.web.api.frames import add_frames
from iota.web.api.image_marks import add_marks
from iota.web.api.image_requests import Images
from iota.web.api.images import add_images
from iota.web.api.masks import add_masks
from iota.web.api.models import ColumnList, Versions
from iota.web.api.runs import add_runs
from iota.web.image.pixel_server import PixelServer
from iota.web.projects.projects import Projects

API_VERSION = 1
_DESCRIPTION = (
    "Runs, their frames, logs and images. Names of numbers include their units. Every response with status 400"
    ' or above is {"error": {"kind", "message", "next"}}.'
)


def add_api(app: FastAPI, projects: Projects, pixels: PixelServer | None = None) -> None:
    """Give an application the API, its documentation and its way to say what is wrong.

    Args:
        app: the application.
        projects: whose runs are shown.
        pixels: what opens images; by default another one, which starts when it is first asked.
    """
    routers = (_make_router(app, projects), _make_image_router(Images(projects, pixels or PixelServer())))
    for router in routers:
        app.include_router(router)
    nothing = _Nothing([route for router in routers for route in router.routes])
    for path in ("/api", "/api/{rest:path}"):
        app.add_route(path, nothing, include_in_schema=False)  # type: ignore[arg-type]  # an ASGI application
    handle_errors(app)

    def openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            made = get_openapi(title="IOTA", version=iota.__version__, description=_DESCRIPTION, routes=app.routes)
            made.setdefault("components", {}).setdefault("schemas", {}).update(components())
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation says


def _make_router(app: FastAPI, projects: Projects) -> APIRouter:
    api = APIRouter(prefix="/api", default_response_class=Response)

    @api.get("/versions", responses=answers(Versions, errors=()))
    async def versions() -> Response:
        """Versions of the components of this server."""
        return json_answer(_versions())

    @api.get("/columns", responses=answers(ColumnList, errors=()))
    async def columns() -> Response:
        """Available columns, with units and labels."""
        return json_answer(ColumnList(list(COLUMNS.values()), list(OUTCOMES), old_names=dict(OLD_NAMES)))

    add_runs(api, projects)
    add_frames(api, projects)

    @api.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(docs_page(app.openapi()))

    return api


def _make_image_router(images: Images) -> APIRouter:
    api = APIRouter(prefix="/api/image", default_response_class=Response)
    for add in (add_images, add_marks, add_masks):
        add(api, images)
    return api


class _Nothing:
    """ASGI application that answers what no route of the API does, whatever its method, before pages do."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = [route for route in routes if isinstance(route, Route)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say whether there is nothing, or something for another method."""
        path = scope["path"][:85]
        of_path = [route.methods or () for route in self._routes if route.matches(scope)[0] is not Match.NONE]
        allowed = ", ".join(sorted({method for methods in of_path for method in methods}))
        if allowed:
            sentence = f"{path} takes {allowed}, not {scope['method'][:20]}."
            answer = error_response(405, "method", sentence, SEE_DOCS, {"Allow": allowed})
        else:
            answer = error_response(404, "not_found", f"There is nothing at {path}.", SEE_DOCS)
        await answer(scope, receive, send)


def _versions() -> Versions:
    packages = {}
    for name in ("nicegui", "fastapi", "numpy", "msgspec", "pyarrow"):
        try:
            packages[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return Versions(iota.__version__, API_VERSION, records.FORMAT_VERSION, platform.python_version(), packages)
