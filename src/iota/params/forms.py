"""Forms for PHIL parameters: a tree of fields, the texts typed into them, and their validation.

Values are a mapping from a field's full name to its text (see :class:`iota.params.fields.Field`); fields that are not
in it have their defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec
from libtbx import phil
from libtbx.phil import tokenizer
from libtbx.utils import Sorry

from iota.crystallography.cells import cell_from_text
from iota.crystallography.compatibility import cell_problem
from iota.errors import ParameterError
from iota.params import safe_text
from iota.params.definitions import MASTER_PHIL
from iota.params.fields import NUMERIC, Field, Group, default_text, group_of

Values = dict[str, str]
_PHIL_ERRORS = (Sorry, RuntimeError, ValueError, ParameterError, AssertionError)


class Definitions(msgspec.Struct, frozen=True):
    """Definitions of the installed ``dials.stills_process`` with IOTA's defaults."""

    dials: str = ""  # e.g. "DIALS 3.12.1-release"
    phil: str = ""


class Form:
    """All parameters of one PHIL scope. Get it from :func:`iota_form` or :meth:`from_text`."""

    def __init__(self, scope: Any) -> None:
        self.scope = scope
        self.root: Group = group_of([scope])
        self.fields: dict[str, Field] = {field.name: field for field in self.root.fields()}
        self._definitions = {item.path: item.object for item in scope.all_definitions()}
        self._sought = {
            name: f"{name} {field.caption} {field.help} {field.template}".lower() for name, field in self.fields.items()
        }
        self._default_words: dict[str, str] = {}
        self._pairs = list(_cells_and_groups(self.root))

    @classmethod
    def from_text(cls, definitions: str) -> Form:
        """Form over definitions that come from IOTA or from the backend, never from a person."""
        return cls(phil.parse(definitions, converter_registry=safe_text.converters()))

    def has(self, name: str) -> bool:
        """Whether there is a parameter of this full name, in a block or not."""
        return name in self.fields or name in self._definitions

    def search(self, query: str) -> set[str]:
        """Names of the fields whose name, caption or help hold every word of a query."""
        words = query.lower().split()
        return {name for name, text in self._sought.items() if all(word in text for word in words)}

    # -- one field

    def problem(self, name: str, text: str) -> str | None:
        """What is wrong with a field's text, as a sentence; None if it is valid."""
        field = self.fields[name]
        try:
            if field.kind == "block":
                self._checked_block(field, text)
            else:
                for line in self._lines(field, text):
                    self._definition(field, line).extract()
        except _PHIL_ERRORS as error:
            return _sentence(field, text.strip(), error)
        return None

    def differs(self, name: str, text: str) -> bool:
        """Whether a text differs from the default in meaning; an invalid one does."""
        field = self.fields[name]
        if text == field.default:
            return False
        if field.kind == "block":
            return bool(text.strip())
        try:
            if name not in self._default_words:
                self._default_words[name] = self._canonical(field, field.default)
            return self._canonical(field, text) != self._default_words[name]
        except _PHIL_ERRORS:
            return True

    def _canonical(self, field: Field, text: str) -> str:
        return "".join(self._definition(field, line).extract_format().as_str() for line in self._lines(field, text))

    def _definition(self, field: Field, text: str) -> Any:
        """The PHIL definition of a field with the value that a text means."""
        definition = self._definitions[field.name]
        words = _words(field, text)
        if field.kind in ("choice", "choices"):
            return definition.type.fetch(source_words=words, master=definition)
        return definition.customized_copy(words=words)

    @staticmethod
    def _lines(field: Field, text: str) -> list[str]:
        return [line for line in text.splitlines() if line.strip()] if field.multiple else [text]

    def _checked_block(self, field: Field, text: str) -> list[Any]:
        """Scopes of a block's text."""
        own, parent = field.name.rsplit(".", 1)[-1], field.name.rpartition(".")[0]
        objects = safe_text.parse(text).objects
        for item in objects:
            if item.name != own or not item.is_scope:
                raise ParameterError(f"Only {own} {{ ... }} can stand here, not {item.name}.")
        source = safe_text.parse(_nested(parent, objects))
        working, unused = self.scope.fetch(source=source, track_unused_definitions=True)
        if unused:
            raise ParameterError(f"There is no parameter named {unused[0].path}.")
        working.get(field.name, with_substitution=False).extract()
        return list(objects)

    # -- all of them

    def problems(self, values: Mapping[str, str]) -> dict[str, str]:
        """Sentences on all problems, by field, including cells incompatible with the space group beside them."""
        found = {name: problem for name, text in values.items() if (problem := self.problem(name, text))}
        for cell, group in self._pairs:
            cell_text, group_text = (values.get(name, self.fields[name].default) for name in (cell, group))
            if cell_text and group_text and not {cell, group} & found.keys():
                problem = cell_problem(cell_from_text(cell_text), group_text)
                if problem:
                    found[cell] = problem
        return found

    def changed(self, values: Mapping[str, str]) -> Values:
        """The values that differ from the defaults, in the order of the definitions."""
        return {name: values[name] for name in self.fields if name in values and self.differs(name, values[name])}

    def phil_text(self, values: Mapping[str, str]) -> str:
        """PHIL that assigns these values, a line each.

        Raises:
            ParameterError: one is wrong.
        """
        lines = []
        for name in self.fields:
            if name not in values:
                continue
            problem = self.problem(name, values[name])
            if problem:
                raise ParameterError(f"{name}: {problem}")
            field = self.fields[name]
            if field.kind == "block":
                lines.append(_nested(name.rpartition(".")[0], self._checked_block(field, values[name])))
                continue
            for line in self._lines(field, values[name]):
                words = " ".join(str(word) for word in _words(field, line))
                lines.append(f"{name} = {words}\n")
        return "".join(lines)

    def read(self, text: str, source_info: str | None = None) -> tuple[Values, list[Any]]:
        """Values in a PHIL text that differ from the defaults, and its assignments to unknown names.

        Raises:
            ParameterError: the text is no PHIL, or a value is wrong.
        """
        source = safe_text.parse(text, source_info)
        try:
            working, unused = self.scope.fetch(source=source, track_unused_definitions=True)
        except _PHIL_ERRORS as error:
            raise ParameterError(f"{_first_line(error)}.") from error
        return self.values_of(working), list(unused)

    def values_of(self, working: Any) -> Values:
        """Values of a PHIL scope that was fetched from this one, where they are not the defaults."""
        found: dict[str, list[str]] = {}
        for item in working.all_definitions():
            field = self.fields.get(item.path)
            if field is not None and (not field.multiple or item.object.is_template == 0):
                found.setdefault(item.path, []).append(default_text(item.object))
        values = {name: "\n".join(texts) for name, texts in found.items()}
        for name, field in self.fields.items():
            if field.kind == "block":
                objects = working.get(name, with_substitution=False).objects
                values[name] = "".join(item.as_str() for item in objects if item.is_template == 0)
        return self.changed(values)


