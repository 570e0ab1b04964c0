"""What pages tell people to type: options of our commands, and parameters, exist and take what they are given."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator

from documentation.commands import parsers
from documentation.markdown import Page
from documentation.parameters import forms
from iota.engine.backend import parameters as backend
from iota.errors import ParameterError
from iota.params import read

_VIEWER = "iota.image_viewer"  # its parameters are those of dials.image_viewer
_OF_A_RUN = ("iota", "iota.run", "iota.single_image")  # take parameters of a run and of the backend
_OUR_SCOPES = "data_selection|image_import|cctbx_xfel|analysis|advanced|gui|mp"
_NAME = re.compile(rf"(?:{_OUR_SCOPES})(?:\.\w+)+")
_ASSIGNMENT = re.compile(r"[a-z]\w*(?:\.\w+)+=[^=]*")
_OTHER_PROGRAMS = ("dials.", "cctbx.", "xia2.")
_END_OF_COMMAND = frozenset(("|", "||", "&&", ";", ">", ">>", "&"))


def problems(page: Page) -> Iterator[str]:
    """What a person who types what the page says would be refused."""
    for line in _lines(page):
        words = _words(line)
        yield from _wrong_words(words)
        if len(words) == 1 and line in page.spans:
            yield from _wrong_name(words[0])


def _lines(page: Page) -> Iterator[str]:
    yield from page.spans
    for block in page.blocks:
        yield from re.sub(r"\\\n\s*", "", block).splitlines()


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # a quote that is not closed: a sentence
        return line.split()


def _wrong_words(words: list[str]) -> Iterator[str]:
    """Options and assignments after the name of one of our commands, up to the end of the command."""
    known = parsers()
    command = None
    for word in words:
        name = word.rpartition("/")[2]
        if name in known and word.rpartition("/")[0].rpartition("/")[2] in ("", "bin"):
            command = name
        elif word in _END_OF_COMMAND or word.startswith(_OTHER_PROGRAMS):
            command = None
        elif command is not None:
            yield from _wrong_word(command, word, known[command]._option_string_actions)
            command = None if word.endswith((",", ";", ":")) else command  # in a sentence


def _wrong_word(command: str, word: str, options: Iterable[str]) -> Iterator[str]:
    option = word.partition("=")[0].rstrip(",;:.)")
    if re.fullmatch(r"--[a-z][\w-]*|-[a-zA-Z]", option) and option not in options:
        yield f"{command} has no option {option}."
    elif re.match(r"[A-Za-z_][\w.]*=", word):
        yield from _refused(word, command)


def _wrong_name(word: str) -> Iterator[str]:
    if _ASSIGNMENT.fullmatch(word):
        yield from _refused(word)
    elif _NAME.fullmatch(word) and not any(
        full == word or full.startswith(f"{word}.") for form in forms().values() for full in form.fields
    ):
        yield f"There is no parameter {word}."


def _refused(assignment: str, command: str = "iota.run") -> Iterator[str]:
    """Say what is wrong with ``name=value``; of several values with | between them each is tried."""
    name, _, value = assignment.partition("=")
    if command not in _OF_A_RUN:
        others = [full for key, form in forms().items() if key != "MASTER_PHIL" for full in form.fields]
        if command != _VIEWER and not any(full == name or full.endswith(f".{name}") for full in others):
            yield f"{command} has no parameter {name}."
        return
    for one in value.split("|"):
        try:
            read([], [f"{name}={one}"], is_backend_name=backend.is_backend_name)
        except ParameterError as error:
            yield f"{name}={one}: {error}"
