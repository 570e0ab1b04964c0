"""Stores what was found out about the detector of a run: ``geometry_diagnosis.json`` and ``geometry_drift.json``."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from iota.geometry.deviations import Diagnosis
from iota.geometry.drift.record import GeometryDrift
from iota.runs.folder import RunFolder

Record = TypeVar("Record", Diagnosis, GeometryDrift)


def read_diagnosis(folder: RunFolder) -> Diagnosis | None:
    """The diagnosis of a run; None if there is none, or none that can be read."""
    return _read(folder.geometry_diagnosis, Diagnosis)


def write_diagnosis(folder: RunFolder, diagnosis: Diagnosis | None) -> None:
    """Store a diagnosis instead of an earlier one; None removes that.

    Raises:
        RunFolderError: the file system refuses.
    """
    _write(folder, folder.geometry_diagnosis, diagnosis)


def read_drift(folder: RunFolder) -> GeometryDrift | None:
    """The drift of the detector of a run; None if it was not measured, or cannot be read."""
    return _read(folder.geometry_drift, GeometryDrift)


def write_drift(folder: RunFolder, drift: GeometryDrift | None) -> None:
    """Store a drift instead of an earlier one; None removes that.

    Raises:
        RunFolderError: the file system refuses.
    """
    _write(folder, folder.geometry_drift, drift)


def _read(path: Path, kind: type[Record]) -> Record | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError, RecursionError):
        return None


def _write(folder: RunFolder, path: Path, record: Diagnosis | GeometryDrift | None) -> None:
    if record is not None:
        folder.write_text(path, msgspec.json.format(msgspec.json.encode(record), indent=1).decode() + "\n")
    else:
        folder.remove(path)
