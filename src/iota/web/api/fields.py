"""Descriptions of fields in the API, read from the docstrings under them, which msgspec ignores."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Iterable
from functools import cache
from typing import Any, get_args, get_type_hints

import msgspec


@cache
def descriptions(kind: type) -> dict[str, str]:
    """The docstring of each field of a class, inherited ones included; fields without one are absent."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if is_structure(base) and base is not msgspec.Struct:
            found |= _own(base)
    return found


def _own(kind: type) -> dict[str, str]:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(words.value.value)
        for field, words in zip(tree.body, tree.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(words, ast.Expr)
        and isinstance(words.value, ast.Constant)
        and isinstance(words.value.value, str)
    }


def is_structure(kind: Any) -> bool:
    """Whether a type has fields: a msgspec structure or a dataclass."""
    return isinstance(kind, type) and (issubclass(kind, msgspec.Struct) or dataclasses.is_dataclass(kind))


def structures(kinds: Iterable[Any]) -> list[type]:
    """These types, and those of their fields at any depth, as far as they have fields; each once."""
    found: dict[type, None] = {}
    waiting = list(kinds)
    while waiting:
        kind = waiting.pop(0)
        if not is_structure(kind):
            waiting += get_args(kind)
        elif kind not in found:
            found[kind] = None
            waiting += get_type_hints(kind).values()
    return list(found)


def described(schemas: dict[str, Any], kinds: Iterable[Any]) -> dict[str, Any]:
    """Add descriptions to the JSON schemas, by name, of these types and of those of their fields."""
    for kind in structures(kinds):
        words = descriptions(kind)
        for field in msgspec.structs.fields(kind):
            if field.name in words:
                schemas[kind.__name__]["properties"][field.encode_name]["description"] = words[field.name]
    return schemas
