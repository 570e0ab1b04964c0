"""The page of PHIL parameters: all constants named ``..._PHIL`` in ``iota.params``."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import lru_cache

import iota.params
from documentation.markdown import code, prose, table
from iota.params.fields import Field, Group
from iota.params.forms import Form

_KINDS = {"whole": "integer", "wholes": "integers"}
_LEVELS = ("basic", "intermediate", "advanced", "developer")
_INTRODUCTION = """\
# Parameters

Parameters are given in a script (`iota.run script.param`), on the command line (`name=value`) or in the browser.
Leading parts of a name can be omitted if the rest is unambiguous. `None` means "not given"; level is the expert level
from which forms show a parameter. Parameters of the backend are those of the installed `dials.stills_process` and are
not listed here: `dials.stills_process -c -e 3 -a 2` prints them, and the browser shows them with search and help.
[Some of them](backend-parameters.md) are set by parameters of IOTA.
"""


@lru_cache(maxsize=1)
def forms() -> dict[str, Form]:
    """All definitions of parameters, by the name of their constant; those of a run first."""
    found = {}
    for module in pkgutil.iter_modules(iota.params.__path__):
        for name, text in vars(importlib.import_module(f"iota.params.{module.name}")).items():
            if name.endswith("_PHIL") and isinstance(text, str):
                found[name] = Form.from_text(text)
    return dict(sorted(found.items(), key=lambda item: item[0] != "MASTER_PHIL"))


def page() -> str:
    """The page."""
    return "\n".join([_INTRODUCTION, *(line for form in forms().values() for line in _group(form.root, 1))])


def undocumented() -> Iterator[str]:
    """What has no help, or no caption for forms."""
    for form in forms().values():
        for item in _all(form.root):
            if not item.name:
                continue  # the root
            if not item.help:
                yield f"The parameter {item.name} has no .help."
            if item.caption == item.name.rpartition(".")[2]:
                yield f"The parameter {item.name} has no .short_caption."


def _all(group: Group) -> Iterator[Field | Group]:
    yield group
    for item in group.items:
        yield from _all(item) if isinstance(item, Group) else [item]


def _group(group: Group, depth: int) -> Iterator[str]:
    if group.name:
        yield f"{'#' * min(depth, 4)} {group.name}\n"
        yield f"{prose(group.help)}\n"
    fields = [item for item in group.items if isinstance(item, Field)]
    if fields:
        yield from table(("name", "value", "default", "level", "meaning"), map(_row, fields))
    for item in group.items:
        if isinstance(item, Group):
            yield from _group(item, depth + 1)


def _row(field: Field) -> tuple[str, ...]:
    kind = _KINDS.get(field.kind, field.kind.replace("_", " "))
    value = code(" | ".join(field.choices)) if field.choices else ", ".join(filter(None, [kind, field.limits]))
    value += f" ({field.unit})" if field.unit else ""
    value += ", several times" if field.multiple else ""
    level = _LEVELS[min(field.expert_level, 3)]
    return code(field.name.rpartition(".")[2]), value, code(field.default or "None"), level, prose(field.help)
