"""Which reflections a simulated still records, their partiality and their positions.

The beam travels along -z with wave vector s0 = (0, 0, -1/wavelength). A reciprocal lattice point q = A h diffracts
when it touches the Ewald sphere; its excitation error r = |s0 + q| - |s0| (1/A) is its distance from the sphere. Three
things blur that condition, all taken as Gaussian and independent, with standard deviations in 1/A:

    domain size   0.886 / D / 2.355                    the same for all points (Scherrer width of a domain of size D)
    mosaicity     eta |q| cos(theta)                   rotations move points along the sphere's normal
    bandwidth     (dE/E) lambda |q|**2 / 2             the sphere's radius changes; d r / d(1/lambda) = -2 sin(theta)**2

Coordinate frames and signs: docs/explanations/coordinate-frames.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from iota.simulate.lattice import Lattice

FloatArray = npt.NDArray[np.float64]

FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
# Integral breadths aside, the half width of sinc**2 for a domain of size D is 0.886 / D.
DOMAIN_FWHM = 0.886
CUTOFF_SIGMAS = 3.5


@dataclass(frozen=True)
class Beam:
    """The X-ray beam: wavelength, relative energy width (FWHM), fraction polarised along x."""

    wavelength_A: float = 0.98
    bandwidth_fwhm: float = 2.0e-4
    polarisation_fraction: float = 0.99


@dataclass(frozen=True)
class Excitations:
    """Reflections of one lattice near the Ewald sphere; get it from :func:`excite`. All arrays have length n.

    ``index`` points into the table of Miller indices given. ``direction`` [n, 3] is the unit vector of the diffracted
    beam. ``recorded`` is the part of the reflection's full intensity on this still, 0 to 1. ``sigma_radial`` and
    ``sigma_tangential`` (rad) are the angular widths of the spot in the plane of s0 and s1 and across it.
    """

    index: npt.NDArray[np.int64]
    excitation_error: FloatArray
    direction: FloatArray
    recorded: FloatArray
    d_A: FloatArray
    sigma_radial: FloatArray
    sigma_tangential: FloatArray


def domain_sigma(domain_size_A: float) -> float:
    """Blur (1/A) of reciprocal lattice points by the size of a domain: Scherrer, FWHM 0.886 / D."""
    return float(DOMAIN_FWHM / domain_size_A / FWHM_PER_SIGMA)


def excitation_sigmas(
    q: FloatArray, wavelength_A: float, mosaic_deg: float, domain_size_A: float, bandwidth_fwhm: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Standard deviations (1/A) of the excitation error at |q| [n] from domain size, mosaicity, bandwidth."""
    sin_theta = np.minimum(0.5 * wavelength_A * q, 1.0)
    size = np.full_like(q, domain_sigma(domain_size_A))
    mosaic = np.radians(mosaic_deg) * q * np.sqrt(1.0 - sin_theta**2)
    bandwidth = bandwidth_fwhm / FWHM_PER_SIGMA * 0.5 * wavelength_A * q**2
    return size, mosaic, bandwidth


def recorded_fraction(excitation_error: FloatArray, sigma: FloatArray, sigma_size: FloatArray | float) -> FloatArray:
    """Part of the full intensity that a still records, in 0 to 1.

    A still integrates over directions: it records the density of the blurred point along the sphere's normal,
    exp(-r**2 / 2 sigma**2) / sigma; 1 is a point that is centred on the sphere and blurred by the domain size alone.
    A Gaussian stands for the spheres' overlap used by White, Acta Cryst. D70 (2014) 101-111.
    """
    return np.asarray(sigma_size / sigma * np.exp(-0.5 * np.square(excitation_error / sigma)))


def excite(lattice: Lattice, hkl: npt.NDArray[np.int32], beam: Beam, d_min_A: float) -> Excitations:
    """Reflections of ``hkl`` [n, 3] within 3.5 standard deviations of the Ewald sphere and above ``d_min_A``."""
    k = 1.0 / beam.wavelength_A
    q_vectors = hkl @ lattice.A.T
    q_squared = np.einsum("ij,ij->i", q_vectors, q_vectors)
    # r = |s0 + q| - k, first to a bound that holds for all points: only some per cent go on.
    error = np.sqrt(np.maximum(k * k + q_squared - 2.0 * k * q_vectors[:, 2], 0.0)) - k
    q_max = np.array([1.0 / d_min_A])
    widths = excitation_sigmas(q_max, beam.wavelength_A, lattice.mosaic_deg, lattice.domain_size_A, beam.bandwidth_fwhm)
    widest = np.sqrt(widths[0] ** 2 + (np.radians(lattice.mosaic_deg) * q_max) ** 2 + widths[2] ** 2)
    limit = CUTOFF_SIGMAS * float(widest[0])
    near = np.flatnonzero((np.abs(error) < limit) & (q_squared < q_max[0] ** 2))
    return _refine(lattice, near, q_vectors[near], error[near], beam)


