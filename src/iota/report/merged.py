"""Reads the newest merging of a run for its report."""

from __future__ import annotations

from pathlib import Path

import msgspec

from iota.analysis.intensities.merge_record import MergeRecord


class Merged(MergeRecord, kw_only=True):
    """A merging that was read, and where it lies."""

    folder: str = ""


def newest_merging(run: Path) -> Merged | None:
    """Read the newest merging of a run that came to an end; None where there is none."""
    found = [path for path in run.glob("merge/*/merge.json") if path.parent.name.isdigit()]
    for path in sorted(found, key=lambda path: -int(path.parent.name)):
        try:
            merged = msgspec.json.decode(path.read_bytes(), type=Merged)
        except (OSError, msgspec.DecodeError):
            continue
        merged.folder = str(path.parent)
        return merged
    return None
