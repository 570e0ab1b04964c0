"""Converts between detectors of dxtbx and the panels of the refinement."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

import numpy as np

from iota.engine.backend.hierarchy import levels_of, place_panels
from iota.geometry.displacements import corners_mm
from iota.geometry.panels import Panels

MAX_DIFFERENCE_PX = 0.1  # between corners of panels that are in the same place: noise of an encoder


def panels_of(detector: Any) -> Panels:
    """Panels of a detector, with the levels of its hierarchy."""
    return Panels(
        origin_mm=np.array([panel.get_origin() for panel in detector]),
        fast=np.array([panel.get_fast_axis() for panel in detector]),
        slow=np.array([panel.get_slow_axis() for panel in detector]),
        size_px=np.array([panel.get_image_size() for panel in detector]),
        pixel_mm=np.array([panel.get_pixel_size() for panel in detector]),
        names=tuple(panel.get_name() or str(k) for k, panel in enumerate(detector)),
        groups=levels_of(detector),
    )


def key_of(detector: Any) -> bytes:
    """A digest by which equal detectors are found."""
    places = np.concatenate(
        [corners_mm(panels_of(detector)).ravel(), [x for p in detector for x in p.get_image_size()]]
    )
    return hashlib.blake2b(np.round(places, 6).tobytes(), digest_size=16).digest()


def with_panels(detector: Any, panels: Panels) -> Any:
    """A copy of a detector with its panels in other places, and its groups moved along with them."""
    moved = copy.deepcopy(detector)
    place_panels(moved, list(zip(panels.fast, panels.slow, panels.origin_mm, strict=True)))
    return moved
