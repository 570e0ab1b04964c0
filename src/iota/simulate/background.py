"""Background of simulated frames: scattering from air and solvent, and the shadow of the beamstop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from iota.simulate.detector import Detector
from iota.simulate.diffraction import Beam, polarisation
from iota.simulate.intensities import form_factor
from iota.simulate.spots import Spots, add_spots

FloatArray = npt.NDArray[np.float64]
FloatImage = npt.NDArray[np.float32]

NITROGEN_BOND_A = 1.098
BAND_ROWS = 256
SPECK_SIGMA_PX = 0.9


@dataclass(frozen=True)
class BeamStop:
    """A disc on an arm that hangs from the top edge: radius of the shadow and half width of the arm in mm.

    ``n_specks`` small bright places lie within ``glare_mm`` of its rim, where the tail of the beam scatters from the
    metal: about ``speck_photons`` each, at the same places on all frames. Spot finders take them for spots.
    """

    radius_mm: float = 3.0
    arm_half_width_mm: float = 0.7
    arm_transmission: float = 0.35
    edge_mm: float = 0.25
    n_specks: int = 0
    speck_photons: float = 300.0
    glare_mm: float = 3.5


@dataclass(frozen=True)
class BackgroundMaps:
    """Smooth images [rows, columns]; get them from :func:`make_background`.

    ``air`` and ``solvent`` have mean 1 over all pixels with a sensor, shadow included. ``transmission`` is what the
    beamstop lets through.
    """

    air: FloatImage
    solvent: FloatImage
    transmission: FloatImage


def make_background(detector: Detector, beam: Beam, stop: BeamStop) -> BackgroundMaps:
    """Maps for one geometry; they take some tenths of a second and are used for all frames."""
    shape = detector.shape
    air = np.zeros(shape, dtype=np.float32)
    solvent = np.zeros(shape, dtype=np.float32)
    transmission = np.ones(shape, dtype=np.float32)
    table_q = np.linspace(0.0, 2.0 / beam.wavelength_A, 600)
    air_table, solvent_table = air_scattering(table_q), solvent_scattering(table_q)
    for panel in detector.panels:
        n_fast, n_slow = panel.size_px
        # In bands: the whole of six megapixels would take a gigabyte.
        for first in range(0, n_slow, BAND_ROWS):
            row = np.arange(first, min(first + BAND_ROWS, n_slow))
            centre = panel.position_mm(np.arange(n_fast)[None, :] + 0.5, row[:, None] + 0.5)
            range_mm = np.linalg.norm(centre, axis=-1)
            direction = centre / range_mm[..., None]
            shade = _shadow(centre[..., 0], centre[..., 1], stop)
            # Solid angle of the pixel, up to a factor that the normalisation takes out.
            seen = shade * np.abs(direction @ panel.normal) * (panel.pixel_mm / range_mm) ** 2
            seen *= polarisation(direction, beam.polarisation_fraction)
            q = np.sqrt(np.maximum(2.0 + 2.0 * direction[..., 2], 0.0)) / beam.wavelength_A
            band = slice(panel.row0 + row[0], panel.row0 + row[-1] + 1), slice(0, n_fast)
            air[band] = seen * np.interp(q, table_q, air_table)
            solvent[band] = seen * np.interp(q, table_q, solvent_table)
            transmission[band] = shade
    live = ~detector.gap_mask()
    air /= air[live].mean(dtype=np.float64)
    solvent /= solvent[live].mean(dtype=np.float64)
    return BackgroundMaps(air, solvent, transmission)


def make_specks(detector: Detector, stop: BeamStop, rng: np.random.Generator) -> FloatImage:
    """Mean photons [rows, columns] of the specks around the disc of the beamstop."""
    image = np.zeros(detector.shape, dtype=np.float32)
    angle = rng.uniform(0.0, 2.0 * np.pi, stop.n_specks)
    radius_mm = stop.radius_mm + stop.glare_mm * rng.random(stop.n_specks)
    photons = stop.speck_photons * np.exp(0.4 * rng.standard_normal(stop.n_specks))
    x_mm, y_mm = radius_mm * np.cos(angle), radius_mm * np.sin(angle)
    for panel in detector.panels:
        away = np.stack([x_mm, y_mm, np.broadcast_to(panel.origin_mm[2], x_mm.shape)], axis=1) - panel.origin_mm
        centre_px = np.stack([away @ np.asarray(panel.fast), away @ np.asarray(panel.slow)], axis=1) / panel.pixel_mm
        shape = np.tile([SPECK_SIGMA_PX**2, SPECK_SIGMA_PX**2, 0.0], (stop.n_specks, 1))
        spots = Spots(panel, np.arange(stop.n_specks), centre_px, shape)
        add_spots(image, spots, photons)
    return image


def air_scattering(q: FloatArray) -> FloatArray:
    """Scattering of nitrogen gas at q = 1/d (1/A), in electrons^2 per molecule.

    Elastic part of a diatomic molecule: 2 f**2 (1 + sin(x) / x), x = 2 pi q r (Debye, Ann. Phys. 46 (1915) 809-823).
    Inelastic part of Z electrons with one form factor f / Z each: Z (1 - (f / Z)**2), Raman and Compton's formula in
    Compton & Allison, X-rays in Theory and Experiment (1935).
    """
    f = form_factor("N", np.square(0.5 * q))
    elastic = 2.0 * f**2 * (1.0 + np.sinc(2.0 * q * NITROGEN_BOND_A))
    return np.asarray(elastic + 2.0 * 7.0 * np.maximum(1.0 - (f / 7.0) ** 2, 0.0))


def solvent_scattering(q: FloatArray) -> FloatArray:
    """Shape of the diffuse ring of water at q = 1/d (1/A), scale arbitrary.

    Two Gaussians at the first peaks of the liquid (3.3 A and 2.2 A) on the gentle fall of independent molecules: a
    shape that looks right, not a model of the liquid.
    """
    first = np.exp(-0.5 * np.square((q - 0.305) / 0.06))
    second = 0.5 * np.exp(-0.5 * np.square((q - 0.46) / 0.08))
    rise = 1.0 - np.exp(-np.square(q / 0.25))
    return np.asarray(first + second + (0.15 + 0.25 * rise) * np.exp(-q / 0.6))


def _shadow(x_mm: FloatArray, y_mm: FloatArray, stop: BeamStop) -> FloatArray:
    """Transmission of the beamstop at laboratory x, y on the detector, 0 to 1, with soft edges."""
    disc = _smooth_step(np.hypot(x_mm, y_mm) - stop.radius_mm, stop.edge_mm)
    under_arm = (1.0 - _smooth_step(np.abs(x_mm) - stop.arm_half_width_mm, stop.edge_mm)) * (y_mm > 0)
    return np.asarray(disc * (1.0 - (1.0 - stop.arm_transmission) * under_arm))


def _smooth_step(distance_mm: FloatArray, width_mm: float) -> FloatArray:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(distance_mm / width_mm, -30.0, 30.0))))
