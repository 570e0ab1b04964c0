"""Measures the drift of a detector from files of a run, in a separate process, and writes geometries of its parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from iota.engine.geometry.detector import with_panels
from iota.engine.geometry.diagnosis import still_files
from iota.engine.geometry.observations import IndexedStills, read_stills
from iota.engine.geometry.reference import write_expt
from iota.engine.questions import MeasureDrift
from iota.errors import RunFolderError
from iota.geometry.drift.measuring import DriftFit, fit_drift, shifted
from iota.geometry.drift.record import GeometryDrift
from iota.processes.protocol import Tell


def answer_drift(asked: MeasureDrift, tell: Tell) -> GeometryDrift:
    """Measure a drift; if parts of the run need geometries of their own, write these into the folder asked for.

    Raises:
        UsageError: there are too few lattices.
        BackendError: their files cannot be read.
        RunFolderError: the geometries cannot be written.
    """
    stills = read_stills(still_files(asked.frames))
    fit = fit_drift(stills.panels, stills.observations, asked.known_cell)
    if asked.write_to:
        _write_parts(fit, stills, Path(asked.write_to))
    return fit.drift


def _write_parts(fit: DriftFit, stills: IndexedStills, folder: Path) -> None:
    beam = np.array(stills.beam.get_s0())
    try:
        for number, part in enumerate(fit.drift.parts, 1):
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"part_{number:02d}.expt"
            write_expt(with_panels(stills.detector, shifted(fit.panels, beam, part.shift_mm)), stills.beam, path)
            part.file = str(path)
    except OSError as error:
        raise RunFolderError(f"{folder} cannot be written: {error.strerror}.") from error
