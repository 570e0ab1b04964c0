"""The page of the HTTP API, from the OpenAPI description of the server."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from documentation.markdown import code, prose, table
from iota.web.api.docs import type_in_words
from iota.web.projects.projects import Projects
from iota.web.server import make_api
from iota.web.site import Site

_INTRODUCTION = """\
# HTTP API

Use and examples: [IOTA for programs](../api.md). A server shows the content of this page at `/api/docs`.
"""


@lru_cache(maxsize=1)
def application() -> FastAPI:
    """A server of an empty project, which is not started."""
    with tempfile.TemporaryDirectory() as folder:
        return make_api(Site(Projects(Path(folder))))


def page() -> str:
    """The page."""
    described = application().openapi()
    lines = [_INTRODUCTION]
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            lines += _operation(method.upper(), path, operation)
    lines.append("## Types\n")
    for name, schema in sorted(described["components"]["schemas"].items()):
        lines += _schema(name, schema)
    return "\n".join(lines)


def undocumented() -> Iterator[str]:
    """Routes and parameters without a word on what they are."""
    app = application()
    for route in app.routes:
        if isinstance(route, APIRoute) and route.include_in_schema and not (route.summary or route.description):
            yield f"The route {'/'.join(sorted(route.methods or ()))} {route.path} has no docstring."
    for path, methods in app.openapi()["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", []):
                if not parameter.get("description"):
                    yield f"The parameter {parameter['name']} of {path} has no description."
    for name, schema in app.openapi()["components"]["schemas"].items():
        if not schema.get("description"):
            yield f"{name}, which the API takes or gives, has no docstring."


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"## {method} {path}\n"
    yield f"{operation.get('description') or operation['summary']}\n".replace("``", "`")
    yield from _parameters(operation)
    taken = [content["schema"] for content in operation.get("requestBody", {}).get("content", {}).values()]
    if taken:
        yield f"Takes {_type(taken[0])}.\n"
    rows = [
        (status, prose(answer.get("description", "")),
         ", ".join(f"{_type(content.get('schema', {}))} as {code(media)}" for media, content in
                   answer.get("content", {}).items()))
        for status, answer in operation["responses"].items()
    ]  # fmt: skip
    yield from table(("status", "meaning", "answer"), rows)


def _parameters(operation: dict[str, Any]) -> Iterator[str]:
    parameters = operation.get("parameters", [])
    if parameters:
        rows = [(code(one["name"]), _type(one["schema"]), prose(one.get("description", ""))) for one in parameters]
        yield from table(("parameter", "type", "meaning"), rows)


def _schema(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"### {name}\n"
    yield f"{' '.join(schema.get('description', '').split())}\n".replace("``", "`")
    rows = [
        (code(field), _type(of), prose(of.get("description", "")), _default(of))
        for field, of in schema.get("properties", {}).items()
    ]
    if rows:
        yield from table(("field", "type", "meaning", "default"), rows)


def _default(of: dict[str, Any]) -> str:
    return code(str(of["default"])) if of.get("default") not in (None, "", [], {}) else ""


def _type(schema: dict[str, Any]) -> str:
    return type_in_words(schema, lambda name: f"[{name}](#{name.lower()})", code)
