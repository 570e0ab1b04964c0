"""Replaces the detector of an image by that of a reference geometry, if it is the same detector.

Coordinate frames and signs: docs/explanations/coordinate-frames.md.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from dials.command_line.stills_process import sync_geometry

from iota.causes import Cause, Why, why
from iota.engine.backend.hierarchy import frames_of, place_panels

_PIXEL_TOLERANCE = 0.01  # relative; pixel sizes are rounded differently, and detectors differ by more


def difference(reference: Any, detector: Any) -> Why | None:
    """How a reference geometry differs from the detector of the images; None if it matches."""
    ours, theirs = ([_Kind(panel) for panel in model] for model in (reference, detector))
    if len(ours) == len(theirs) and all(one.is_like(other) for one, other in zip(ours, theirs, strict=True)):
        return None
    return why(Cause.OTHER_DETECTOR, reference=_text(ours), image=_text(theirs))


def put_in_place(reference: Any, detector: Any) -> None:
    """Move the panels of a detector to their positions in a reference geometry of the same detector.

    Trusted range, masks, names and sensor stay those of the image.
    """
    if _shape(reference.hierarchy()) == _shape(detector.hierarchy()):
        sync_geometry(reference.hierarchy(), detector.hierarchy())
        return
    # other versions of dxtbx, and CrystFEL geometries, nest the same panels otherwise
    place_panels(detector, frames_of(reference))


class _Kind:
    """The properties in which panels must agree."""

    def __init__(self, panel: Any) -> None:
        self.size = tuple(panel.get_image_size())
        self.pixel_mm = tuple(panel.get_pixel_size())

    def is_like(self, other: _Kind) -> bool:
        return self.size == other.size and all(
            abs(a - b) <= _PIXEL_TOLERANCE * b for a, b in zip(self.pixel_mm, other.pixel_mm, strict=True)
        )

    def __str__(self) -> str:
        pixel = " x ".join(dict.fromkeys(f"{mm:.4g}" for mm in self.pixel_mm))
        return f"{self.size[0]} x {self.size[1]} pixels of {pixel} mm"


def _text(panels: list[_Kind]) -> str:
    kinds = Counter(map(str, panels))
    if len(kinds) == 1:
        return f"{len(panels)} panel{'s' if len(panels) > 1 else ''} of {next(iter(kinds))}"
    return f"{len(panels)} panels, of which {', '.join(f'{n} of {kind}' for kind, n in kinds.most_common())}"


def _shape(node: Any) -> Any:
    """The structure of a hierarchy, with the numbers of its panels."""
    return int(node.index()) if node.is_panel() else [_shape(child) for child in node]
