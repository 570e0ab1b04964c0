"""Parameter definitions as plain values for forms: label, type, choices, default."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec
from libtbx import phil

Kind = Literal[
    "text",
    "path",
    "whole",
    "number",
    "wholes",
    "numbers",
    "bool",
    "choice",
    "choices",
    "unit_cell",
    "space_group",
    "words",
    "block",
]

# PHIL's type -> ours; everything else is text
_KINDS: dict[str, Kind] = {
    "path": "path",
    "int": "whole",
    "float": "number",
    "ints": "wholes",
    "floats": "numbers",
    "bool": "bool",
    "choice": "choice",
    "unit_cell": "unit_cell",
    "space_group": "space_group",
    "strings": "words",
    "words": "words",
}
NUMERIC: frozenset[Kind] = frozenset({"whole", "number", "wholes", "numbers"})

# Units as people write them in helps, and as we show them
_UNITS = {
    "px": "px",
    "pixel": "px",
    "pixels": "px",
    "mm": "mm",
    "um": "µm",
    "a": "Å",
    "å": "Å",
    "angstrom": "Å",
    "angstroms": "Å",
    "a^2": "Å²",
    "deg": "°",
    "degree": "°",
    "degrees": "°",
    "s": "s",
    "seconds": "s",
    "gb": "GB",
    "ev": "eV",
    "counts": "counts",
    "counts per photon": "counts/photon",
}
_WORDS = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_UNIT_IN_BRACKETS = re.compile(rf"(?:^|\s)\(({_WORDS})(?:,[^)]*)?\)", re.IGNORECASE)
_UNIT_IN_TEXT = re.compile(r"\bin (degrees|mm|pixels|angstroms?|seconds)\b(?!\^)", re.IGNORECASE)
_UNIT_IN_NAME = re.compile(r"(?:^|[._])(mm|px|deg)(?:\.\w+)?$")
_IN_ANGSTROM = re.compile(r"(?:^|[._])(d_min|d_max|min_cell|max_cell|min_resolution|wavelength)$")


class Field(msgspec.Struct, frozen=True):
    """One parameter.

    Its value is a text as people type it into a box: ``""`` is None, ``Auto`` is Auto, a text needs no quotes, of a
    choice there is the name that is chosen, several names, numbers or words are separated by blanks. Of a parameter
    that may be given ``multiple`` times there is a value a line. A ``block`` is a scope that may be given several
    times, in PHIL.
    """

    name: str  # full name
    caption: str
    help: str
    kind: Kind
    expert_level: int  # the highest of its own and those of the scopes it is in
    default: str
    unit: str = ""
    choices: tuple[str, ...] = ()
    value_min: float | None = None
    value_max: float | None = None
    size_min: int | None = None
    size_max: int | None = None
    needs_value: bool = False
    multiple: bool = False
    template: str = ""  # of a block: one of it, with all defaults

    @property
    def limits(self) -> str:
        """Limits of the value, e.g. ``0 to 1``; empty if there are none."""
        low, high = self.value_min, self.value_max
        if low is not None and high is not None:
            return f"{low:g} to {high:g}"
        if low is not None:
            return f"{low:g} or more"
        return "" if high is None else f"{high:g} or less"


class Group(msgspec.Struct, frozen=True):
    """A scope; ``items`` are in the order of the definitions."""

    name: str
    caption: str
    help: str
    expert_level: int
    items: tuple[Field | Group, ...]

    def fields(self) -> Iterator[Field]:
        """All fields in it and in the groups in it."""
        for item in self.items:
            if isinstance(item, Field):
                yield item
            else:
                yield from item.fields()

    def group(self, name: str) -> Group | None:
        """The group of this full name; None if there is none."""
        if name == self.name:
            return self
        for item in self.items:
            if isinstance(item, Group) and (name == item.name or name.startswith(item.name + ".")):
                return item.group(name)
        return None


def group_of(scopes: Sequence[Any], name: str = "", expert_level: int = 0) -> Group:
    """Tree of all that PHIL scopes of one name hold; a scope that is written in several places becomes one group."""
    found: dict[str, list[Any]] = {}
    for scope in scopes:
        for item in scope.active_objects():
            found.setdefault(item.name, []).append(item)
    level = max([expert_level, *(scope.expert_level or 0 for scope in scopes)])
    items: list[Field | Group] = []
    for own_name, objects in found.items():
        full = f"{name}.{own_name}" if name else own_name
        first = objects[0]
        if first.is_definition:
            items.append(_field(first, full, max(level, first.expert_level or 0)))
        elif first.multiple:
            items.append(_block(first, full, max(level, first.expert_level or 0)))
        else:
            items.append(group_of(objects, full, level))
    helps = dict.fromkeys(_one_line(scope.help) for scope in scopes if scope.help)
    return Group(name, _caption_of(scopes), " ".join(helps), level, tuple(items))


def _caption_of(objects: Sequence[Any]) -> str:
    """The caption, if it has one, else the name: all IOTA parameters have one, but only some of the backend's."""
    captions = [_one_line(item.short_caption) for item in objects if item.short_caption]
    return captions[0] if captions else str(objects[0].name)


def _field(definition: Any, name: str, expert_level: int) -> Field:
    kind = _kind(definition)
    converter = definition.type
    return Field(
        name=name,
        caption=_caption_of([definition]),
        help=_one_line(definition.help or definition.caption or ""),
        kind=kind,
        expert_level=expert_level,
        default=default_text(definition),
        unit=_unit(name, definition.help or "") if kind in NUMERIC else "",
        choices=_choices(definition) if kind in ("choice", "choices") else (),
        value_min=getattr(converter, "value_min", None),
        value_max=getattr(converter, "value_max", None),
        size_min=getattr(converter, "size_min", None),
        size_max=getattr(converter, "size_max", None),
        needs_value=definition.optional is False or not getattr(converter, "allow_none", True),
        multiple=bool(definition.multiple),
    )


def _block(scope: Any, name: str, expert_level: int) -> Field:
    return Field(
        name=name,
        caption=_caption_of([scope]),
        help=_one_line(scope.help or scope.caption or ""),
        kind="block",
        expert_level=expert_level,
        default="",
        multiple=True,
        template=str(scope.as_str(attributes_level=0)),
    )


def _choices(definition: Any) -> tuple[str, ...]:
    """Names that can be chosen; None means that nothing is chosen, even where it is listed."""
    names = (word.value.lstrip("*") for word in definition.words)
    return tuple(name for name in names if name != "None")


def _kind(definition: Any) -> Kind:
    if definition.type is None:
        return "words"
    kind = _KINDS.get(definition.type.phil_type, "text")
    return "choices" if kind == "choice" and definition.type.multi else kind


def _unit(name: str, text: str) -> str:
    if _IN_ANGSTROM.search(name):
        return "Å"
    found = _UNIT_IN_BRACKETS.search(text) or _UNIT_IN_TEXT.search(text) or _UNIT_IN_NAME.search(name)
    return _UNITS[found[1].lower()] if found else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def default_text(definition: Any) -> str:
    """The value of a PHIL definition as a :class:`Field` has it."""
    words, kind = definition.words, _kind(definition)
    if phil.is_plain_auto(words):
        return "Auto"
    if kind in ("choice", "choices"):
        chosen = [word.value[1:] for word in words if word.value.startswith("*")]
        return "" if chosen == ["None"] else " ".join(chosen)
    if phil.is_plain_none(words):
        return ""
    if kind == "bool":
        return str(definition.extract())
    if kind == "words":
        return " ".join(str(word) for word in words)
    return " ".join(str(word.value) for word in words)
