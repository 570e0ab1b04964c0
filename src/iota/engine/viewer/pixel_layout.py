"""Arranges the panels of a detector on a plane for display.

The plane of a detector of one panel is that panel, so that positions on the plane are its pixels.  Several panels are
projected along the normal of the plane, which is their mean normal; seen along the beam, with the laboratory's x axis
to the right.  Positions count in pixels of the plane, from the corner of the smallest rectangle around all panels.

Coordinate frames and signs: docs/explanations/coordinate-frames.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from iota.image_answers import Layout, PanelPlace

Vector = npt.NDArray[np.float64]
_PARALLEL = 0.9  # cosine above which the panels' own axis is taken instead of the laboratory's


def layout_of(detector: Any, beam: Any) -> Layout:
    """Place the panels of a detector.

    Args:
        detector: dxtbx model, of one panel or more.
        beam: dxtbx model.
    """
    maps = [_lab_map(panel) for panel in detector]
    x, y = _plane_axes(maps)
    pixel_mm = min(min(panel.get_pixel_size()) for panel in detector)
    normal = np.cross(x, y)
    basis = np.stack([x, y]) / pixel_mm  # laboratory (mm) to pixels of the plane
    corners = [
        basis @ (origin + i * n_fast * fast + j * n_slow * slow)
        for (origin, fast, slow), (n_fast, n_slow) in zip(maps, (p.get_image_size() for p in detector), strict=True)
        for i in (0, 1)
        for j in (0, 1)
    ]
    corner, far = np.min(corners, axis=0), np.max(corners, axis=0)
    depth = float(np.mean([origin @ normal for origin, _, _ in maps]))
    plane_origin = (corner[0] * x + corner[1] * y) * pixel_mm + depth * normal
    s0 = np.array(beam.get_unit_s0())
    along = float(s0 @ normal)
    hit = basis @ (s0 * (depth / along)) - corner if along * depth > 1e-9 else None
    return Layout(
        width=float(far[0] - corner[0]),
        height=float(far[1] - corner[1]),
        pixel_mm=pixel_mm,
        panels=[
            PanelPlace(
                name=panel.get_name(),
                size=tuple(panel.get_image_size()),
                origin=_floats(basis @ origin - corner),
                fast=_floats(basis @ fast),
                slow=_floats(basis @ slow),
                lab_origin=_floats(origin),
                lab_fast=_floats(fast),
                lab_slow=_floats(slow),
            )
            for panel, (origin, fast, slow) in zip(detector, maps, strict=True)
        ],
        plane_origin=_floats(plane_origin),
        plane_x=_floats(x * pixel_mm),
        plane_y=_floats(y * pixel_mm),
        s0=_floats(s0),
        wavelength_A=float(beam.get_wavelength()),
        distance_mm=round(abs(depth), 4),
        beam=None if hit is None else _floats(hit),
        beam_panel=_beam_panel(detector, beam),
    )


def _lab_map(panel: Any) -> tuple[Vector, Vector, Vector]:
    fast_mm, slow_mm = panel.get_pixel_size()
    return (
        np.array(panel.get_origin()),
        np.array(panel.get_fast_axis()) * fast_mm,
        np.array(panel.get_slow_axis()) * slow_mm,
    )


def _plane_axes(maps: list[tuple[Vector, Vector, Vector]]) -> tuple[Vector, Vector]:
    """Unit vectors that point right and down in pictures."""
    if len(maps) == 1:
        _, fast, slow = maps[0]
        return _unit(fast), _unit(slow - (slow @ _unit(fast)) * _unit(fast))
    normals = [_unit(np.cross(fast, slow)) for _, fast, slow in maps]
    normal = _unit(np.sum([n if n @ normals[0] >= 0 else -n for n in normals], axis=0))
    right = np.array([1.0, 0.0, 0.0]) if abs(normal[0]) < _PARALLEL else np.array([0.0, 0.0, 1.0])
    x = _unit(right - (right @ normal) * normal)
    along = [_unit(axis) for _, fast, slow in maps for axis in (fast, slow)]
    own = [axis if axis @ x > 0 else -axis for axis in along if abs(axis @ x) > _PARALLEL]
    if own:  # rows of pixels lie along the rows of the picture
        mean = np.sum(own, axis=0)
        x = _unit(mean - (mean @ normal) * normal)
    y = np.cross(normal, x)
    return x, y if y[1] <= 0 else -y


def _beam_panel(detector: Any, beam: Any) -> tuple[int, float, float] | None:
    try:
        number, mm = detector.get_ray_intersection(beam.get_s0())
    except RuntimeError:  # it goes through a gap
        return None
    fast, slow = detector[number].millimeter_to_pixel(mm)
    return int(number), round(fast, 3), round(slow, 3)


def _unit(vector: Vector) -> Vector:
    unit: Vector = vector / np.linalg.norm(vector)
    return unit


def _floats(vector: Vector) -> Any:
    return tuple(float(value) for value in vector)