def _refine(
    lattice: Lattice, index: npt.NDArray[np.int64], q: FloatArray, error: FloatArray, beam: Beam
) -> Excitations:
    """Exact widths, directions and spot widths for the few points near the sphere."""
    k = 1.0 / beam.wavelength_A
    length = np.linalg.norm(q, axis=1)
    size, mosaic, bandwidth = excitation_sigmas(
        length, beam.wavelength_A, lattice.mosaic_deg, lattice.domain_size_A, beam.bandwidth_fwhm
    )
    sigma = np.sqrt(size**2 + mosaic**2 + bandwidth**2)
    near = np.abs(error) < CUTOFF_SIGMAS * sigma
    index, q, error, length = index[near], q[near], error[near], length[near]
    size, mosaic, bandwidth, sigma = size[near], mosaic[near], bandwidth[near], sigma[near]
    sin_theta = 0.5 * length / k
    tan_theta = sin_theta / np.sqrt(1.0 - sin_theta**2)
    share_mosaic, share_bandwidth = (mosaic / sigma) ** 2, (bandwidth / sigma) ** 2
    direction = _diffracted_direction(q, error, share_mosaic, share_bandwidth, tan_theta, k)
    # Widths of what remains free once the point is known to be on the sphere. A change of r by rotation moves the beam
    # by -tan(theta), one by energy by +cot(theta); the two are anticorrelated because they share r.
    radial = (
        size**2
        + mosaic**2 * (1.0 - share_mosaic) * tan_theta**2
        + bandwidth**2 * (1.0 - share_bandwidth) / tan_theta**2
        + 2.0 * bandwidth**2 * share_mosaic
    )
    tangential = size**2 + (np.radians(lattice.mosaic_deg) * length) ** 2
    return Excitations(
        index=index,
        excitation_error=error,
        direction=direction,
        recorded=recorded_fraction(error, sigma, size),
        d_A=1.0 / length,
        sigma_radial=np.sqrt(radial) / k,
        sigma_tangential=np.sqrt(tangential) / k,
    )


def _diffracted_direction(
    q: FloatArray,
    error: FloatArray,
    share_mosaic: FloatArray,
    share_bandwidth: FloatArray,
    tan_theta: FloatArray,
    k: float,
) -> FloatArray:
    """Unit vectors [n, 3] of the beams, each at the mean of the spot that its excitation error leaves.

    Of an error r, rotation makes up the share sigma_mosaic**2 / sigma**2, and energy its own: the point turns about an
    axis across the plane of diffraction, or the sphere grows, until they touch. The rest is the point's own extent and
    leaves the direction of s0 + q.
    """
    s1 = q + np.array([0.0, 0.0, -k])
    along = s1 / np.linalg.norm(s1, axis=1)[:, None]
    # In the plane of diffraction, across the diffracted beam, towards larger angles.
    outward = along - along[:, 2:3] * np.array([0.0, 0.0, 1.0])
    outward = outward - np.einsum("ij,ij->i", outward, along)[:, None] * along
    outward /= np.linalg.norm(outward, axis=1)[:, None]
    # The change needed is -r.
    shift = error * (share_mosaic * tan_theta - share_bandwidth / tan_theta)
    turned = along + (shift / k)[:, None] * outward
    return np.asarray(turned / np.linalg.norm(turned, axis=1)[:, None])


def polarisation(direction: FloatArray, fraction: float) -> FloatArray:
    """Polarisation factor of unit vectors ``direction`` [..., 3] for a beam along z with ``fraction`` along x.

    A wave polarised along e scatters with 1 - (s . e)**2: the formula of Kahn et al., J. Appl. Cryst. 15 (1982)
    330-337, written for vectors. 0.5 gives (1 + cos(2 theta)**2) / 2.
    """
    x2, y2 = direction[..., 0] ** 2, direction[..., 1] ** 2
    return np.asarray(fraction * (1.0 - x2) + (1.0 - fraction) * (1.0 - y2))
