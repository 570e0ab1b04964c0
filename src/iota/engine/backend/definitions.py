"""Parameters of the installed backend as text, for programs without DIALS.

They include IOTA's own defaults, so that a form shows the values used by a run if nothing is changed.
"""

from __future__ import annotations

from iota.engine.backend import parameters as backend
from iota.engine.backend.installation import dials_version
from iota.params import defaults
from iota.params.forms import Definitions
from iota.params.safe_text import converters
from iota.params.to_backend import help_on
from iota.processes.protocol import Tell


def definitions(_: None, tell: Tell) -> Definitions:
    """Definitions of the installed backend, with types known to libtbx; those that only DIALS can check become text.

    The help says which parameters IOTA sets, and from which of its own.
    """
    scope = backend.with_defaults(defaults())
    for item in scope.all_definitions():
        if item.object.type is not None and item.object.type.phil_type not in converters():
            item.object.type = converters()["str"]()
        by_iota = help_on(item.path)
        if by_iota:
            own = (item.object.help or "").strip()
            item.object.help = f"{own}{' ' if own.endswith('.') or not own else '. '}{by_iota}".strip()
    return Definitions(dials=dials_version(), phil=scope.as_str(attributes_level=3))
