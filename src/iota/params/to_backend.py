"""Converts IOTA's parameters to parameters of the backend, by the table of counterparts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from iota.params import safe_text
from iota.params.counterparts import COUNTERPARTS, FOUND, OF_BACKEND, OF_OWN, OWN_DEFAULTS, value_of


def phil(own: str, words: str) -> str:
    """Backend PHIL for a parameter of IOTA, given its full name and these words."""
    return "".join(f"{name} = {words}\n" for name in OF_OWN[own].backend)


def reference_phil(path: Path) -> str:
    """Backend PHIL that takes the geometry from a file."""
    return phil("advanced.reference_geometry", safe_text.quoted(path))


def backend_phil(values: Any, defaults: Any, *, changed: bool) -> str:
    """IOTA's values as PHIL of the backend.

    Args:
        values: of all of IOTA's parameters, as attributes.
        defaults: of these.
        changed: only what differs from the defaults; otherwise only what does not.
    """
    lines = []
    for counterpart in COUNTERPARTS:
        words = counterpart.words(values)
        if words is not None and counterpart.is_changed(values, defaults) == changed:
            lines.append(phil(counterpart.own[0], words))
    return "".join(lines)


def own_defaults_phil() -> str:
    """IOTA's defaults for parameters that only the backend has, as PHIL of the backend."""
    return "".join(f"{name} = {words}\n" for name, words in OWN_DEFAULTS.items())


def set_by(names: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Parameters of the backend that these parameters of IOTA set, and by which of them."""
    found: dict[str, tuple[str, ...]] = {}
    for counterpart in COUNTERPARTS:
        given = tuple(name for name in counterpart.own if name in names)
        if given:
            found.update(dict.fromkeys(counterpart.backend, given))
    return found


def owners(name: str) -> tuple[str, ...]:
    """Parameters of IOTA that set a parameter of the backend; empty if there are none."""
    counterpart = OF_BACKEND.get(name)
    return counterpart.own if counterpart is not None else ()


def is_copied(name: str) -> bool:
    """Whether a run makes its own copy of the file named by IOTA's parameter."""
    counterpart = OF_BACKEND.get(name)
    return counterpart is not None and counterpart.is_copied


def reset_import(values: Any, defaults: Any) -> None:
    """Set those of IOTA's parameters to their defaults that are part of reading an image and have a counterpart."""
    for counterpart in COUNTERPARTS:
        for name in counterpart.own if counterpart.at_import else ():
            *scopes, last = name.split(".")
            setattr(reduce(getattr, scopes, values), last, value_of(defaults, name))


def help_on(name: str) -> str:
    """Sentences on how IOTA sets a parameter of the backend; empty if it does not."""
    sentences = []
    if owners(name):
        sentences.append(f"Set by IOTA's {joined(owners(name))}, which takes precedence if changed from its default.")
    found = [found.own for found in FOUND if name in found.backend]
    if found:
        sentences.append(f"{'Also set' if sentences else 'Set'} by IOTA's {joined(found)}.")
    if name in OWN_DEFAULTS:
        sentences.append("The default is that of IOTA.")
    return " ".join(sentences)


def joined(names: Sequence[str]) -> str:
    """Names in a sentence: a, b and c."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
