"""Converts between detectors of dxtbx and the panels of the refinement."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from iota.geometry.displacements import corners_mm, rigid_motion
from iota.geometry.panels import Panels

Floats = npt.NDArray[np.float64]

MAX_DIFFERENCE_PX = 0.1  # between corners of panels that are in the same place: noise of an encoder
_AT_SAMPLE_MM = 1e-3


def panels_of(detector: Any) -> Panels:
    """Panels of a detector, with the levels of its hierarchy."""
    return Panels(
        origin_mm=np.array([panel.get_origin() for panel in detector]),
        fast=np.array([panel.get_fast_axis() for panel in detector]),
        slow=np.array([panel.get_slow_axis() for panel in detector]),
        size_px=np.array([panel.get_image_size() for panel in detector]),
        pixel_mm=np.array([panel.get_pixel_size() for panel in detector]),
        names=tuple(panel.get_name() or str(k) for k, panel in enumerate(detector)),
        groups=_levels(detector),
    )


def _levels(detector: Any) -> tuple[npt.NDArray[np.int64], ...]:
    """Number of the group of each panel at each level, from the whole detector down to single panels.

    Levels that divide panels in the same way, such as a group that holds one other group, are one level.
    """
    paths: dict[int, tuple[int, ...]] = {}

    def descend(node: Any, path: tuple[int, ...]) -> None:
        for k, child in enumerate(node):
            if child.is_panel():
                paths[int(child.index())] = (*path, k)
            else:
                descend(child, (*path, k))

    descend(detector.hierarchy(), ())
    levels = [np.zeros(len(detector), dtype=np.int64)]
    for depth in range(1, max(map(len, paths.values())) + 1):
        names = [paths[k][:depth] for k in range(len(detector))]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        level = np.array([numbers[name] for name in names])
        if not np.array_equal(level, levels[-1]):
            levels.append(level)
    return tuple(levels)


def key_of(detector: Any) -> bytes:
    """A digest by which equal detectors are found."""
    places = np.concatenate(
        [corners_mm(panels_of(detector)).ravel(), [x for p in detector for x in p.get_image_size()]]
    )
    return hashlib.blake2b(np.round(places, 6).tobytes(), digest_size=16).digest()


def with_panels(detector: Any, panels: Panels) -> Any:
    """A copy of a detector with its panels in other places, and its groups moved along with them.

    Each group is moved as its panels were on average, so that a distance that is counted from a group, as with
    ``image_import.distance``, is the refined one.  A group at the sample is only a name for the laboratory, and stays.
    """
    moved = copy.deepcopy(detector)
    wanted = corners_mm(panels)
    _move_group(moved, moved.hierarchy(), wanted)
    for panel, fast, slow, origin in zip(moved, panels.fast, panels.slow, panels.origin_mm, strict=True):
        panel.set_frame(tuple(fast), tuple(slow), tuple(origin))
    return moved


def _move_group(detector: Any, group: Any, wanted: Floats) -> None:
    origin = np.array(group.get_origin())
    if np.linalg.norm(origin) > _AT_SAMPLE_MM:
        members = _members(group)
        rotation, shift = rigid_motion(corners_mm(panels_of(detector))[members], wanted[members])
        turned = (rotation @ np.array(axis) for axis in (group.get_fast_axis(), group.get_slow_axis()))
        group.set_frame(*(tuple(vector) for vector in (*turned, rotation @ origin + shift)))
    for child in group:
        if not child.is_panel():
            _move_group(detector, child, wanted)


def _members(group: Any) -> list[int]:
    found: list[int] = []
    for child in group:
        found += [int(child.index())] if child.is_panel() else _members(child)
    return found
