"""The definition text of every IOTA parameter, one module per scope; names and defaults as in existing scripts."""

from __future__ import annotations

from iota.params.definitions import (
    advanced,
    analysis,
    cctbx_xfel,
    data_selection,
    general,
    geometry,
    gui,
    image_import,
    mp,
)

_IN_ORDER = (
    general,
    data_selection,
    image_import,
    geometry,
    cctbx_xfel,
    analysis,
    advanced,
    gui,
    mp,
)  # as scripts are written

MASTER_PHIL = "".join(module.PHIL for module in _IN_ORDER)
