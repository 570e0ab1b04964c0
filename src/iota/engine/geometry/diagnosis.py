"""Diagnoses the detector geometry from files of a run, in a separate process."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from iota.engine.geometry.observations import StillFiles, read_stills
from iota.engine.questions import DiagnoseGeometry, IndexedFrame
from iota.geometry.deviations import Diagnosis
from iota.geometry.diagnosis import diagnose
from iota.processes.protocol import Tell


def diagnose_geometry(asked: DiagnoseGeometry, tell: Tell) -> Diagnosis:
    """Diagnose the geometry with which lattices were integrated.

    Raises:
        UsageError: there are too few lattices.
        BackendError: their files cannot be read.
    """
    stills = read_stills(still_files(asked.frames))
    return diagnose(stills.panels, stills.observations, asked.known_cell)


def still_files(frames: Sequence[IndexedFrame]) -> list[StillFiles]:
    """The files of frames of a run."""
    return [
        StillFiles(
            Path(one.experiments),
            Path(one.indexed),
            one.numbers,
            (one.frame,) * len(one.numbers),
            math.nan if one.time is None else one.time,
        )
        for one in frames
    ]
