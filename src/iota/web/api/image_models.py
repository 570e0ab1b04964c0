"""Responses of routes for images, besides those in :mod:`iota.image_answers`."""

from __future__ import annotations

import msgspec

from iota.image_answers import Contrast, Layout, MaskedPixels, Scale
from iota.web.image.mask_phil import MaskDrawing


class ImageRecord(msgspec.Struct, kw_only=True):
    """What the run recorded about an image."""

    name: str
    outcome: str
    words: str  # the outcome for people
    reason: str
    n_spots: int
    files: list[str]  # what files of the frame there are: experiments, reflections, ...


class OpenedImage(msgspec.Struct, kw_only=True):
    """An image: its geometry, initial contrast, and its record in the run."""

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
    """Pixels hidden by a drawn mask, and the PHIL of its shapes for dials.generate_mask."""

    phil: str


class LoadedShapes(msgspec.Struct, frozen=True):
    """Shapes read from a PHIL file for dials.generate_mask."""

    drawing: MaskDrawing


class Said(msgspec.Struct, frozen=True):
    """What was done, as a sentence."""

    message: str
