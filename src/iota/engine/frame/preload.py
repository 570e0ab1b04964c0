"""Imports what workers need, once, in the process from which they are forked."""

from __future__ import annotations

import contextlib
import sys
from importlib import import_module
from types import TracebackType

from iota.engine.backend.lazy_modules import lazily_imported

_MODULES = (
    "iota.engine.frame.frame",
    "iota.engine.frame.grid_search",
    "iota.engine.backend.indexing_settings",
    "iota.engine.preparation.preparation",
    "iota.engine.frame.questions",
    # what DIALS imports when it first does something
    "dxtbx.format.FormatCBFMiniPilatus",  # and with it what other formats are made of
    "iotbx.detectors",
    "cctbx.uctbx.krivy_gruber_1976",
    "dials.algorithms.centroid.simple",
    "dials.algorithms.integration.sum",
    "dials.algorithms.profile_model.gaussian_rs.calculator",
)

# what is missing or broken is told by who needs it, in a process that can say so; this one would end without a word
# of viewers and of comparing reflection tables; both take a second together, half of all
with lazily_imported("sklearn.cluster", "pandas"):
    for _name in _MODULES:
        with contextlib.suppress(Exception):
            import_module(_name)

with contextlib.suppress(Exception):
    from iota.engine.spots.strong_pixels import warm_up  # compiled code, 0.1 s

    warm_up()


def _without_coordinator(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Suppress the error of a process that cannot start because its parent has ended (Ctrl-C)."""
    if kind is not FileNotFoundError:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _without_coordinator
