"""The page of the Python interface: what `iota.api` offers, and the fields of all that it returns."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import iota.api
from documentation.markdown import code, prose, table
from iota.simulate.truth import FrameTruth
from iota.web.api import models
from iota.web.api.fields import descriptions, is_structure, structures

_INTRODUCTION = """\
# Python interface

Everything here is imported from `iota.api`, except where a module is named; examples are in
[IOTA for programs](../api.md). Names end with their units: `_A` Angstrom, `_A2` square Angstrom, `_deg` degrees, `_mm`,
`_px` pixels, `_s` seconds; axes and signs are explained in [coordinate frames](../explanations/coordinate-frames.md).
All errors are in `iota.errors`.
"""
_SECTION = re.compile(r"^(Args|Returns|Raises|Yields):\n((?:    .*\n?|\n)+)", re.MULTILINE)
_ROLE = re.compile(r":\w+:`~?([^`]+)`|``([^`]+)``")
_LATER = ("iota.records",)  # fields of these that are being renamed


def page() -> str:
    """The page."""
    offered = [getattr(iota.api, name) for name in iota.api.__all__]
    with_fields = structures([*offered, FrameTruth])
    lines = [_INTRODUCTION, "## Functions\n"]
    for one in offered:
        if inspect.isfunction(one):
            lines += _callable(one, "###", one.__name__)
    lines += [f"## {iota.api.Run.__name__}\n", _text(iota.api.Run)]
    for name, member in vars(iota.api.Run).items():
        if not name.startswith("_"):
            lines += _callable(member, "###", f"Run.{name}")
    lines.append("## Objects with fields\n")
    for kind in with_fields:
        lines += _structure(kind, offered)
    return "\n".join(lines)


def undocumented() -> Iterator[str]:
    """Public members without a docstring, and fields without one under them."""
    for name in iota.api.__all__:
        if not inspect.getdoc(getattr(iota.api, name)):
            yield f"iota.api.{name} has no docstring."
    for name, member in vars(iota.api.Run).items():
        if not name.startswith("_") and not inspect.getdoc(member):
            yield f"iota.api.Run.{name} has no docstring."
    answers = [one for one in vars(models).values() if is_structure(one)]
    for kind in structures([*(getattr(iota.api, name) for name in iota.api.__all__), FrameTruth, *answers]):
        if kind.__module__ not in _LATER:
            for field in vars(kind).get("__annotations__", {}).keys() - descriptions(kind).keys():
                yield f"The field {field} of {kind.__module__}.{kind.__name__} has no docstring under it."


def _callable(member: Any, level: str, name: str) -> Iterator[str]:
    if isinstance(member, property):
        yield f"{level} {name}\n"
        yield f"Property, {code(str(inspect.signature(_getter(member)).return_annotation))}.\n"
    else:
        yield f"{level} {name}()\n"
        yield f"    {name}{_signature(member)}\n"
    yield _text(member)


def _getter(member: property) -> Callable[[Any], Any]:
    assert member.fget is not None
    return member.fget


def _signature(function: Callable[..., Any]) -> str:
    signature = inspect.signature(function)
    shown = [one for name, one in signature.parameters.items() if name != "self"]
    return re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(signature.replace(parameters=shown)))


def _structure(kind: type, offered: list[Any]) -> Iterator[str]:
    yield f"### {kind.__name__}\n"
    if kind not in offered:
        yield f"In `{kind.__module__}`.\n"
    yield _text(kind)
    words = descriptions(kind)
    rows = [(code(name), code(of), _inline(prose(words.get(name, "")))) for name, of in _fields(kind).items()]
    yield from table(("field", "type", "meaning"), rows)
    properties = {
        name: member
        for name, member in inspect.getmembers(kind, lambda member: isinstance(member, property))
        if not name.startswith("_")
    }
    if properties:
        rows = [
            (code(name), code(str(inspect.signature(_getter(member)).return_annotation)), _inline(_text(member)))
            for name, member in properties.items()
        ]
        yield from table(("property", "type", "meaning"), rows)


def _fields(kind: type) -> dict[str, str]:
    """Names of fields and their types, as they are written in the code."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if is_structure(base):
            found |= {name: str(of) for name, of in vars(base).get("__annotations__", {}).items()}
    return found


def _text(documented: Any) -> str:
    """A docstring as Markdown: sections as lists."""
    text = inspect.getdoc(documented) or ""
    return _inline(_SECTION.sub(_as_list, f"{text}\n")).rstrip() + "\n"


def _as_list(section: re.Match[str]) -> str:
    entries = textwrap.dedent(section[2]).replace("\n    ", " ")
    items = [re.sub(r"^([\w., ]+): ", r"`\1`: ", line) for line in entries.splitlines() if line.strip()]
    if section[1] in ("Returns", "Yields"):
        items = [" ".join(section[2].split())]
    return f"{section[1].replace('Args', 'Arguments')}:\n\n" + "".join(f"- {item}\n" for item in items) + "\n"


def _inline(text: str) -> str:
    return _ROLE.sub(lambda found: f"`{(found[1] or found[2]).rpartition('.')[2] if found[1] else found[2]}`", text)
