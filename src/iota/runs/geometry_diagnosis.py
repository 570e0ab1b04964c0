"""Stores the diagnosis of the detector geometry of a run, ``geometry_diagnosis.json``."""

from __future__ import annotations

import msgspec

from iota.geometry.deviations import Diagnosis
from iota.runs.folder import RunFolder


def read_diagnosis(folder: RunFolder) -> Diagnosis | None:
    """The diagnosis of a run; None if there is none, or none that can be read."""
    try:
        return msgspec.json.decode(folder.geometry_diagnosis.read_bytes(), type=Diagnosis)
    except (OSError, msgspec.DecodeError, RecursionError):
        return None


def write_diagnosis(folder: RunFolder, diagnosis: Diagnosis | None) -> None:
    """Store a diagnosis instead of an earlier one; None removes that.

    Raises:
        RunFolderError: the file system refuses.
    """
    path = folder.geometry_diagnosis
    if diagnosis is not None:
        folder.write_text(path, msgspec.json.format(msgspec.json.encode(diagnosis), indent=1).decode() + "\n")
    else:
        folder.remove(path)
