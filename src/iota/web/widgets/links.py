"""Makes links to pages: a start page filled from a run, the image of a frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt

from iota.records import FrameRef

_LONGEST_ROWS = 1500  # characters of an address; of a larger set the first rows are gone through


def start_link(
    run_id: str, *, inputs: Iterable[Path] = (), values: Mapping[str, str] | None = None, setting: str = ""
) -> str:
    """Address of the start page with the settings of a run.

    Args:
        run_id: whose settings; its inputs too, where no others are given.
        inputs: what is processed instead of the inputs of the run.
        values: parameters that are changed.
        setting: name of a parameter whose dialog opens.
    """
    words = [("recover", run_id)]
    words += [("input", str(path)) for path in inputs]
    words += [("set", f"{name}={value}") for name, value in (values or {}).items()]
    if setting:
        words.append(("setting", setting))
    return f"/?{urlencode(words)}"


def image_link(run_id: str, row: int, rows: npt.NDArray[np.int64] | None = None) -> str:
    """Address of the detector image of a frame.

    Args:
        run_id: of the run.
        row: of the frame in the table of the run.
        rows: the set that next and previous go through; None for the whole run.
    """
    words: list[tuple[str, str]] = [("run", run_id), ("row", str(row))]
    if rows is not None and len(rows):
        words.append(("rows", _ranges(rows)))
    return f"/image?{urlencode(words, safe=',')}"


def images_link(source: str, some: str = "", at: FrameRef | None = None) -> str:
    """Address of the images of an input.

    Args:
        source: file, folder, wildcard or list.
        some: ``first 10`` or ``5-20``; empty for all.
        at: the image that is shown first; None for the first.
    """
    words = [("sources", source)]
    if some:
        words.append(("some", some))
    if at is not None:
        words.append(("path", at.path))
        if at.index is not None:
            words.append(("index", str(at.index)))
    return f"/image?{urlencode(words)}"


def _ranges(rows: npt.NDArray[np.int64]) -> str:
    """Rows as ``3,8-12``."""
    ordered = np.unique(rows)
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 2) != 1)
    ends = np.append(starts[1:], len(ordered)) - 1
    words: list[str] = []
    length = 0
    for first, last in zip(ordered[starts].tolist(), ordered[ends].tolist(), strict=True):
        words.append(str(first) if first == last else f"{first}-{last}")
        length += len(words[-1]) + 1
        if length > _LONGEST_ROWS:
            break
    return ",".join(words)