@lru_cache(maxsize=1)
def iota_form() -> Form:
    """The form of IOTA's own parameters."""
    return Form.from_text(MASTER_PHIL)


def _nested(parent: str, objects: list[Any]) -> str:
    text = "".join(item.as_str() for item in objects)
    return f"{parent} {{\n{text}}}\n" if parent and text else text


def _cells_and_groups(group: Group) -> Any:
    """Names of a unit cell and a space group that stand beside each other, in all groups."""
    own = [item for item in group.items if isinstance(item, Field)]
    cells = [field.name for field in own if field.kind == "unit_cell"]
    groups = [field.name for field in own if field.kind == "space_group"]
    if len(cells) == len(groups) == 1:
        yield cells[0], groups[0]
    for item in group.items:
        if isinstance(item, Group):
            yield from _cells_and_groups(item)


def _quoted(text: str) -> Any:
    return tokenizer.word(text, quote_token=safe_text.quoted(text)[0])


def _words(field: Field, text: str) -> Any:
    """PHIL's words for a text. Raises RuntimeError where a quote is not closed or a number is none."""
    text = text if field.kind == "text" else text.strip()
    if text.strip().lower() in ("", "none") and not (text and text in field.choices):
        return [tokenizer.word("None")]
    if text.strip().lower() == "auto" and text not in field.choices:
        return [tokenizer.word("Auto")]
    if field.kind in ("text", "path", "space_group"):
        return [_quoted(text)]
    if field.kind in ("choice", "choices"):
        return [tokenizer.word("*" + name) for name in text.split()]
    words = phil.tokenize_value_literal(text, None)
    if field.kind in NUMERIC:
        several = field.kind in ("wholes", "numbers")
        return safe_text.plain_words(words, field.name, several=several, whole=field.kind in ("whole", "wholes"))
    if field.kind == "unit_cell":
        return [tokenizer.word(f"{value:.10g}") for value in cell_from_text(" ".join(word.value for word in words))]
    return [word if phil.is_standard_identifier(word.value) else _quoted(word.value) for word in words]


def _sentence(field: Field, text: str, error: BaseException) -> str:
    """PHIL's error message, rewritten to say what to type."""
    said = _first_line(error)
    if field.needs_value and text.lower() in ("", "none"):
        return "A value is needed."
    if "as a number" in said or "as an integer" in said or "as a floating-point" in said:
        what = {
            "whole": "an integer",
            "number": "a number",
            "wholes": "a list of integers",
            "numbers": "a list of numbers",
        }
        return f"{text} is not {what[field.kind]}."
    if "minimum allowed" in said or "maximum allowed" in said:
        return f"It must be {field.limits}."
    if "values for" in said and (field.size_min or field.size_max):
        low, high = field.size_min, field.size_max
        number = f"{low}" if low == high else f"{low or 1} to {high}" if high else f"at least {low}"
        return f"{number} numbers are needed."
    if field.kind in ("choice", "choices"):
        return f"{text} is not one of {', '.join(field.choices)}."
    if field.kind == "bool":
        return f"{text} is not True or False."
    if field.kind == "space_group":
        return f"{text} is not a space group; enter its symbol, e.g. P43212, or its number."
    if field.kind == "unit_cell" and "unit cell" not in said:
        return f"{text} is not a unit cell: enter a b c in Å and α β γ in degrees."
    return f"{said.rstrip('.')}."


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["Not understood"])[0].rstrip(".")
