"""The page ``/api/docs``, made from the OpenAPI description of the server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8882;--accent:#0072b2}
@media (prefers-color-scheme:dark){:root{--accent:#56b4e9}}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1.5rem}
code,pre{font:13px/1.5 ui-monospace,monospace}
pre{background:var(--soft);padding:.8rem;overflow-x:auto;border-radius:6px}
h2{border-top:1px solid var(--line);padding-top:1rem;margin-top:2.2rem;font-size:1.05rem}
h2 code{font-size:1rem} .method{color:var(--accent);font-weight:600;margin-right:.6rem}
table{border-collapse:collapse;width:100%;margin:.6rem 0}
td,th{border-bottom:1px solid var(--line);padding:.3rem .8rem .3rem 0;text-align:left;vertical-align:top}
th{font-weight:600} a{color:var(--accent)} nav{columns:2} .muted{opacity:.75}
"""


def docs_page(schema: Mapping[str, Any]) -> str:
    """HTML of an OpenAPI description."""
    info = schema["info"]
    operations = [
        (method.upper(), path, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    schemas = schema.get("components", {}).get("schemas", {})
    body = [
        f"<h1>{escape(info['title'])} API</h1>",
        f"<p>{escape(info.get('description', ''))}</p>",
        '<p class="muted">For programs: <a href="openapi.json">openapi.json</a>.'
        " Programs send the token that <code>iota --token</code> prints as header"
        " <code>Authorization: Bearer TOKEN</code>.</p>",
        "<nav>",
        *(f'<div><a href="#{_anchor(m, p)}"><code>{m} {escape(p)}</code></a></div>' for m, p, _ in operations),
        "</nav>",
    ]
    for method, path, operation in operations:
        body += _operation(method, path, operation)
    body.append("<h1>Types</h1>")
    for name in sorted(schemas):
        body += _schema(name, schemas[name])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])} API</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>{"".join(body)}</html>'
    )


def _anchor(method: str, path: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in f"{method}{path}")


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f'<h2 id="{_anchor(method, path)}"><span class="method">{method}</span><code>{escape(path)}</code></h2>'
    yield f"<p>{_prose(operation.get('description') or operation.get('summary', ''))}</p>"
    parameters = operation.get("parameters", [])
    if parameters:
        yield "<table><tr><th>parameter</th><th>type</th><th>meaning</th></tr>"
        for parameter in parameters:
            yield _row(parameter["name"], parameter.get("schema", {}), parameter.get("description", ""))
        yield "</table>"
    body = operation.get("requestBody", {}).get("content", {})
    for media, content in body.items():
        yield f"<p>Takes {_type(content.get('schema', {}))} as <code>{escape(media)}</code>.</p>"
    for status, answer in operation.get("responses", {}).items():
        kinds = [
            f"{_type(content.get('schema', {}))} as <code>{escape(media)}</code>"
            for media, content in answer.get("content", {}).items()
        ]
        given = f" <span class=muted>({', or '.join(kinds)})</span>" if kinds else ""
        yield f"<div><code>{escape(str(status))}</code> {_prose(answer.get('description', ''))}{given}</div>"


def _schema(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f'<h2 id="{escape(name)}"><code>{escape(name)}</code></h2>'
    if schema.get("description"):
        yield f"<p>{_prose(schema['description'])}</p>"
    if schema.get("properties"):
        yield "<table><tr><th>field</th><th>type</th><th>meaning</th></tr>"
        for field, of in schema["properties"].items():
            yield _row(field, of, of.get("description", ""))
        yield "</table>"


def _prose(text: str) -> str:
    """Text of a docstring as HTML."""
    return re.sub(r"(`{1,2})([^`]+)\1", r"<code>\2</code>", escape(text))


def _row(name: str, schema: Mapping[str, Any], meaning: str) -> str:
    default = f" <span class=muted>default {escape(repr(schema['default']))}</span>" if schema.get("default") else ""
    return f"<tr><td><code>{escape(name)}</code></td><td>{_type(schema)}{default}</td><td>{escape(meaning)}</td></tr>"


def _type(schema: Mapping[str, Any]) -> str:
    return type_in_words(schema, _link, lambda text: f"<code>{escape(text)}</code>")


def _link(name: str) -> str:
    return f'<a href="#{escape(name)}">{escape(name)}</a>'


def type_in_words(schema: Mapping[str, Any], link: Callable[[str], str], code: Callable[[str], str]) -> str:
    """The type that an OpenAPI schema describes.

    Args:
        schema: of a parameter, a field or an answer.
        link: writes the name of a schema that is described elsewhere.
        code: writes what is to be typed as it stands.
    """

    def words(inner: Mapping[str, Any]) -> str:
        return type_in_words(inner, link, code)

    if "$ref" in schema:
        return link(schema["$ref"].rpartition("/")[2])
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join(map(words, schema[several]))
    if "enum" in schema:
        return code(" | ".join(map(str, schema["enum"])))
    if schema.get("type") == "array":
        inside: Any = schema.get("items") or next(iter(schema.get("prefixItems", [])), {})
        return f"list of {words(inside) if isinstance(inside, dict) else 'anything'}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"name → {words(schema['additionalProperties'])}"
    return str(schema.get("type", "anything"))
