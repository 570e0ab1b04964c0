"""Which pixels of a detector are bad: those that DIALS masks on every one of a few images."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from iota.engine.backend import parameters as backend
from iota.engine.backend.frame_log import frame_log
from iota.engine.images.image import import_frame, load_reference_geometry
from iota.engine.images.masks import check_shape, load_mask
from iota.engine.images.reading import ImportFailedError
from iota.errors import UsageError
from iota.records import FrameRef

Bad = npt.NDArray[np.bool_]

LOOKED_AT = 3  # images: a count beyond the trusted range is not in the same pixel of all


class BadPixels(NamedTuple):
    """Bad pixels of each panel, `[slow, fast]`: gaps, dead pixels, and the masks of file and run.

    The list is empty if none of the images can be read.
    """

    panels: list[Bad]
    remarks: list[str]  # on what is not in it


def bad_pixels(frames: Sequence[FrameRef], detector: Any, target: str) -> BadPixels:
    """Find the bad pixels of a detector.

    Args:
        frames: images, of which the first that can be read and are of this detector are looked at.
        detector: of dxtbx.
        target: parameters of the backend with which the images are imported.
    """
    params = backend.extract(target)
    reference = load_reference_geometry(params.input.reference_geometry)
    shapes = [tuple(panel.get_image_size()[::-1]) for panel in detector]
    found: list[list[Bad]] = []
    with tempfile.TemporaryDirectory(prefix="iota_") as links:
        for number, frame in enumerate(dict.fromkeys(frames)):  # one image may have several lattices
            bad = _masked(frame, params, Path(links) / "links" / f"image_{number}", reference)
            if bad is not None and [one.shape for one in bad] == shapes:
                found.append(bad)
            if len(found) == LOOKED_AT:
                break
    panels = [np.logical_and.reduce(same) for same in zip(*found, strict=True)]
    own = params.spotfinder.lookup.mask  # of the run, which is no part of the images
    if not panels or not own:
        return BadPixels(panels, [])
    try:
        mask = load_mask(Path(own))
        check_shape(mask, detector, f"The mask of the run, {own},")
    except UsageError as error:
        return BadPixels(panels, [f"The mask of the run is not included in refined.geom. {error}"])
    return BadPixels([bad | ~good.as_numpy_array() for bad, good in zip(panels, mask, strict=True)], [])


def _masked(frame: FrameRef, params: Any, link: Path, reference: Any) -> list[Bad] | None:
    try:
        with frame_log():
            (experiment,) = import_frame(frame, params, link, reference)
            return [~mask.as_numpy_array() for mask in experiment.imageset.get_mask(0)]
    except ImportFailedError:
        return None
