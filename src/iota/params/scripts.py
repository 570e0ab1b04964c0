"""Reads and checks the parameters of a run from scripts and the command line, and writes its script."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from libtbx import phil
from libtbx.utils import Sorry

from iota.errors import ParameterError
from iota.params import safe_text
from iota.params.definitions import MASTER_PHIL
from iota.params.near_names import near_name
from iota.params.old_scripts import is_old_name, translate

_ASSIGNMENT = re.compile(r"^[A-Za-z_][\w.]*\s*=")
# libtbx reports wrong values as Sorry, which derives from Exception only, or as one of the others
_PHIL_ERRORS = (Sorry, RuntimeError, ValueError)
_WORD_LISTS = {"unit_cell", "space_group", "strings", "floats", "ints", "choice", "bool", "int", "float"}


class Parameters:
    """The values of one run: attributes as in the PHIL text, e.g. ``parameters.values.mp.n_processors``.

    Get it from :func:`read` or :func:`defaults`.  ``backend_assignments`` holds command-line assignments to parameters
    of the backend, in order, as ``(name, value)``; ``remarks`` what to tell people, such as names of earlier versions.
    """

    def __init__(
        self, scope: Any, backend_assignments: Sequence[tuple[str, str]] = (), remarks: Sequence[str] = ()
    ) -> None:
        self.scope = scope
        self.values: Any = scope.extract()
        self.backend_assignments = tuple(backend_assignments)
        self.remarks = list(remarks)

    @property
    def inputs(self) -> list[str]:
        """Paths given as ``input``, in order."""
        return [path for path in self.values.input if path]

    def replaced(self) -> Parameters:
        """Return the parameters with the assignments to ``values`` copied into the scope."""
        return Parameters(_master().format(self.values), self.backend_assignments, self.remarks)


@lru_cache(maxsize=1)
def _master() -> Any:
    return phil.parse(MASTER_PHIL, converter_registry=safe_text.converters())


def defaults() -> Parameters:
    """All parameters at their defaults."""
    return Parameters(_master().fetch())


def read(
    scripts: Sequence[Path] = (),
    assignments: Sequence[str] = (),
    *,
    text: str = "",
    is_backend_name: Callable[[str], bool] | None = None,
    nearest_backend_name: Callable[[str], str | None] | None = None,
) -> Parameters:
    """Read scripts in order, then a script's text, then ``name=value`` assignments; later ones win.

    Names and values of earlier versions are translated; ``remarks`` of what is returned say which.

    Args:
        scripts: PHIL files.
        assignments: in the compressed form of the command line.  A name may be cut at the front where what is left
            is unambiguous (``target_space_group=P422``).
        text: a script that is in no file.
        is_backend_name: tells whether a full name that IOTA does not know is one of the backend's.
        nearest_backend_name: gives the backend's name that is most like a misspelt one, or None.

    Raises:
        ParameterError: a name or value is not understood; the text says where, and the nearest right name.
    """
    reading = _Reading(is_backend_name or (lambda name: False), nearest_backend_name or (lambda name: None))
    for path in scripts:
        reading.take_script(_parse_file(path))
    if text:
        reading.take_script(safe_text.parse(text))
    for assignment in assignments:
        reading.take_assignment(*(part.strip() for part in assignment.split("=", 1)))
    return reading.parameters()


class _Reading:
    """Collects what scripts and assignments say, in order."""

    def __init__(self, is_backend_name: Callable[[str], bool], nearest: Callable[[str], str | None]) -> None:
        self._is_backend_name = is_backend_name
        self._nearest_backend_name = nearest
        self._sources: list[Any] = []
        self._backend: list[tuple[str, str]] = []
        self._remarks: list[str] = []

    def take_script(self, source: Any) -> None:
        translated = translate(source, _definitions().__contains__)
        self._sources += [safe_text.parse(translated.phil), source]
        self._backend += translated.backend
        self._remarks += translated.told

    def take_assignment(self, name: str, value: str) -> None:
        definition = _find(name)
        if definition is not None:
            self._sources.append(_parse_assignment(definition, value))
        elif self._is_backend_name(name):
            self._backend.append((name, value))
        elif is_old_name(name, _definitions().__contains__):
            self.take_script(safe_text.parse(f"{name} = {value}", f"{name}={value}"))
        else:
            raise ParameterError(f"There is no parameter named {name}. {self._nearest(name)}")

    def parameters(self) -> Parameters:
        try:
            scope, unused = _master().fetch(sources=self._sources, track_unused_definitions=True)
        except _PHIL_ERRORS as error:
            raise ParameterError(_first_line(error)) from error
        if unused:
            raise ParameterError("\n".join(self._unused_text(item) for item in unused))
        _check_values(scope)
        return Parameters(scope, self._backend, self._remarks)

    def _unused_text(self, item: Any) -> str:
        where = item.object.where_str.strip(" ()")
        if self._is_backend_name(item.path):
            return (
                f"{item.path} is a parameter of the backend ({where}): write it into the target file"
                " (cctbx_xfel.target) or on the command line."
            )
        return f"There is no parameter named {item.path} ({where}). {self._nearest(item.path)}"

    def _nearest(self, name: str) -> str:
        """A sentence with the name closest to a misspelt one, of IOTA or of the backend."""
        ours, theirs = near_name(name, _definitions(), outermost=True), self._nearest_backend_name(name)
        near = near_name(name, filter(None, (ours, theirs))) or ours or theirs
        return f"Did you mean {near}?" if near else "iota.run -d prints all parameters."


def _check_values(scope: Any) -> None:
    for item in scope.all_definitions():
        try:
            item.object.extract()
        except _PHIL_ERRORS as error:
            where = item.object.words[0].where_str().strip(" ()")
            text = f"{item.path} cannot be {_value_text(item.object)} ({where}): {_first_line(error)}."
            raise ParameterError(text) from error


def _value_text(definition: Any) -> str:
    return " ".join(str(word.value) for word in definition.words)


def _parse_file(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"The script {path} cannot be read: {error}.") from error
    try:
        return safe_text.parse(text, f"file {path}")
    except ParameterError as error:
        raise ParameterError(f"{error} Is {path} really a PHIL script?") from error


def _parse_assignment(definition: Any, value: str) -> Any:
    if definition.type.phil_type not in _WORD_LISTS and value[:1] not in ("'", '"') and value not in ("None", "Auto"):
        value = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    elif any(mark in value for mark in ("\n", "{", "}", ";", "#")) and value[:1] not in ("'", '"'):
        raise ParameterError(f"{definition.full_path()} cannot be {value!r}: it contains a character reserved by PHIL.")
    return safe_text.parse(f"{definition.full_path()} = {value}", f"{definition.full_path()}={value}")


@lru_cache(maxsize=1)
def _definitions() -> dict[str, Any]:
    return {item.path: item.object for item in _master().all_definitions()}


def _find(name: str) -> Any | None:
    """Definition whose full name is, or ends in, ``name``; None if there is none.

    Of several the one in the outermost scope is meant, if there is one such: target_unit_cell is that of the run.
    """
    names = _definitions()
    if name in names:
        return names[name]
    ends = [full for full in names if full.endswith("." + name)]
    depth = min((full.count(".") for full in ends), default=0)
    ends = [full for full in ends if full.count(".") == depth]
    if len(ends) > 1:
        raise ParameterError(f"{name} is ambiguous: it could be {' or '.join(ends)}. Give more of the name.")
    return names[ends[0]] if ends else None


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0].removeprefix("cctbx Error: ").rstrip(".")


def choices() -> dict[str, list[str]]:
    """Every parameter's full name with the values it may have, where they can be listed."""
    found = {}
    for name, definition in _definitions().items():
        values: list[str] = []
        if definition.type.phil_type == "bool":
            values = ["True", "False"]
        elif definition.type.phil_type == "choice":
            values = [word.value.lstrip("*") for word in definition.words]
        found[name] = values
    return found


