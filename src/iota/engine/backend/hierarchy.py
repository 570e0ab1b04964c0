"""The hierarchy of a detector of dxtbx: makes it from groups of panels, reads its levels, moves groups with panels.

Coordinate frames and signs: docs/explanations/coordinate-frames.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from dxtbx.model import Detector

from iota.geometry.displacements import rigid_motion
from iota.inputs.crystfel.groups import Level

Floats = npt.NDArray[np.float64]
Frame = tuple[Sequence[float], Sequence[float], Sequence[float]]  # fast axis, slow axis, origin (mm)

_AT_SAMPLE_MM = 1e-3


def in_groups(panels: Sequence[Any], levels: Sequence[Level]) -> Any:
    """A detector of panels, in groups that only name what belongs together: their frames are that of the laboratory.

    Args:
        panels: of dxtbx, in the order of their numbers.
        levels: between the detector and its panels, from coarse to fine.
    """
    detector = Detector()
    groups: dict[tuple[int, ...], Any] = {(): detector.hierarchy()}
    for number, panel in enumerate(panels):
        path: tuple[int, ...] = ()
        for level in levels:
            above, path = path, (*path, level.groups[number])
            if path not in groups:
                groups[path] = groups[above].add_group()
                groups[path].set_name(level.names[path[-1]])
        groups[path].add_panel(panel)
    return detector


def levels_of(detector: Any) -> tuple[npt.NDArray[np.int64], ...]:
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


def place_panels(detector: Any, frames: Sequence[Frame]) -> None:
    """Put panels in other places, and move the groups along with them.

    Each group is moved as its panels were on average, so that a distance that is counted from a group, as with
    ``image_import.distance``, is the new one.  A group at the sample is only a name for the laboratory, and stays.

    Args:
        detector: the detector; it is changed.
        frames: of each panel in the laboratory.
    """
    _move_group(detector, detector.hierarchy(), _corners_mm(detector, frames))
    for panel, axes in zip(detector, frames, strict=True):
        panel.set_frame(*map(tuple, axes))


def frames_of(detector: Any) -> list[Frame]:
    """Where the panels of a detector are."""
    return [(panel.get_fast_axis(), panel.get_slow_axis(), panel.get_origin()) for panel in detector]


def _move_group(detector: Any, group: Any, wanted: Floats) -> None:
    """Move a group, and then those in it, so that the corners of their panels are about where they are wanted."""
    origin = np.array(group.get_origin())
    if np.linalg.norm(origin) > _AT_SAMPLE_MM:
        members = _members(group)
        rotation, shift = rigid_motion(_corners_mm(detector, frames_of(detector))[members], wanted[members])
        turned = (rotation @ np.array(axis) for axis in (group.get_fast_axis(), group.get_slow_axis()))
        group.set_frame(*(tuple(vector) for vector in (*turned, rotation @ origin + shift)))
    for child in group:
        if not child.is_panel():
            _move_group(detector, child, wanted)


def _corners_mm(detector: Any, frames: Sequence[Frame]) -> Floats:
    """First, second and fourth corner of each panel where these frames are, `[p, 3, 3]`."""
    fast, slow, origin = (np.array(vectors, dtype=float) for vectors in zip(*frames, strict=True))
    size = np.array([panel.get_image_size_mm() for panel in detector])
    along = np.stack([np.zeros_like(fast), fast * size[:, :1], slow * size[:, 1:]])
    return np.asarray((origin + along).transpose(1, 0, 2))


def _members(group: Any) -> list[int]:
    found: list[int] = []
    for child in group:
        found += [int(child.index())] if child.is_panel() else _members(child)
    return found
