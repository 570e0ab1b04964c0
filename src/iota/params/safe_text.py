"""Reads PHIL from untrusted sources, such as a browser, without evaluating anything in it.

libtbx.phil runs Python in four places: values of numbers are evaluated as expressions, ``.type`` and ``.call`` of a
definition are evaluated and import modules, ``.expert_level`` and ``.input_size`` are evaluated as numbers, and
``include`` reads files and imports modules. All of IOTA's scripts, targets and values go through :func:`parse` and
:func:`converters`, where none of this can happen.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from iotbx import phil as iotbx_phil
from libtbx import phil
from libtbx.phil import parser, tokenizer

from iota.errors import ParameterError

MAX_CHARACTERS = 1_000_000  # the longest script of DIALS with all its help has 200,000
_MAX_NUMBER_CHARACTERS = 100
# What a script may say of a parameter beside its value: what `iota.run -d` prints. All of them are plain text.
_HARMLESS = frozenset({"help", "caption", "short_caption", "style"})
_OPERATIONS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


def parse(text: str, source_info: str | None = None) -> Any:
    """Parse a script into a PHIL scope; only names and values are read.

    Raises:
        ParameterError: the text is no PHIL, or it asks for more than giving values.
    """
    if len(text) > MAX_CHARACTERS:
        raise ParameterError(f"The text is longer than {MAX_CHARACTERS:,} characters: is it really a PHIL script?")
    result = phil.scope(name="", primary_id=0)
    words = _Words(
        input_string=text,
        source_info=source_info,
        list_of_settings=[  # those of libtbx.phil.parse
            tokenizer.settings(
                unquoted_single_character_words="{}=",
                contiguous_word_characters="",
                comment_characters="#",
                meta_comment="phil",
            ),
            tokenizer.settings(unquoted_single_character_words="{};", contiguous_word_characters=""),
        ],
    )
    try:
        parser.collect_objects(
            word_iterator=words,
            converter_registry=converters(),
            primary_id_generator=count(1),
            primary_parent_scope=result,
        )
    except RecursionError as error:
        raise ParameterError("Scopes are nested too deeply: is it really a PHIL script?") from error
    except RuntimeError as error:
        raise ParameterError(f"{str(error).strip().splitlines()[0].rstrip('.')}.") from error
    return result


class _Words(tokenizer.word_iterator):  # type: ignore[misc]
    """Words as the parser itself reads them, so that nothing can be understood differently."""

    __slots__ = ("n_variables",)

    def __next__(self, settings_index: int = 0) -> Any:
        word = super().__next__(settings_index)
        if settings_index == 0:
            self.n_variables = 0
            if word.quote_token is None:
                self._check_name(word)
        elif word.quote_token != "'" and "$" in word.value:
            # Each value may use one: values that use two of such values double with each line.
            self.n_variables += word.value.count("$")
            if self.n_variables > 1:
                raise ParameterError(f"A value uses more than one variable{_where(word)}: write it out.")
        return word

    def _check_name(self, word: Any) -> None:
        name = word.value.lstrip("!")
        if name == "include":
            raise ParameterError(f"A script cannot include others{_where(word)}: copy their parameters into it.")
        if name.startswith(".") and name[1:] not in _HARMLESS:
            raise ParameterError(
                f"A script can only set values, but this one contains {name}{_where(word)}: remove it"
                " (dials.stills_process -c -a 0 prints parameters without it)."
            )


def _where(word: Any) -> str:
    return str(word.where_str())


def number(text: str) -> int | float:
    """Value of a number, or of sums and products of numbers such as ``10*60``; nothing else is calculated.

    Raises:
        ValueError: it is something else.
    """
    if len(text) > _MAX_NUMBER_CHARACTERS:
        raise ValueError(text)
    for read in (int, float, _expression):
        try:
            value = read(text)
        except ValueError:
            continue
        if math.isnan(value):
            break  # it passes every limit
        return value
    raise ValueError(text)


def _expression(text: str) -> int | float:
    try:
        return _calculated(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ArithmeticError, RecursionError, MemoryError) as error:
        raise ValueError(text) from error


def _calculated(node: ast.expr) -> int | float:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value  # type: ignore[return-value]
    if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATIONS:
        return _OPERATIONS[type(node.op)](_calculated(node.operand))  # type: ignore[no-any-return]
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        return _OPERATIONS[type(node.op)](_calculated(node.left), _calculated(node.right))  # type: ignore[no-any-return]
    raise ValueError(ast.dump(node))


def plain_words(words: Any, path: str, *, several: bool = False, whole: bool = False) -> Any:
    """Words of one or several numbers, with nothing left to evaluate; those that are ``whole`` are finite."""
    text = phil.str_from_words(words)
    if not isinstance(text, str):  # None or Auto
        return words
    parts = [text]
    if several:
        parts = re.sub(r"[,;]", " ", text.strip("()[] \t\n")).split()
    values = []
    for part in parts:
        if part.strip().lower() in ("none", "auto"):
            values.append(part.strip())
            continue
        try:
            value = number(part)
            if whole and math.isinf(value):
                raise ValueError(part)
            values.append(repr(value))
        except ValueError as error:
            raise RuntimeError(f'Error interpreting {path}="{part}" as a number{words[0].where_str()}') from error
    first = words[0]
    return [tokenizer.word(value, None, first.line_number, first.source_info) for value in values] or words


def quoted(value: object) -> str:
    """A value as PHIL text that is read back unchanged: ``$`` would denote a variable within double quotes."""
    text = str(value)
    return str(tokenizer.quote_python_str("'" if "$" in text else '"', text))


def check_numbers(definitions: Mapping[str, Any], source: Any) -> None:
    """Make sure that numbers of a parsed script are numbers, where definitions with other converters will read them.

    Args:
        definitions: those of the scope that will read them, by full name.
        source: the script.

    Raises:
        ParameterError: one is something else.
    """
    for item in source.all_definitions():
        definition = definitions.get(item.path)
        kind = str(getattr(definition.type, "phil_type", "")) if definition is not None else ""
        if kind in ("int", "float", "ints", "floats"):
            try:
                plain_words(item.object.words, item.path, several=kind.endswith("s"))
            except RuntimeError as error:
                raise ParameterError(f"{error}.") from error


class _Int(phil.int_converters):  # type: ignore[misc]
    def _value_from_words(self, words: Any, path: str) -> Any:
        return super()._value_from_words(plain_words(words, path, whole=True), path)


class _Float(phil.float_converters):  # type: ignore[misc]
    def _value_from_words(self, words: Any, path: str) -> Any:
        return super()._value_from_words(plain_words(words, path), path)


class _Ints(phil.ints_converters):  # type: ignore[misc]
    def from_words(self, words: Any, master: Any) -> Any:
        return super().from_words(plain_words(words, master.full_path(), several=True, whole=True), master)


class _Floats(phil.floats_converters):  # type: ignore[misc]
    def from_words(self, words: Any, master: Any) -> Any:
        return super().from_words(plain_words(words, master.full_path(), several=True), master)


_CONVERTERS = phil.extended_converter_registry([_Int, _Float, _Ints, _Floats], iotbx_phil.default_converter_registry)


def converters() -> Any:
    """Types of PHIL and cctbx, those of numbers without Python; for definitions whose values come from people."""
    return _CONVERTERS
