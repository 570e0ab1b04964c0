"""What routes for images answer, besides what :mod:`iota.image_answers` has."""

from __future__ import annotations

import msgspec

from iota.image_answers import Contrast, Layout, MaskedPixels, Scale
from iota.web.image.mask_phil import MaskDrawing


class ImageRecord(msgspec.Struct, kw_only=True):
    """What the run of an image says of it."""

    name: str
    outcome: str
    words: str  # the outcome for people
    reason: str
    n_spots: int
    files: list[str]  # what files of the frame there are: experiments, reflections, ...


class OpenedImage(msgspec.Struct, kw_only=True):
    """An image: its geometry, what a picture of it shows at first, and the record of its run."""

    path: str
    index: int | None  # in a multi-image file, from 0
    version: str  # of the file; changes when it does
    title: str
    layout: Layout
    scale: Scale
    contrast: Contrast
    saturation: list[float]  # counts, for each panel
    n_pixels: int
    record: ImageRecord | None  # null for an image that is named by its path
    run_mask: str  # path of the mask that the run used; empty where it had none


class DrawnMask(MaskedPixels, kw_only=True):
    """What a drawn mask hides, pixel for pixel, and the PHIL of its shapes for dials.generate_mask."""

    phil: str


class LoadedShapes(msgspec.Struct, frozen=True):
    """Shapes that a PHIL file of dials.generate_mask names."""

    drawing: MaskDrawing


class Said(msgspec.Struct, frozen=True):
    """What was done, as a sentence."""

    message: str
