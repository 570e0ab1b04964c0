"""The configuration of a run that every worker receives; does not import DIALS."""

from __future__ import annotations

import msgspec

from iota.engine.frame.filter import LatticeFilter
from iota.engine.frame.grid import Grid
from iota.engine.frame.picture_choice import Pictures


class EngineConfig(msgspec.Struct, frozen=True):
    """The configuration that every worker of a run needs."""

    target: str
    run_folder: str
    strong_sigma: float = 5.0
    find_symmetry: bool = False
    lattice_filter: LatticeFilter | None = None
    memory_GB: float | None = None
    accelerate: bool = True  # False: the numbers of dials.stills_process, digit for digit
    files_grow: bool = False  # images may be added to files while the run goes on
    grid: Grid | None = None  # of spot-finding settings to search for each frame
    pictures: Pictures | None = None  # of each integrated frame
    scratch: str | None = None  # where files in the making are; None: where they are to stay
