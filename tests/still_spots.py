"""Spots of many simulated stills without pixels: where they are, and how a wrong header would place them."""

from __future__ import annotations

import numpy as np

from iota.simulate.detector import Detector, make_detector
from iota.simulate.diffraction import Beam, excite, polarisation
from iota.simulate.intensities import Reflections, draw_intensities
from iota.simulate.lattice import Lattice, perturbed_cell, random_rotation, reciprocal_basis
from iota.simulate.spots import SpotShape, place_spots

OPAQUE_PER_MM = 1e6  # photons are absorbed at the surface: no parallax
CRYSTALS = {
    "lysozyme": ((79.1, 79.1, 38.2, 90.0, 90.0, 90.0), "P43212"),
    "monoclinic": ((62.0, 71.0, 88.0, 90.0, 104.0, 90.0), "P21"),
    "triclinic": ((45.0, 58.0, 66.0, 82.0, 75.0, 68.0), "P1"),
    "large": ((98.0, 112.0, 150.0, 90.0, 90.0, 90.0), "P212121"),
    "centred": ((92.0, 64.0, 71.0, 90.0, 108.0, 90.0), "C2"),
}
WAVELENGTH_A = 0.98


def simulated_spots(
    crystal: str,
    n_hits: int = 60,
    seed: int = 1,
    detector: Detector | None = None,
    n_spots: tuple[int, int] = (20, 150),
    false: tuple[float, float] = (0.1, 0.3),
    noise_px: float = 0.3,
    reflections: Reflections | None = None,
    rotation: np.ndarray | None = None,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Positions [n, 3] in the laboratory (mm) and intensities [n] of the strongest spots of each hit.

    Args:
        crystal: one of CRYSTALS.
        n_hits: number of stills, each of one crystal.
        seed: of all random numbers.
        detector: its panels; 1m at its usual distance if omitted.
        n_spots: range of the number of spots; uniform in its logarithm.
        false: range of the fraction of spots that no crystal explains.
        noise_px: standard deviation of positions along each axis.
        reflections: intensities, to draw them once for many seeds.
        rotation: the orientation of all crystals; random ones if omitted.
    """
    rng = np.random.default_rng(seed)
    detector = detector or make_detector("1m")
    cell, space_group = CRYSTALS[crystal]
    reflections = reflections or drawn_reflections(crystal, detector)
    hits = []
    for _ in range(n_hits):
        A = (random_rotation(rng) if rotation is None else rotation) @ reciprocal_basis(
            perturbed_cell(cell, space_group, 0.001, rng)
        )
        lattice = Lattice(0, A, cell, 1.0, 0.0, 0.06, 1000.0)
        found = excite(lattice, reflections.hkl, Beam(WAVELENGTH_A), d_min_A(detector))
        photons = reflections.intensity[found.index] * found.recorded * polarisation(found.direction, 0.99)
        positions, intensity = [], []
        for spots in place_spots(
            detector, found.direction, found.sigma_radial, found.sigma_tangential, SpotShape(), OPAQUE_PER_MM
        ):
            px = spots.centre_px + noise_px * rng.standard_normal(spots.centre_px.shape)
            keep = _on_sensor(spots.panel, px) & (np.linalg.norm(found.direction[spots.beam, :2], axis=1) > 0.03)
            positions.append(spots.panel.position_mm(px[keep, 0], px[keep, 1]))
            intensity.append(photons[spots.beam][keep])
        xyz, intensity = np.concatenate(positions), np.concatenate(intensity)
        n = int(np.exp(rng.uniform(*np.log(n_spots))))
        n_false = round(n * rng.uniform(*false))
        strongest = np.argsort(-intensity)[: n - n_false]
        wrong = _false_positions(detector, n_false, rng)
        brightness = rng.choice(intensity[strongest], n_false)
        hits.append((np.concatenate([xyz[strongest], wrong]), np.concatenate([intensity[strongest], brightness])))
    return hits


def drawn_reflections(crystal: str, detector: Detector) -> Reflections:
    """Intensities of a crystal to the corner of a detector."""
    cell, space_group = CRYSTALS[crystal]
    return draw_intensities(cell, space_group, d_min_A(detector) * 0.99, 20.0, np.random.default_rng(7))


def d_min_A(detector: Detector) -> float:
    """Resolution of simulated spots: the corner of the detector, 1.8 A at most."""
    return max(detector.d_min_A(WAVELENGTH_A), 1.8)


def misplaced(
    hits: list[tuple[np.ndarray, np.ndarray]], beam_px: tuple[float, float], distance: float, detector: Detector
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The same spots as placed by a header whose beam centre is wrong by ``beam_px`` (right, up) and whose distance by
    a fraction.

    A beam centre too far right in the image means panels too far left.
    """
    move = np.array(
        [
            -beam_px[0] * detector.panels[0].pixel_mm,
            -beam_px[1] * detector.panels[0].pixel_mm,
            -distance * detector.distance_mm,
        ]
    )
    return [(xyz + move, intensity) for xyz, intensity in hits]


def _on_sensor(panel, px):
    f, s = px[:, 0], px[:, 1]
    inside = (f > 0) & (f < panel.size_px[0]) & (s > 0) & (s < panel.size_px[1])
    for f0, f1, s0, s1 in panel.gaps:
        inside &= ~((f >= f0) & (f < f1) & (s >= s0) & (s < s1))
    return inside


def _false_positions(detector, n, rng):
    """Anywhere on the panels, half of them denser towards the beam."""
    found = []
    while len(found) < n:
        panel = detector.panels[rng.integers(len(detector.panels))]
        px = rng.random(2) * panel.size_px
        position = panel.position_mm(px[0], px[1])
        if _on_sensor(panel, px[None])[0] and rng.random() < np.exp(-np.linalg.norm(position[:2]) / 60.0) + 0.2:
            found.append(position)
    return np.array(found).reshape(-1, 3)
