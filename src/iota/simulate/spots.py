"""Spreads the intensity of simulated reflections over pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from cctbx.eltbx import attenuation_coefficient

from iota.simulate.detector import Detector, Panel

FloatArray = npt.NDArray[np.float64]
FloatImage = npt.NDArray[np.float32]

PIXEL_VARIANCE = 1.0 / 12.0
PATCH_SIGMAS = 3.5
PATCH_HALVES = (2, 3, 4, 6, 9, 14, 22)
MIN_COUNTS = 0.02


@dataclass(frozen=True)
class SpotShape:
    """What broadens every spot: illuminated crystal (FWHM, mm) and point spread (standard deviation, px)."""

    illuminated_mm: float = 0.06
    point_spread_px: float = 0.35


@dataclass(frozen=True)
class Spots:
    """Spots on one panel; get it from :func:`place_spots`. Arrays have length n.

    ``beam`` points into the beams given. ``centre_px`` [n, 2] is (fast, slow); ``covariance_px2`` [n, 3] holds the
    variances along fast and slow and their covariance.
    """

    panel: Panel
    beam: npt.NDArray[np.int64]
    centre_px: FloatArray
    covariance_px2: FloatArray


def attenuation_per_mm(wavelength_A: float, material: str = "Si") -> float:
    """Linear attenuation coefficient of the sensor in 1/mm (tables of cctbx)."""
    return float(attenuation_coefficient.get_table(material).mu_at_angstrom(wavelength_A)) / 10.0


def mean_depth_mm(path_mm: FloatArray, mu_per_mm: float) -> FloatArray:
    """Mean depth along the beam at which photons absorbed within ``path_mm`` are absorbed (exponential law)."""
    through = np.exp(-mu_per_mm * path_mm)
    return np.asarray(1.0 / mu_per_mm - path_mm * through / (1.0 - through))


def place_spots(
    detector: Detector,
    direction: FloatArray,
    sigma_radial: FloatArray,
    sigma_tangential: FloatArray,
    shape: SpotShape,
    mu_per_mm: float,
) -> list[Spots]:
    """Where beams ``direction`` [n, 3] with angular widths (rad) hit each panel, within its sensor."""
    placed = []
    for panel in detector.panels:
        normal = np.asarray(panel.normal)
        along_normal = direction @ normal
        height_mm = float(np.asarray(panel.origin_mm) @ normal)
        with np.errstate(divide="ignore"):
            range_mm = height_mm / along_normal
        ahead = range_mm > 0.0
        beam = np.flatnonzero(ahead)
        path_mm = range_mm[beam] + mean_depth_mm(detector.sensor_mm / np.abs(along_normal[beam]), mu_per_mm)
        relative = direction[beam] * path_mm[:, None] - np.asarray(panel.origin_mm)
        centre = (
            np.stack([relative @ np.asarray(panel.fast), relative @ np.asarray(panel.slow)], axis=1) / panel.pixel_mm
        )
        n_fast, n_slow = panel.size_px
        inside = (centre[:, 0] > -2) & (centre[:, 0] < n_fast + 2) & (centre[:, 1] > -2) & (centre[:, 1] < n_slow + 2)
        beam, centre = beam[inside], centre[inside]
        covariance = _covariance_px2(
            panel, direction[beam], range_mm[beam], sigma_radial[beam], sigma_tangential[beam], shape
        )
        placed.append(Spots(panel, beam, centre, covariance))
    return placed


def _covariance_px2(
    panel: Panel,
    direction: FloatArray,
    range_mm: FloatArray,
    sigma_radial: FloatArray,
    sigma_tangential: FloatArray,
    shape: SpotShape,
) -> FloatArray:
    """Variances [n, 3] (fast, slow, mixed; px^2) of spots of these angular widths."""
    radial = direction * direction[:, 2:3] - np.array([0.0, 0.0, 1.0])
    radial /= np.linalg.norm(radial, axis=1)[:, None]
    across = np.cross(direction, radial)
    illuminated = shape.illuminated_mm / 2.3548
    extra = PIXEL_VARIANCE + shape.point_spread_px**2
    covariance = np.zeros((len(direction), 3))
    covariance[:, :2] = extra
    for axis, sigma in ((radial, sigma_radial), (across, sigma_tangential)):
        # Follow a small displacement along the beam until it is back in the plane of the panel.
        normal = np.asarray(panel.normal)
        in_plane = axis - ((axis @ normal) / (direction @ normal))[:, None] * direction
        f = in_plane @ np.asarray(panel.fast) / panel.pixel_mm
        s = in_plane @ np.asarray(panel.slow) / panel.pixel_mm
        variance_mm2 = (sigma * range_mm) ** 2 + illuminated**2
        covariance += variance_mm2[:, None] * np.stack([f * f, s * s, f * s], axis=1)
    return covariance


def add_spots(image: FloatImage, spots: Spots, counts: FloatArray) -> None:
    """Add Gaussian spots of ``counts`` [n] expected photons each to ``image`` [rows, columns], in place.

    Each spot keeps its total whatever its sampling; what falls outside its panel is lost.
    """
    reach = PATCH_SIGMAS * np.sqrt(spots.covariance_px2[:, :2].max(axis=1, initial=0.0))
    smallest = 0
    for half in PATCH_HALVES:
        last = half == PATCH_HALVES[-1]
        chosen = np.flatnonzero((reach > smallest) & ((reach <= half) | last) & (counts > MIN_COUNTS))
        if chosen.size:
            _add_patches(
                image, spots.panel, spots.centre_px[chosen], spots.covariance_px2[chosen], counts[chosen], half
            )
        smallest = half


def _add_patches(
    image: FloatImage, panel: Panel, centre: FloatArray, covariance: FloatArray, counts: FloatArray, half: int
) -> None:
    """Add spots that all fit into squares of 2 half + 1 pixels."""
    grid = np.arange(-half, half + 1)
    column = np.floor(centre[:, 0]).astype(np.int64)[:, None] + grid
    row = np.floor(centre[:, 1]).astype(np.int64)[:, None] + grid
    df = (column + 0.5 - centre[:, :1])[:, None, :]
    ds = (row + 0.5 - centre[:, 1:])[:, :, None]
    ff, ss, fs = (covariance[:, i, None, None] for i in range(3))
    determinant = ff * ss - fs * fs
    patch = np.exp(-0.5 * (ss * df * df - 2.0 * fs * df * ds + ff * ds * ds) / determinant)
    patch *= (counts / patch.sum(axis=(1, 2)))[:, None, None]
    n_fast, n_slow = panel.size_px
    inside = ((row >= 0) & (row < n_slow))[:, :, None] & ((column >= 0) & (column < n_fast))[:, None, :]
    flat = (row[:, :, None] + panel.row0) * image.shape[1] + column[:, None, :]
    np.add.at(image.reshape(-1), flat[inside], patch[inside])
