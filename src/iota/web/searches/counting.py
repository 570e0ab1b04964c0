"""Counts the images in inputs as they are typed."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from iota.inputs.finding.search_job import CountImages

_LISTED_ALONE = 20  # a pasted list of more paths than this becomes a list file


def count_question(paths: Sequence[str], folder: Path, geometry: str = "") -> CountImages:
    """Ask for the number of images.

    Args:
        paths: as people type them; relative ones begin in ``folder``.
        folder: absolute.
        geometry: CrystFEL geometry of the images, if it is not among the paths.
    """
    named = [in_folder(path, folder) for path in paths]
    return CountImages(named, in_folder(geometry, folder) if geometry else None)


def in_folder(path: str, folder: Path) -> str:
    """A path as it was typed, made absolute from a folder; wildcards stay."""
    return os.path.join(folder, os.path.expanduser(path))  # noqa: PTH111, PTH118 - as find_frames takes it


def lines_of(text: str) -> list[str]:
    """Paths in a text that was pasted: one a line, without blank lines and comments."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def kept_list(paths: Sequence[str], project: Path) -> list[str]:
    """Paths to take as inputs for a list that was pasted or dropped: a long one is written into the project.

    Raises:
        OSError: it cannot be written.
    """
    if len(paths) <= _LISTED_ALONE:
        return list(paths)
    folder = project / ".iota"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}.lst"
    path.write_text("\n".join(paths) + "\n", encoding="utf-8")
    return [str(path)]
