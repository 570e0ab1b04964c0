"""Reads the DIALS files of an integrated frame for export."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from iota.engine.backend.dials_files import read_experiments, read_reflections
from iota.errors import BackendError

Floats = npt.NDArray[np.float64]


class Spots(NamedTuple):
    """Peaks from spot finding."""

    px: Floats  # fast and slow on the panel, `[n, 2]`
    panel: npt.NDArray[np.int64]  # `[n]`
    intensity: Floats  # `[n]`


class FrameData(NamedTuple):
    """Lattices of a frame, and its spots."""

    experiments: list[Any]  # those asked for; one without a crystal when none was
    tables: list[Any]  # integrated reflections of each lattice
    spots: Spots


def read_frame(experiments: Path, reflections: Path | None, spots: Path | None, numbers: Sequence[int]) -> FrameData:
    """Read the files of a frame.

    Args:
        experiments: the ``.expt``.
        reflections: integrated reflections; None for a frame that was not integrated.
        spots: all spots that were found; None if they were not kept.
        numbers: of the lattices that are wanted.

    Raises:
        BackendError: a file is gone or damaged.
    """
    found = read_experiments(experiments)
    try:
        wanted = [found[k] for k in numbers] or [found[0]]
    except IndexError as error:
        raise BackendError(f"{experiments} does not hold the lattices of its record.") from error
    integrated = read_reflections(reflections) if reflections and numbers else None
    strong = read_reflections(spots) if spots else None
    tables = []
    if integrated is not None:
        if "shoebox" in integrated:
            del integrated["shoebox"]
        tables = [integrated.select(integrated["id"] == k) for k in numbers]
    return FrameData(wanted, tables, _spots(strong))


def _spots(table: Any | None) -> Spots:
    if table is None or not len(table):
        return Spots(np.zeros((0, 2)), np.zeros(0, dtype=np.int64), np.zeros(0))
    return Spots(
        positions_px(table["xyzobs.px.value"]),
        table["panel"].as_numpy_array().astype(np.int64),
        table["intensity.sum.value"].as_numpy_array(),
    )


def positions_px(column: Any) -> Floats:
    """Fast and slow of a column of positions, `[n, 2]`."""
    return np.asarray(column.as_double().as_numpy_array().reshape(-1, 3)[:, :2])
