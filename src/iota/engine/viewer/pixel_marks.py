"""Overlays on an image: spots, predictions, and strong pixels with other settings.

Coordinate frames and signs: docs/explanations/coordinate-frames.md.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from dials.algorithms.spot_finding.factory import SpotFinderFactory
from dials.array_family import flex
from dxtbx import flumpy

from iota.crystallography.indices import hkl_from_flex
from iota.engine.backend.dials_files import read_experiments, read_reflections
from iota.engine.backend.frame_log import frame_log
from iota.engine.backend.sentences import why_stopped
from iota.engine.spots.spots import SpotFinder
from iota.engine.viewer.pixel_frames import OpenFrame, in_terminal, parameters
from iota.errors import BackendError, RunFolderError, UsageError
from iota.image_answers import LatticeMarks, Spots

_SAME_SPOT_PX = 0.6  # a spot that was found again is nearer than this to where its run found it
_MAX_STRONG = 1_000_000  # pixels; more is no threshold but noise

logger = logging.getLogger(__name__)


def lattices_of(experiments: str, reflections: str) -> list[LatticeMarks]:
    """Integrated reflections of a frame where DIALS predicted them.

    Args:
        experiments: path of the ``.expt``.
        reflections: path of the ``.refl``.

    Raises:
        RunFolderError: one of them cannot be read.
    """
    models, table = _experiments(experiments), _table(reflections)
    return [_lattice(model, table.select(table["id"] == number)) for number, model in enumerate(models)]


def _lattice(model: Any, table: Any) -> LatticeMarks:
    variance = table["intensity.sum.variance"].as_numpy_array()
    sigma = np.sqrt(np.where(variance > 0, variance, np.inf))
    h, k, l = hkl_from_flex(table["miller_index"]).T.tolist()  # noqa: E741
    return LatticeMarks(
        **_places(table, "xyzcal.px"),
        unit_cell=[round(x, 3) for x in model.crystal.get_unit_cell().parameters()],
        space_group=str(model.crystal.get_space_group().info()),
        h=h,
        k=k,
        l=l,
        i_over_sigma=np.round(table["intensity.sum.value"].as_numpy_array() / sigma, 2).tolist(),
    )


def kept_spots(strong: str) -> Spots:
    """Spots stored by a run for a frame that was not integrated.

    Raises:
        RunFolderError: the file cannot be read.
    """
    table = _table(strong)
    return Spots(**_places(table, "xyzobs.px.value"), lattice=[-1] * len(table), n_pixels=_sizes(table))


def found_spots(frame: OpenFrame, target: str, indexed: str = "", more: str = "") -> Spots:
    """Spots found with some settings, and the lattice that explains each of them.

    Args:
        frame: the image.
        target: path of the parameters of the backend.
        indexed: path of the indexed spots that the run left; empty for none.
        more: parameters as PHIL text that overrule those of the target.

    Raises:
        UsageError: the settings are not understood, or spots cannot be found with them.
        RunFolderError: a file of the run cannot be read.
    """
    table = _find(frame, parameters(target, more))
    places = _places(table, "xyzobs.px.value")
    lattice = np.full(len(table), -1)
    if indexed:
        known = _table(indexed)
        lattice = _lattices(table, known.select(known.get_flags(known.flags.indexed)))
    return Spots(**places, lattice=lattice.tolist(), n_pixels=_sizes(table))


def _find(frame: OpenFrame, params: Any) -> Any:
    with _sentence_of_spot_finding(), _uncached(frame):
        found = SpotFinder(params).find(frame.experiments, frame.raw)
        if found is None:  # the settings need the backend itself
            params.spotfinder.mp.nproc = 1
            found = flex.reflection_table.from_observations(frame.experiments, params)
    return found


@contextlib.contextmanager
def _uncached(frame: OpenFrame) -> Iterator[None]:
    """Prevent the image set from caching pixels, which the frame already has."""
    try:
        yield
    finally:
        frame.imageset.clear_cache()


@contextlib.contextmanager
def _sentence_of_spot_finding() -> Iterator[None]:
    """Convert any exception raised by DIALS' spot finding to a UsageError."""
    with frame_log() as log:
        try:
            yield
        except Exception as error:
            said = why_stopped(error, "spotfinding")
            raise UsageError(
                f"Spots cannot be found with these settings. {in_terminal(said, log.getvalue())}"
            ) from error


def strong_pixels(frame: OpenFrame, target: str, more: str = "") -> list[npt.NDArray[np.int64]]:
    """Strong pixels of each panel, numbered by rows, from which spots are made.

    Raises:
        UsageError: the settings cannot be read, or nearly everything is strong.
    """
    params = parameters(target, more)
    finder = SpotFinder(params)
    with _sentence_of_spot_finding(), _uncached(frame):
        own = finder.strong_pixels(frame.imageset, frame.raw)
        strong = _backends_strong_pixels(frame, params) if own is None else own
    if sum(len(pixels) for pixels in strong) > _MAX_STRONG:
        raise UsageError(f"More than {_MAX_STRONG:,} pixels are strong with these settings. Raise the thresholds.")
    return strong


def _backends_strong_pixels(frame: OpenFrame, params: Any) -> list[npt.NDArray[np.int64]]:
    threshold = SpotFinderFactory.configure_threshold(params)
    mask = frame.imageset.get_mask(0)
    data = frame.imageset.get_corrected_data(0)
    return [
        np.flatnonzero(flumpy.to_numpy(threshold.compute_threshold(panel, good, imageset=frame.imageset, i_panel=k)))
        for k, (panel, good) in enumerate(zip(data, mask, strict=True))
    ]


def _lattices(spots: Any, known: Any) -> npt.NDArray[np.int64]:
    """Number of the lattice of each spot, -1 for those that are not among the indexed ones."""
    found = np.full(len(spots), -1)
    for panel in set(known["panel"]):
        mine = np.flatnonzero(spots["panel"].as_numpy_array() == panel)
        theirs = known.select(known["panel"] == panel)
        here = np.array(spots["xyzobs.px.value"].select(flex.size_t(mine.tolist())))[:, :2].reshape(-1, 2)
        there = np.array(theirs["xyzobs.px.value"])[:, :2].reshape(-1, 2)
        if not len(here):
            continue
        distance = np.hypot(*(there[:, None] - here[None]).transpose(2, 0, 1))
        nearest = distance.argmin(axis=1)
        is_same = distance[np.arange(len(there)), nearest] < _SAME_SPOT_PX
        found[mine[nearest[is_same]]] = theirs["id"].as_numpy_array()[is_same]
    return found


def _places(table: Any, column: str) -> dict[str, list[Any]]:
    x, y, _ = table[column].parts()
    return {
        "panel": [int(panel) for panel in table["panel"]],
        "x": np.round(x.as_numpy_array(), 3).tolist(),
        "y": np.round(y.as_numpy_array(), 3).tolist(),
    }


def _sizes(table: Any) -> list[int]:
    for name in ("n_signal", "num_pixels.foreground"):
        if name in table:
            return [int(n) for n in table[name]]
    if "shoebox" in table:
        return [int(n) for n in table["shoebox"].count_mask_values(1)]
    return []


def _table(path: str) -> Any:
    try:
        return read_reflections(Path(path))
    except BackendError as error:
        raise RunFolderError(
            f"{Path(path).name} of the run cannot be read, so its reflections are not shown."
        ) from error


def _experiments(path: str) -> Any:
    try:
        return read_experiments(Path(path))
    except BackendError as error:
        raise RunFolderError(f"{Path(path).name} of the run cannot be read, so its lattices are not shown.") from error
