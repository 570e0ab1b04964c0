"""``python -m iota.engine.backend.definitions``: parameters of the installed backend, for programs without DIALS.

It writes one line of JSON, an :class:`iota.params.forms.Definitions`. IOTA's own defaults are in it, so that a form
shows what a run does when nothing is changed.
"""

from __future__ import annotations

import sys

import msgspec

from iota.engine.backend import parameters as backend
from iota.engine.backend.installation import dials_version
from iota.errors import IotaError
from iota.params import defaults
from iota.params.forms import Definitions
from iota.params.safe_text import converters


def definitions() -> Definitions:
    """Definitions of the installed backend, with types that libtbx knows; what only DIALS can check is text."""
    scope = backend.with_defaults(defaults())
    for item in scope.all_definitions():
        if item.object.type is not None and item.object.type.phil_type not in converters():
            item.object.type = converters()["str"]()
    return Definitions(dials=dials_version(), phil=scope.as_str(attributes_level=3))


def main() -> int:
    """Write the definitions, or why there are none; returns the exit status."""
    try:
        found = definitions()
    except IotaError as error:
        found = Definitions(error=str(error))
    except ImportError as error:
        found = Definitions(error=f"DIALS does not load: {error}. iota.doctor explains how to fix this.")
    sys.stdout.write("\n" + msgspec.json.encode(found).decode() + "\n")
    return 1 if found.error else 0


if __name__ == "__main__":
    raise SystemExit(main())
