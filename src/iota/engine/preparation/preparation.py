"""Prepares a run: writes the mask with the beamstop shadow, and determines the gain."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from dials.array_family import flex

from iota.engine.backend import parameters as backend
from iota.engine.backend.frame_log import frame_log
from iota.engine.images import reference_detector
from iota.engine.images.image import import_frame, import_models, load_reference_geometry
from iota.engine.images.masks import Mask, check_shape, check_something_is_left, joined, load_mask, write_mask
from iota.engine.images.reading import ImportFailedError
from iota.engine.preparation.beamstop import shadow
from iota.engine.preparation.gain import gain_of, regions
from iota.engine.preparation.prepared import N_SAMPLE_FRAMES, Prepared
from iota.errors import UsageError
from iota.inputs.hdf5.masters import is_hdf5
from iota.params import safe_text
from iota.params.counterparts import MASKS
from iota.params.to_backend import phil
from iota.records import FrameRef


def prepare(target: str, image_import: Any, frames: Sequence[FrameRef], run_folder: Path) -> Prepared:
    """Check masks and reference geometry of a run against its images and write the mask it uses; estimate the gain.

    DIALS reads only the mask that is written here, ``mask.pickle`` in the run folder, and never a pickle from
    elsewhere.  Where there is no image yet, as in monitor mode, each frame is checked when it comes.

    Args:
        target: parameters of the backend.
        image_import: the scope of that name of IOTA's parameters.
        frames: of the run, as :func:`iota.engine.preparation.prepared.sample_frames` chooses them.
        run_folder: where the mask goes.

    Raises:
        UsageError: a mask or the reference geometry cannot be used, or what was asked for needs images and there are
            none.
        BackendError: the reference geometry cannot be read.
    """
    params = backend.extract(target)
    given = {scope: getattr(params, scope).lookup.mask for scope in MASKS}
    masks = {path: load_mask(Path(path)) for path in given.values() if path}
    prepared = Prepared(target=target)
    reference = load_reference_geometry(params.input.reference_geometry)
    if reference is not None:
        _check_reference(reference, params, frames)
    elif params.crystfel.geometry:  # the detector of images whose headers say their own
        others = [frame for frame in frames if not is_hdf5(frame.path)]
        if others:
            detector = load_reference_geometry(params.crystfel.geometry)
            _check_reference(detector, backend.extract(target, "crystfel.geometry = None\n"), others)
    if not masks and not image_import.beamstop and not image_import.estimate_gain:
        return prepared
    with tempfile.TemporaryDirectory(prefix="iota_") as links:
        images = _first_images(params, frames, Path(links), reference)
        _prepare(prepared, image_import, given, masks, images, run_folder)
    return prepared


def _prepare(
    prepared: Prepared,
    image_import: Any,
    given: dict[str, str | None],
    masks: dict[str | None, Mask],
    images: Sequence[Any],
    run_folder: Path,
) -> None:
    if not images and (image_import.beamstop or image_import.estimate_gain):
        raise UsageError(
            "The beamstop shadow and the gain are determined from images, but none of the images can be read."
        )
    for path, mask in masks.items():
        check_something_is_left(mask, f"The mask {path}")
    if images:
        for path, mask in masks.items():
            check_shape(mask, images[0].detector, f"The mask {path}")
            trusted = images[0].imageset.get_mask(0)
            check_something_is_left(joined([mask, trusted]), f"The mask {path} together with that of the images")
    lines = []
    stop = _shadow_mask(images, image_import.beamstop, prepared) if image_import.beamstop else None
    for scope, path in given.items():
        parts = [mask for mask in (masks.get(path), stop) if mask is not None]
        if parts:
            check_something_is_left(joined(parts), "The mask together with the beamstop shadow")
            name = "mask.pickle" if scope == "spotfinder" or len(set(given.values())) == 1 else f"mask_{scope}.pickle"
            write_mask(joined(parts), run_folder / name)
            lines.append(f"{MASKS[scope]} = {safe_text.quoted(run_folder / name)}\n")
    if image_import.estimate_gain:
        prepared.gain = _estimated_gain(images, prepared)
        lines.append(phil("image_import.gain", f"{prepared.gain:g}"))
    prepared.target = backend.with_lines(prepared.target, lines)


def _check_reference(reference: Any, params: Any, frames: Sequence[FrameRef]) -> None:
    with tempfile.TemporaryDirectory(prefix="iota_") as links:
        for number, frame in enumerate(frames):
            try:
                with frame_log():
                    (first,) = import_models(frame, params, Path(links) / f"first_{number}")
            except ImportFailedError:
                continue
            differs = reference_detector.difference(reference, first.detector)
            if differs:
                raise UsageError(differs)
            return


def _first_images(params: Any, frames: Sequence[FrameRef], links: Path, reference: Any) -> list[Any]:
    """Experiments of the first readable frames, as many as are needed."""
    found: list[Any] = []
    for number, frame in enumerate(frames):
        try:
            with frame_log():
                experiments = import_frame(frame, params, links / "links" / f"first_{number}", reference)
        except ImportFailedError:
            continue
        found.append(experiments[0])
        if len(found) == N_SAMPLE_FRAMES:
            break
    return found


def _shadow_mask(images: Sequence[Any], threshold: float, prepared: Prepared) -> Mask:
    first = images[0]
    panels = [flex.bool(flex.grid(*panel.get_image_size()[::-1]), True) for panel in first.detector]
    try:
        number, mm = first.detector.get_ray_intersection(first.beam.get_s0())
    except RuntimeError:  # the beam goes through a gap between panels, where nothing has to be masked
        prepared.remarks.append("The direct beam does not hit a panel, so no beamstop shadow is masked.")
        return tuple(panels)
    counts = np.mean([image.imageset.get_raw_data(0)[number].as_numpy_array() for image in images], axis=0)
    found = shadow(counts, first.detector[number].millimeter_to_pixel(mm), threshold)
    if not found.any():
        prepared.remarks.append(
            f"No shadow of the beamstop with fewer than {threshold:g} counts was found around the direct beam."
        )
    panels[number] = flex.bool(np.ascontiguousarray(~found))
    return tuple(panels)


def _estimated_gain(images: Sequence[Any], prepared: Prepared) -> float:
    """The gain from the background of all these images."""
    means, variances = [], []
    for image in images:
        imageset = image.imageset
        for panel, counts, mask in zip(image.detector, imageset.get_raw_data(0), imageset.get_mask(0), strict=True):
            pixels = counts.as_numpy_array()
            good = mask.as_numpy_array() | _below_range(pixels, panel.get_trusted_range()[0])
            for first in range(0, len(pixels), _BAND_ROWS):
                band = slice(first, first + _BAND_ROWS)
                mean, variance = regions(pixels[band].astype(np.float64), good[band] & np.isfinite(pixels[band]))
                means.append(mean)
                variances.append(variance)
    found = gain_of(np.concatenate(means), np.concatenate(variances))
    if found is None:
        raise UsageError(
            "The gain cannot be estimated from these images: the background is too weak, too noisy or too uniform."
            " Leave image_import.estimate_gain out, or give image_import.gain."
        )
    gain = round(found.value, 3)
    n_images = "1 image" if len(images) == 1 else f"{len(images)} images"
    prepared.remarks.append(f"The gain is {gain:g} counts per photon, estimated from {n_images}.")
    if found.assumes_no_pedestal:
        prepared.remarks.append(
            "The background is too uniform to detect a pedestal: the estimated gain is valid only if there is none."
        )
    return gain


_BAND_ROWS = 1024  # at a time, for the sake of memory
_MARKS = (-1, -2)  # of gaps and bad pixels
_FARTHEST = 10_000  # counts below the trusted range that noise may reach


def _below_range(pixels: npt.NDArray[Any], lowest: float) -> npt.NDArray[np.bool_]:
    """Pixels below the trusted range because of readout noise; without them, variances are too small."""
    return (pixels < lowest) & (pixels > lowest - _FARTHEST) & ~np.isin(pixels, _MARKS)
