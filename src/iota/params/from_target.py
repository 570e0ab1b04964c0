"""The target of a run in terms of IOTA's parameters, by the table of counterparts and without the backend."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iota.crystallography.cells import Cell, cell_from_text
from iota.errors import ParameterError
from iota.params import safe_text
from iota.params.counterparts import COUNTERPARTS, FOUND, OF_OWN, OWN_DEFAULTS, value_of
from iota.params.to_backend import joined, phil


def words_in(target: str) -> dict[str, str]:
    """Values in a target by the backend's full names, as words without quotes; of several the last.

    Raises:
        ParameterError: the target is no PHIL.
    """
    return {
        item.path: " ".join(word.value for word in item.object.words)
        for item in safe_text.parse(target).all_definitions()
    }


def own_values(words: Mapping[str, str]) -> dict[str, str]:
    """Values of IOTA's parameters, as texts of a form, that mean the same as values of the backend.

    What the backend is not given, and what IOTA cannot express, such as two different masks, is not in it.

    Args:
        words: values of the backend, see :func:`words_in`.
    """
    found: dict[str, str] = {}
    for counterpart in COUNTERPARTS:
        given = {words.get(name) for name in counterpart.backend}
        value = given.pop()
        if given or value is None:
            continue
        texts = counterpart.from_backend(value)
        if texts is not None:
            found.update(zip(counterpart.own, ("" if text == "None" else text for text in texts), strict=True))
    return found


def value_used(name: str, values: Any, defaults: Any, words: Mapping[str, str]) -> str | None:
    """Value of one of IOTA's parameters used in a run, whatever its origin, as the text of a form.

    None if IOTA cannot express it, or if it is the backend's own default, which is in no target.

    Args:
        name: full name of a parameter that has a counterpart.
        values: IOTA's values in the run, as attributes.
        defaults: of these.
        words: values in the target of the run, see :func:`words_in`.
    """
    counterpart = OF_OWN[name]
    value = own_values(words).get(name)
    set_to = counterpart.words(values)
    if value is None and set_to is not None and counterpart.is_changed(values, defaults):
        value = own_values(words_in(phil(name, set_to))).get(name)
    return value


def origins(values: Any, words: Mapping[str, str]) -> dict[str, str]:
    """Which values in the target of a run come from IOTA, by the backend's full names, and from where.

    Args:
        values: IOTA's values in the run, as attributes.
        words: values in the target of the run, see :func:`words_in`.
    """
    by: dict[str, list[str]] = {}
    for counterpart in COUNTERPARTS:
        set_to = counterpart.words(values)
        if set_to is None:
            continue
        for name, plain in words_in(phil(counterpart.own[0], set_to)).items():
            if name in words and (counterpart.is_copied or _same(words[name], plain)):
                by.setdefault(name, []).extend(counterpart.own)
    for found in FOUND:
        if not found.per_image and value_of(values, found.own):
            for name in words.keys() & set(found.backend):
                by.setdefault(name, []).append(found.own)
    defaults = {name: "default of IOTA" for name, value in OWN_DEFAULTS.items() if _same(words.get(name, ""), value)}
    return defaults | {name: f"set by {joined(owns)}" for name, owns in by.items()}


def _same(words: str, others: str) -> bool:
    """Whether two values are the same except for the number of digits."""
    one, other = words.split(), others.split()
    return len(one) == len(other) and all(map(_same_word, one, other))


def _same_word(word: str, other: str) -> bool:
    try:
        return word == other or float(word) == float(other)
    except ValueError:
        return False


def given_lattice(target: Path) -> tuple[Cell, str] | None:
    """Cell and space group (P 1 if none) given by the user for a run; None if no cell was given.

    A target that cannot be read gives none: whoever runs it says what is wrong.
    """
    try:
        given = own_values(words_in(target.read_text(encoding="utf-8")))
        cell, space_group = (given.get(f"cctbx_xfel.target_{what}") for what in ("unit_cell", "space_group"))
        return (cell_from_text(cell), space_group or "P 1") if cell else None
    except (OSError, UnicodeDecodeError, ParameterError):
        return None
