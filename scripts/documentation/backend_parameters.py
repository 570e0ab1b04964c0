"""The page of IOTA's parameters and those of the backend that they set: the table ``iota.params.counterparts``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from documentation.markdown import code, prose, table
from iota.engine.backend import parameters as backend
from iota.params.counterparts import COUNTERPARTS, FOUND, OWN_DEFAULTS, Counterpart, Found
from iota.params.forms import iota_form

_INTRODUCTION = """\
# Parameters of IOTA and of the backend

Some [parameters of IOTA](parameters.md) set parameters of `dials.stills_process`, which can also be given in a target
file (`cctbx_xfel.target`) or on the command line. If several values are given for the same parameter of the backend,
the last one of these is used:

1. the default of `dials.stills_process`,
2. the default of IOTA,
3. the target file,
4. the command line, or the backend settings in the browser,
5. a parameter of IOTA that is changed from its default.

`iota.log` and the terminal name the values in a target file or on the command line that a parameter of IOTA
overrides. `target.phil` in the run folder contains the values that were used; the Settings tab of the run and the
report show which of them were set by IOTA.
"""
_FOUND = """\
## Values found in the images

With these parameters of IOTA, values for the backend are found in the images, either before the run, in which case
they are in `target.phil`, or for each image.
"""
_DEFAULTS = """\
## Defaults of IOTA

Parameters that only the backend has, with defaults that differ from those of `dials.stills_process`; see
[decision 2](../decisions/0002-learning-the-lattice.md) for the first.
"""


def page() -> str:
    """The page."""
    given = ("parameter of IOTA", "sets in the backend", "value in the backend", "default", "sets nothing if")
    found = ("parameter of IOTA", "sets in the backend", "value", "when")
    lines = [
        _INTRODUCTION,
        *table(given, map(_given_row, COUNTERPARTS)),
        _FOUND,
        *table(found, map(_found_row, FOUND)),
        _DEFAULTS,
        *table(
            ("parameter of the backend", "default"), ((code(name), code(words)) for name, words in OWN_DEFAULTS.items())
        ),
    ]
    return "\n".join(lines)


def _given_row(counterpart: Counterpart) -> tuple[str, ...]:
    default = " ".join(iota_form().fields[name].default or "None" for name in counterpart.own)
    unless = code(counterpart.unless) if counterpart.unless else ""
    becomes = prose(counterpart.becomes or "the same")
    return _codes(counterpart.own), _codes(counterpart.backend), becomes, code(default), unless


def _found_row(found: Found) -> tuple[str, ...]:
    return (
        code(found.own),
        _codes(found.backend),
        prose(found.value),
        "each image" if found.per_image else "before the run",
    )


def _codes(names: Iterable[str]) -> str:
    return ", ".join(map(code, names))


def undocumented() -> Iterator[str]:
    """Names in the table that IOTA or the installed backend does not have."""
    for item in (*COUNTERPARTS, *FOUND):
        own = item.own if isinstance(item, Counterpart) else (item.own,)
        yield from (f"IOTA has no parameter {name}." for name in own if not iota_form().has(name))
        yield from (
            f"The backend has no parameter {name}." for name in item.backend if not backend.is_backend_name(name)
        )
