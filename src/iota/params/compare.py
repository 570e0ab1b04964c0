"""Differences between two scripts, parameter by parameter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iota.errors import ParameterError
from iota.params import safe_text
from iota.params.from_target import origins, words_in
from iota.params.scripts import defaults, read


def script_difference(script: Path, other: Path | None = None) -> list[str]:
    """Lines ``name = value`` of an IOTA script that differ from the defaults, or from another script.

    Raises:
        ParameterError: a script cannot be read.
    """
    theirs = _values((read([other]) if other else defaults()).replaced().scope)  # replaced: all written in one way
    return _lines(_values(read([script]).replaced().scope), theirs, {}, is_between_scripts=other is not None)


def target_difference(target: Path, other: Path | None = None, script: Path | None = None) -> list[str]:
    """Lines ``name = value`` of a run's target, which holds only what differs from the backend's defaults.

    Args:
        target: of the run.
        other: another target; the lines are those that differ from it.
        script: of the run; a value that IOTA set is followed by a comment that names its own parameter.

    Raises:
        ParameterError: a target or the script cannot be read.
    """
    theirs = _values(_parse(other)) if other else {}
    notes = origins(read([script]).values, words_in(_text(target))) if script else {}
    return _lines(_values(_parse(target)), theirs, notes, is_between_scripts=other is not None)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"The target {path} cannot be read: {error}.") from error


def _parse(path: Path) -> Any:
    try:
        return safe_text.parse(_text(path))
    except ParameterError as error:
        raise ParameterError(f"The target {path} cannot be read. {error}") from error


def _values(scope: Any) -> dict[str, list[str]]:
    """Values by full name, as a script writes them; of a name that may be given several times, all."""
    values: dict[str, list[str]] = {}
    for item in scope.all_definitions():
        text = item.object.as_str().strip().split("=", 1)[-1]
        value = " ".join(text.replace("\\\n", " ").split())
        if value:  # PHIL adds an empty one to what may be given several times
            values.setdefault(item.path, []).append(value)
    return values


def _lines(
    mine: dict[str, list[str]], theirs: dict[str, list[str]], notes: Mapping[str, str], *, is_between_scripts: bool
) -> list[str]:
    lines = []
    for name in [*mine, *(name for name in theirs if name not in mine)]:
        here, there = mine.get(name), theirs.get(name)
        if here == there:
            continue
        note = f"  # {notes[name]}" if here and name in notes else ""
        if not is_between_scripts:
            lines += [f"{name} = {value}{note}" for value in here or ["None"]]
            continue
        lines.append(f"{name} = {', '.join(here) if here else 'the default'}{note}")
        lines.append(f"    compared with: {', '.join(there) if there else 'the default'}")
    return lines
