"""Which pixels of a detector are bad: those that DIALS masks on every one of a few images."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from iota.engine.backend import parameters as backend
from iota.engine.backend.frame_log import frame_log
from iota.engine.images.image import import_frame, load_reference_geometry
from iota.engine.images.masks import load_mask
from iota.engine.images.reading import ImportFailedError
from iota.records import FrameRef

LOOKED_AT = 3  # images: a count beyond the trusted range is not in the same pixel of all


def bad_pixels(frames: Sequence[FrameRef], target: str) -> list[npt.NDArray[np.bool_]]:
    """Bad pixels of each panel, `[slow, fast]`: gaps, dead pixels, and the masks of file and run.

    Args:
        frames: of one detector, of which the first that can be read are looked at.
        target: parameters of the backend with which the images are imported.

    Returns:
        An empty list if none of the images can be read.
    """
    params = backend.extract(target)
    own = params.spotfinder.lookup.mask  # of the run, which is no part of the images
    mask = [~panel.as_numpy_array() for panel in load_mask(Path(own))] if own else None
    reference = load_reference_geometry(params.input.reference_geometry)
    found: list[npt.NDArray[np.bool_]] = []
    n_read = 0
    with tempfile.TemporaryDirectory(prefix="iota_") as links:
        for number, frame in enumerate(dict.fromkeys(frames)):  # one image may have several lattices
            bad = _masked(frame, params, Path(links) / "links" / f"image_{number}", reference)
            if bad is None or (n_read and [one.shape for one in bad] != [one.shape for one in found]):
                continue
            found = bad if not n_read else [one & other for one, other in zip(found, bad, strict=True)]
            n_read += 1
            if n_read == LOOKED_AT:
                break
    if found and mask is not None and [one.shape for one in mask] == [one.shape for one in found]:
        found = [one | other for one, other in zip(found, mask, strict=True)]
    return found


def _masked(frame: FrameRef, params: Any, link: Path, reference: Any) -> list[npt.NDArray[np.bool_]] | None:
    try:
        with frame_log():
            (experiment,) = import_frame(frame, params, link, reference)
            return [~mask.as_numpy_array() for mask in experiment.imageset.get_mask(0)]
    except ImportFailedError:
        return None
