"""Makes DIALS' viewer read pickles by a list of permitted contents (:mod:`iota.engine.backend.literal_pickles`)."""

from __future__ import annotations

from iota.engine.backend import dials_files  # noqa: F401 - it and the next have DIALS read in that way
from iota.engine.backend.literal_pickles import read_literally
from iota.engine.images import image  # noqa: F401

read_literally("dials.command_line.image_viewer")
