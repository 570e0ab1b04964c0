"""Writes an image as a pickle, with its mask and geometry applied."""

from __future__ import annotations

import pickle
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from dials.array_family import flex

from iota.atomic_files import atomic_file
from iota.engine.backend import parameters as backend
from iota.engine.backend.frame_log import frame_log
from iota.engine.conversion.tasks import Conversion, SquareMode
from iota.engine.images.image import import_frame, load_reference_geometry
from iota.engine.images.masks import load_mask
from iota.engine.images.reading import ImportFailedError
from iota.records import FrameRef

_MASKED = -2  # what a masked or added pixel holds; below the trusted range


def convert(conversion: Conversion, frame: FrameRef, path: Path) -> str:
    """Save one image; returns the reason for a failure, empty if it was saved.

    Args:
        conversion: what is to be changed.
        frame: the image.
        path: where the pickle goes.
    """
    params = backend.extract(conversion.target)
    try:
        with frame_log():
            reference = load_reference_geometry(params.input.reference_geometry)
            experiments = import_frame(frame, params, Path(conversion.links) / path.stem, reference)
    except ImportFailedError as error:
        return error.why.elsewhere("iota.single_image --verbose shows the DIALS message.")
    experiment = experiments[0]
    if len(experiment.detector) != 1:
        return f"The detector has {len(experiment.detector)} panels; a pickle holds one."
    image = _image(experiment, params.spotfinder.lookup.mask, conversion)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as part, part.open("wb") as file:
        pickle.dump(image, file, protocol=2)  # the protocol that dxtbx and older programs know
    return ""


def _image(experiment: Any, mask: str | None, conversion: Conversion) -> dict[str, Any]:
    """The dictionary that dxtbx reads (FormatPYunspecified)."""
    panel, beam = experiment.detector[0], experiment.beam
    pixels = _counts(experiment.imageset.get_raw_data(0)[0].as_numpy_array())
    masked = experiment.imageset.external_lookup.mask.data
    if not masked.empty():  # a pickle has no mask of its own
        pixels[~masked.tile(0).data().as_numpy_array()] = _MASKED
    if mask:
        pixels[~load_mask(Path(mask))[0].as_numpy_array()] = _MASKED
    pixel_mm = panel.get_pixel_size()[0]
    beam_px = [x / pixel_mm for x in panel.get_beam_centre(beam.get_s0())]
    if conversion.flip_beamXY:
        beam_px.reverse()
    pixels, beam_px = squared(pixels, beam_px, conversion.square_mode)
    saturated = float(panel.get_trusted_range()[1])
    slow, fast = pixels.shape
    return {
        "DATA": flex.int(np.ascontiguousarray(pixels)),
        "SIZE1": slow,
        "SIZE2": fast,
        "PIXEL_SIZE": pixel_mm,
        "BEAM_CENTER_X": beam_px[0] * pixel_mm,
        "BEAM_CENTER_Y": beam_px[1] * pixel_mm,
        "DISTANCE": abs(panel.get_directed_distance()),
        "WAVELENGTH": beam.get_wavelength(),
        "CCD_IMAGE_SATURATION": saturated,
        "SATURATED_VALUE": saturated,
        "MIN_TRUSTED_VALUE": 0,
        "OSC_START": 0.0,
        "OSC_RANGE": 0.0,
        "SEQUENCE_NUMBER": 0,
        "TIME": 1.0,
        "TIMESTAMP": time.strftime("%Y-%m-%dT%H:%MZ%S.000", time.gmtime()),
        "ACTIVE_AREAS": flex.int([0, 0, slow, fast]),
        "DETECTOR_ADDRESS": "IOTA-0|Converted-0",
    }


def _counts(pixels: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Integer counts of a panel, as a copy that may be modified."""
    return (np.rint(pixels) if pixels.dtype.kind == "f" else pixels).astype(np.int32)


def squared(
    pixels: npt.NDArray[np.int32], beam_px: Sequence[float], mode: SquareMode
) -> tuple[npt.NDArray[np.int32], list[float]]:
    """Square image with the direct beam in the middle, to a pixel.

    Args:
        pixels: `[slow, fast]`.
        beam_px: direct beam (px), fast and slow.
        mode: ``pad`` adds masked pixels so that nothing is lost, ``crop`` cuts off what is beyond the nearest edge.

    Returns:
        The image, and where the direct beam is on it (px); both as they were where the beam misses the image.
    """
    slow, fast = pixels.shape
    middle = [round(beam_px[0]), round(beam_px[1])]
    sides = (middle[0], fast - middle[0], middle[1], slow - middle[1])
    if mode == "no_modification" or min(sides) <= 0:
        return pixels, list(beam_px)
    half = max(sides) if mode == "pad" else min(sides)
    result = np.full((2 * half, 2 * half), _MASKED, dtype=np.int32)
    first_slow, first_fast = middle[1] - half, middle[0] - half  # of the square, on the image
    rows = slice(max(0, first_slow), min(slow, middle[1] + half))
    columns = slice(max(0, first_fast), min(fast, middle[0] + half))
    result[rows.start - first_slow : rows.stop - first_slow, columns.start - first_fast : columns.stop - first_fast] = (
        pixels[rows, columns]
    )
    return result, [beam_px[0] - first_fast, beam_px[1] - first_slow]
