"""Diagnoses the detector geometry from files of a run, in a separate process."""

from __future__ import annotations

from pathlib import Path

from iota.engine.geometry.observations import StillFiles, read_stills
from iota.engine.questions import DiagnoseGeometry
from iota.geometry.deviations import Diagnosis
from iota.geometry.diagnosis import diagnose
from iota.processes.protocol import Tell


def diagnose_geometry(asked: DiagnoseGeometry, tell: Tell) -> Diagnosis:
    """Diagnose the geometry with which lattices were integrated.

    Raises:
        UsageError: there are too few lattices.
        BackendError: their files cannot be read.
    """
    files = [
        StillFiles(Path(one.experiments), Path(one.indexed), one.numbers, (one.frame,) * len(one.numbers))
        for one in asked.frames
    ]
    stills = read_stills(files)
    return diagnose(stills.panels, stills.observations, asked.known_cell)
