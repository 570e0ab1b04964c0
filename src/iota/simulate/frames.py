"""Simulates one frame: crystals in the beam, and the counts that the detector records."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from iota.simulate.background import BackgroundMaps, make_background, make_specks
from iota.simulate.detector import BAD_PIXEL, GAP, Detector
from iota.simulate.diffraction import excite, polarisation
from iota.simulate.experiment import Experiment
from iota.simulate.intensities import Reflections, draw_intensities
from iota.simulate.lattice import Lattice, perturbed_cell, random_rotation, reciprocal_basis
from iota.simulate.spots import Spots, add_spots, attenuation_per_mm, place_spots
from iota.simulate.truth import FrameTruth, LatticeTruth

FloatArray = npt.NDArray[np.float64]
FloatImage = npt.NDArray[np.float32]
IntImage = npt.NDArray[np.int32]

# Streams of random numbers that must not meet: children of the seed. wrong_geometry.py has another.
CRYSTAL_STREAM, DEFECT_STREAM, FRAME_STREAM, SPECK_STREAM = 0, 1, 2, 3
# Multiples of these, modulo 1, fill 0 to 1 evenly: any run of frames has close to the fractions asked for.
GOLDEN, SILVER, BRONZE = 0.6180339887, 0.4142135624, 0.3027756377
HOT_COUNTS = 300.0
SPECK_SPREAD = 0.25  # of the logarithm of what reaches the beamstop, from frame to frame
# A spot counts as visible when its photons are five times the noise of the background under it.
VISIBLE_SIGMAS = 5.0


@dataclass(frozen=True)
class Prepared:
    """What all frames of an experiment share; get it from :func:`prepare`."""

    experiment: Experiment
    reflections: tuple[Reflections, ...]
    maps: BackgroundMaps
    specks: FloatImage | None
    gap: npt.NDArray[np.bool_]
    dead: npt.NDArray[np.int64]
    hot: npt.NDArray[np.int64]
    mu_per_mm: float


@lru_cache(maxsize=2)
def prepare(experiment: Experiment) -> Prepared:
    """Draw the intensities, the bad pixels and the background maps: under a second for a megapixel."""
    drawn = {
        crystal.name: draw_intensities(
            crystal.unit_cell,
            crystal.space_group,
            # Cells differ between crystals: a margin, so that none of them runs out of reflections.
            experiment.d_min_A(crystal) * 0.99,
            crystal.b_factor_A2,
            _generator(experiment.seed, CRYSTAL_STREAM, form),
        )
        for form, crystal in enumerate(experiment.crystals)
        if crystal.like is None
    }
    reflections = tuple(drawn[crystal.like or crystal.name] for crystal in experiment.crystals)
    stop = experiment.stop
    gap = experiment.detector.gap_mask()
    dead, hot = _bad_pixels(experiment, gap)
    return Prepared(
        experiment,
        reflections,
        make_background(experiment.detector, experiment.beam, stop),
        make_specks(experiment.detector, stop, _generator(experiment.seed, SPECK_STREAM)) if stop.n_specks else None,
        gap,
        dead,
        hot,
        attenuation_per_mm(experiment.beam.wavelength_A),
    )


def simulate_frame(experiment: Experiment, index: int) -> tuple[IntImage, FrameTruth]:
    """Counts [rows, columns] of frame ``index`` (from 0), and the truth about it.

    Gaps are -1 and dead pixels -2. Panels are stacked along the rows. Depends on the settings and the index only.
    """
    prepared = prepare(experiment)
    rng = _generator(experiment.seed, FRAME_STREAM, index)
    kind, lattices = draw_frame(experiment, index, rng)
    settings = experiment.frames
    background = settings.background * float(np.exp(settings.background_spread * rng.standard_normal()))
    solvent_part = settings.solvent_part * float(rng.uniform(0.7, 1.3)) if settings.solvent_part else 0.0
    image = prepared.maps.air * np.float32(background * (1.0 - solvent_part))
    image += prepared.maps.solvent * np.float32(background * solvent_part)
    smooth = image.copy()
    if prepared.specks is not None:
        glare = _generator(experiment.seed, SPECK_STREAM, index).standard_normal()
        image += prepared.specks * np.float32(np.exp(SPECK_SPREAD * glare))
    detector = experiment.detector_at(index)
    told = [_add_lattice(prepared, detector, image, smooth, lattice) for lattice in lattices]
    counts = _count(prepared, image, rng)
    truth = FrameTruth(
        index=index, kind=kind, background=background, lattices=tuple(told), distance_mm=detector.distance_mm
    )
    return counts, truth


def draw_frame(experiment: Experiment, index: int, rng: np.random.Generator) -> tuple[str, list[Lattice]]:
    """Contents of the beam for frame ``index``: ``blank``, ``weak`` or ``normal``, and its lattices."""
    settings = experiment.frames
    start = _generator(experiment.seed, FRAME_STREAM).random(3)
    place = (start + (index + 1) * np.array([GOLDEN, SILVER, BRONZE])) % 1.0
    if place[0] < settings.blank_fraction:
        return "blank", []
    weak = place[0] < settings.blank_fraction + settings.weak_fraction
    n_lattices = 1 + int(place[1] < settings.multi_fraction) + int(place[1] < 0.2 * settings.multi_fraction)
    lattices = []
    for number in range(n_lattices):
        # Later crystals of a frame choose their form at random, or all of them would have the first one's.
        lattices.append(_draw_lattice(experiment, float(place[2]) if number == 0 else float(rng.random()), rng, weak))
    return ("weak" if weak else "normal"), lattices


def _draw_lattice(experiment: Experiment, place: float, rng: np.random.Generator, weak: bool) -> Lattice:
    """A crystal of the form that ``place`` (0 to 1) falls into, in a random orientation."""
    shares = np.cumsum([crystal.share for crystal in experiment.crystals])
    form = int(np.searchsorted(shares, place * shares[-1], side="right"))
    crystal = experiment.crystals[form]
    cell = perturbed_cell(crystal.unit_cell, crystal.space_group, crystal.cell_spread, rng)
    scale = float(np.exp(experiment.frames.scale_spread * rng.standard_normal()))
    faintness = float(rng.uniform(*experiment.frames.weak_scale))
    return Lattice(
        form=form,
        A=random_rotation(rng) @ reciprocal_basis(cell),
        unit_cell=cell,
        scale=scale * faintness if weak else scale,
        delta_b_A2=float(experiment.frames.b_spread_A2 * rng.standard_normal()),
        mosaic_deg=crystal.mosaic_deg,
        domain_size_A=crystal.domain_size_A,
    )


def _add_lattice(
    prepared: Prepared, detector: Detector, image: FloatImage, smooth: FloatImage, lattice: Lattice
) -> LatticeTruth:
    """Add the expected photons of one lattice to ``image``, and report spots above the background ``smooth``."""
    experiment = prepared.experiment
    crystal, table = experiment.crystals[lattice.form], prepared.reflections[lattice.form]
    found = excite(lattice, table.hkl, experiment.beam, experiment.d_min_A(crystal))
    relative_b = np.exp(-0.5 * lattice.delta_b_A2 / found.d_A**2)
    photons = experiment.frames.brightness * lattice.scale * table.intensity[found.index] * found.recorded * relative_b
    photons *= polarisation(found.direction, experiment.beam.polarisation_fraction)
    placed = place_spots(
        detector,
        found.direction,
        found.sigma_radial,
        found.sigma_tangential,
        experiment.shape,
        prepared.mu_per_mm,
    )
    n_predicted = n_visible = 0
    d_best = np.inf
    for spots in placed:
        seen, under = _through_beamstop(prepared, spots, smooth)
        counts = photons[spots.beam] * seen
        add_spots(image, spots, counts)
        area_px = 4.0 * np.pi * np.sqrt(spots.covariance_px2[:, 0] * spots.covariance_px2[:, 1])
        visible = counts > np.maximum(VISIBLE_SIGMAS * np.sqrt(under * area_px), 5.0)
        visible &= seen > 0.0
        n_predicted += int(np.count_nonzero(seen > 0.0))
        n_visible += int(np.count_nonzero(visible))
        d_best = min(d_best, float(found.d_A[spots.beam[visible]].min(initial=np.inf)))
    return LatticeTruth(
        form=crystal.name,
        A=tuple(float(x) for x in lattice.A.ravel()),
        unit_cell=lattice.unit_cell,
        scale=lattice.scale,
        b_factor_A2=crystal.b_factor_A2 + lattice.delta_b_A2,
        mosaic_deg=lattice.mosaic_deg,
        domain_size_A=lattice.domain_size_A,
        n_predicted=n_predicted,
        n_visible=n_visible,
        d_min_visible_A=None if np.isinf(d_best) else d_best,
    )


def _through_beamstop(prepared: Prepared, spots: Spots, smooth: FloatImage) -> tuple[FloatArray, FloatArray]:
    """Fraction of each spot transmitted by the beamstop (0 in gaps), and the background per pixel under it."""
    n_fast, n_slow = spots.panel.size_px
    column = np.clip(spots.centre_px[:, 0].astype(np.int64), 0, n_fast - 1)
    row = np.clip(spots.centre_px[:, 1].astype(np.int64), 0, n_slow - 1) + spots.panel.row0
    # Spots whose centre is in a gap still shine over its edge, but nobody sees them.
    through = np.where(prepared.gap[row, column], 0.0, prepared.maps.transmission[row, column])
    return through, smooth[row, column].astype(np.float64)


def _count(prepared: Prepared, expected: FloatImage, rng: np.random.Generator) -> IntImage:
    """Poisson counts of ``expected`` photons, with saturation, gaps and bad pixels."""
    expected.reshape(-1)[prepared.hot] += HOT_COUNTS
    counts = rng.poisson(expected).astype(np.int32)
    np.minimum(counts, prepared.experiment.detector.saturation, out=counts)
    counts[prepared.gap] = GAP
    counts.reshape(-1)[prepared.dead] = BAD_PIXEL
    return counts


def _bad_pixels(
    experiment: Experiment, gap: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Positions of dead and of hot pixels in the flattened array, none in a gap."""
    live = np.flatnonzero(~gap)
    n_dead = round(experiment.defects.dead_per_million * live.size / 1e6)
    n_hot = round(experiment.defects.hot_per_million * live.size / 1e6)
    chosen = _generator(experiment.seed, DEFECT_STREAM).choice(live, size=n_dead + n_hot, replace=False)
    return chosen[:n_dead], chosen[n_dead:]


def _generator(seed: int, *key: int) -> np.random.Generator:
    """Random numbers of their own for each purpose and each frame."""
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=key))
