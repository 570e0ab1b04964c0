"""By how much places on a detector move between two geometries, as seen from the sample.

Coordinate frames and signs: docs/explanations/coordinate-frames.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from iota.geometry.panels import Panels
from iota.geometry.prediction import Array

_PLACES = 49  # about so many on a detector: more arrows are not seen apart


@dataclass(frozen=True)
class Displacements:
    """Places on panels and by how much the rays to them move, in the plane across the beam as seen along it."""

    at_mm: Array  # [n, 2] laboratory x (right) and y (up)
    by_mm: Array  # [n, 2]
    by_px: Array  # [n, 2]

    @property
    def length_px(self) -> Array:
        """Length of each, `[n]`."""
        return np.asarray(np.linalg.norm(self.by_px, axis=1))


def displacements(before: Panels, after: Panels, s0: Array) -> Displacements:
    """Compare two geometries of the same panels.

    A displacement is that of the point where the ray from the sample to a pixel meets the panel of before: so a change
    of the distance or a tilt is seen as well, as the shift of spots that it causes.

    Args:
        before: panels.
        after: the same panels elsewhere.
        s0: direction of the beam, `[3]`.
    """
    per_side = max(1, round(math.sqrt(_PLACES / len(before))))
    steps = (np.arange(per_side) + 0.5) / per_side
    fast, slow = np.meshgrid(steps, steps)
    grid = np.column_stack([fast.ravel(), slow.ravel()])
    panel = np.repeat(np.arange(len(before)), len(grid))
    xy_mm = np.tile(grid, (len(before), 1)) * before.size_mm[panel]
    old, new = before.lab_mm(panel, xy_mm), after.lab_mm(panel, xy_mm)
    on_panel = np.einsum("nij,nj->ni", before.to_panel[panel], new)
    seen = before.lab_mm(panel, on_panel[:, :2] / on_panel[:, 2:])
    axes = across_beam(s0)
    by_mm = (seen - old) @ axes.T
    return Displacements(old @ axes.T, by_mm, by_mm / before.pixel_mm[panel])


def across_beam(s0: Array) -> Array:
    """Unit vectors right and up in the plane across the beam, as seen along it, `[2, 3]`."""
    beam = s0 / np.linalg.norm(s0)
    up = next(v for v in np.eye(3)[[1, 0]] if abs(v @ beam) < 0.9)
    up = up - (up @ beam) * beam
    up /= np.linalg.norm(up)
    return np.stack([np.cross(beam, up), up])


def outlines(panels: Panels, s0: Array) -> Array:
    """Outline of each panel in the plane across the beam (mm), closed, `[p, 5, 2]`."""
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    panel = np.repeat(np.arange(len(panels)), len(corners))
    places = panels.lab_mm(panel, np.tile(corners, (len(panels), 1)) * panels.size_mm[panel])
    return np.asarray((places @ across_beam(s0).T).reshape(len(panels), len(corners), 2))


def without_common_motion(before: Panels, after: Panels) -> Panels:
    """Panels of after, with the motion of the detector as a whole taken back: what panels move among themselves."""
    rotation, shift = rigid_motion(corners_mm(after), corners_mm(before))
    return Panels(
        origin_mm=after.origin_mm @ rotation.T + shift,
        fast=after.fast @ rotation.T,
        slow=after.slow @ rotation.T,
        size_px=after.size_px,
        pixel_mm=after.pixel_mm,
        names=after.names,
        groups=after.groups,
    )


def corners_mm(panels: Panels) -> Array:
    """First, second and fourth corner of each panel in the laboratory, `[p, 3, 3]`."""
    size = panels.size_mm
    along = [np.zeros_like(panels.fast), panels.fast * size[:, :1], panels.slow * size[:, 1:]]
    return np.asarray(panels.origin_mm[:, None] + np.stack(along, axis=1))


def rigid_motion(before: Array, after: Array) -> tuple[Array, Array]:
    """Rotation `[3, 3]` and shift `[3]` that take points `[..., 3]` to others best (Kabsch, Acta A (1976) 32, 922)."""
    old, new = before.reshape(-1, 3), after.reshape(-1, 3)
    u, _, vt = np.linalg.svd((new - new.mean(axis=0)).T @ (old - old.mean(axis=0)))
    rotation = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
    return rotation, new.mean(axis=0) - rotation @ old.mean(axis=0)
