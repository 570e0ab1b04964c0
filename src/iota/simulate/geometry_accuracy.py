"""Compares the geometry of a detector, refined or from a header, with the true one of a simulation.

What counts is where spots are: the ray from the sample to a point of a true panel meets the other panel at some other
pixel. The differences in pixels, at the corners and the centre of each panel, are fitted by movements of the detector
as a whole. A rotation about the beam cannot be found from the positions of spots on stills, because orientations of
crystals can be rotated with the detector; it is therefore removed first. Distance and cell are degenerate in part only
(spots at high angles tell them apart), so that the distance is not removed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from iota.errors import UsageError
from iota.simulate.detector import Detector, rotation_matrix

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GeometryAccuracy:
    """Geometry minus truth; lengths along x, y, z of the laboratory, angles about these axes.

    All movements of the whole are about the point where the beam meets the detector. ``rms_px`` are root mean squares
    over corners and centres of all panels.
    """

    rms_px: float
    """Nothing removed."""
    rms_px_turned: float
    """The rotation about the beam removed: what matters for indexing and integration."""
    rms_px_panels: float
    """Movements of the whole detector removed (shift, distance, tilts, rotation): the panels against one another."""
    rotation_deg: float
    """Rotation about the beam (z)."""
    tilt_deg: tuple[float, float]
    """Tilts about x and y."""
    centre_px: tuple[float, float]
    """Shift of the beam centre along fast and slow of the first panel."""
    distance_mm: float
    """Distance: positive if it is too large."""
    panels_px: FloatArray
    """Root mean square [p] of each panel, movements of the whole removed."""


def geometry_accuracy(
    origin_mm: npt.ArrayLike, fast: npt.ArrayLike, slow: npt.ArrayLike, truth: Detector
) -> GeometryAccuracy:
    """Compare panels with those of ``truth``, e.g. from :func:`iota.simulate.read_detector`.

    Args:
        origin_mm: outer corner of the first pixel of each panel [p, 3], in the laboratory of dxtbx (beam along -z).
        fast: unit vectors from one pixel to the next in a row [p, 3].
        slow: unit vectors from one row to the next [p, 3].
        truth: the true detector; its panels in the same order.

    Raises:
        UsageError: the numbers of panels differ, or a panel is not where the true panel's rays go.
    """
    given = np.stack([np.asarray(one, dtype=np.float64).reshape(-1, 3) for one in (origin_mm, fast, slow)], axis=1)
    if len(given) != len(truth.panels):
        raise UsageError(f"The geometry has {len(given)} panels and the true detector {len(truth.panels)}.")
    points, pixels = _sampled(truth)
    pixel_mm = np.array([panel.pixel_mm for panel in truth.panels])
    about = np.array([0.0, 0.0, -truth.distance_mm])

    def displaced(movement: FloatArray) -> FloatArray:
        """Pixels [p, 5, 2] that the geometry puts the points at, minus the true ones, the true detector moved first."""
        return _seen_at(_moved(points, movement, about), given, pixel_mm) - pixels

    def fitted(free: slice) -> FloatArray:
        """The movement [6] of the true detector that explains most, of its parameters that are ``free``."""

        def residuals(values: FloatArray) -> FloatArray:
            movement = np.zeros(6)
            movement[free] = values
            return displaced(movement).ravel()

        movement = np.zeros(6)
        movement[free] = least_squares(residuals, movement[free], x_scale=_SCALES[free]).x
        return movement

    whole, about_beam = fitted(slice(0, 6)), fitted(slice(5, 6))
    left = displaced(whole)
    first = truth.panels[0]
    shift = np.array([*whole[:2], 0.0]) / first.pixel_mm
    return GeometryAccuracy(
        rms_px=_rms(displaced(np.zeros(6))),
        rms_px_turned=_rms(displaced(about_beam)),
        rms_px_panels=_rms(left),
        rotation_deg=float(np.degrees(whole[5])),
        tilt_deg=(float(np.degrees(whole[3])), float(np.degrees(whole[4]))),
        centre_px=(-float(shift @ np.asarray(first.fast)), -float(shift @ np.asarray(first.slow))),
        distance_mm=-float(whole[2]),
        panels_px=np.sqrt(np.mean(np.sum(left**2, axis=2), axis=1)),
    )


_SCALES = np.array([0.1, 0.1, 1.0, 0.01, 0.01, 0.001])  # mm and rad: what moves spots by about as much


def _sampled(truth: Detector) -> tuple[FloatArray, FloatArray]:
    """Corners and centre of each panel: places [p, 5, 3] in mm and pixels [p, 5, 2] (fast, slow)."""
    size = np.array([panel.size_px for panel in truth.panels], dtype=np.float64)
    pixels = size[:, None, :] * np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.5, 0.5]])
    places = [panel.position_mm(f, s) for panel, (f, s) in zip(truth.panels, pixels.transpose(0, 2, 1), strict=True)]
    return np.array(places), pixels


def _moved(points: FloatArray, movement: FloatArray, about: FloatArray) -> FloatArray:
    """Points [..., 3] of the whole detector after a shift (mm) and a rotation (rad, about ``about``), [6]."""
    return np.asarray((points - about) @ rotation_matrix(movement[3:]).T + about + movement[:3])


def _seen_at(points: FloatArray, panels: FloatArray, pixel_mm: FloatArray) -> FloatArray:
    """Pixels [p, n, 2] at which rays through ``points`` [p, n, 3] meet ``panels`` [p, 3 (origin, fast, slow), 3]."""
    origin, fast, slow = panels[:, 0], panels[:, 1], panels[:, 2]
    normal = np.cross(fast, slow)
    stretch = np.einsum("pi,pi->p", origin, normal)[:, None] / np.einsum("pni,pi->pn", points, normal)
    if not np.all(stretch > 0):
        raise UsageError("A panel is not on the same side of the sample as the true one.")
    away = points * stretch[..., None] - origin[:, None, :]
    places = np.stack([np.einsum("pni,pi->pn", away, fast), np.einsum("pni,pi->pn", away, slow)], axis=2)
    return np.asarray(places / pixel_mm[:, None, None])


def _rms(displacement: FloatArray) -> float:
    """Root mean square of the lengths of displacements [..., 2]."""
    return float(np.sqrt(np.mean(np.sum(displacement**2, axis=-1))))