def is_assignment(argument: str) -> bool:
    """Whether a command-line argument is ``name=value`` rather than a path."""
    return bool(_ASSIGNMENT.match(argument)) and not os.path.exists(argument)  # noqa: PTH110 - any string, also a bad path


def sort_arguments(arguments: Sequence[str]) -> tuple[list[Path], list[str], list[str]]:
    """Scripts, assignments and paths among the arguments of a command line, each in order."""
    scripts: list[Path] = []
    assignments: list[str] = []
    paths: list[str] = []
    for argument in arguments:
        if is_assignment(argument):
            assignments.append(argument)
        elif Path(argument).suffix in (".param", ".phil"):
            scripts.append(Path(argument))
        else:
            paths.append(argument)
    return scripts, assignments, paths


def script_text(parameters: Parameters) -> str:
    """The complete script of these parameters; ``iota`` or ``iota.run`` repeats them from it."""
    return str(_formatted(parameters).as_str())


def full_text(parameters: Parameters) -> str:
    """The script with the help of each parameter."""
    return str(_formatted(parameters).as_str(attributes_level=1))


def _formatted(parameters: Parameters) -> Any:
    scope = _master().format(parameters.values)
    for item in scope.all_definitions():
        for word in item.object.words:
            if word.quote_token == '"' and "$" in word.value:
                word.quote_token = "'"  # else it would be read as a variable
    return scope
