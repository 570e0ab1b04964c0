"""Searches for beam centre and detector distance with the spots of many hits that cannot be indexed.

The beam centre is found first, without a cell (:mod:`iota.geometry.lattice_vectors`, :mod:`iota.geometry.centre_vote`),
and must be the same for either half of the hits. Then the stills are indexed, with the known cell or with one that they
have in common, and centre and distance are fitted to all of them (:mod:`iota.geometry.shared_fit`).

docs/decisions/0029-search-for-geometry.md has the methods that were tried, and how often each was right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from iota.crystallography.cells import basis_from_cell
from iota.crystallography.lattices import niggli_cell
from iota.geometry.centre_vote import Vote, vote
from iota.geometry.common_cell import Agreement, PlacedStill, placed, with_cell, without_cell
from iota.geometry.joint import MINIMUM_LATTICES
from iota.geometry.lattice_vectors import HIGHEST_Q, MIN_SPOTS, LatticeVectors, lattice_vectors
from iota.geometry.prediction import rotation
from iota.geometry.shared_fit import SharedFit, Still, fit_shared, nearest_rotation, q_vectors

Array = npt.NDArray[np.float64]

RADIUS_PX = 20.0
DISTANCE_RANGE = 0.05
MIN_HITS = 10
_MIN_LATTICES = 0.25  # per hit; of wrong geometries only a few lattices come, and these are wrong
_MAX_HITS = 120  # those with most spots
_MAX_SPOTS = 200  # of a hit, the brightest
_DISTORTING = 0.005  # rad, shift of the beam centre from which lattice vectors are looked for again
_MIN_RATIO = 1.6  # of the score of the best shift to the next; 1.0 to 1.3 without a lattice
_ONE_ORIENTATION = 0.5  # agreement of vectors that makes several answers those of one lattice
_RATIO_WITHOUT_CELL = 2.5  # the same if the hits have no cell in common
_HALVES_AGREE_PX = 2.0
_INSIDE = 0.95  # of the map of beam centres
_DISTANCE_MARGIN, _DISTANCE_STEP = 0.02, 0.01  # with a known cell
_FREE_STEP = 0.025  # of the distance without one, which is fitted anyway
_FARTHEST = 0.2  # error of the distance that can be believed
_MIN_INDEXED = 0.3  # fraction of the hits
_LARGEST_DISTANCE_ESD = 0.01  # of the distance
_LARGEST_CHANGE_PX = 3.0  # from the vote to the fit
_VOTE_ESD_PX = 0.5
_CELL_ESD = 0.0003  # of the distance: by how much the mean cell of crystals differs from the known one
_FREE_ESD = 0.0006  # of the distance: systematic errors without a cell, see the decision page
_CONTRADICTION = 0.005  # of the distance, between the known cell and a free one
_SIGMAS = 4.0
_FLOOR_PX, _FLOOR_DISTANCE = 0.3, 0.002  # differences that matter to nobody


def are_few(n_lattices: int, n_hits: int) -> bool:
    """Whether a run has so few lattices that a geometry should be searched for before it is refined with them."""
    return n_hits >= MIN_HITS and n_lattices < max(MINIMUM_LATTICES, _MIN_LATTICES * n_hits)


@dataclass(frozen=True)
class HitSpots:
    """Spots of one hit, as placed by the geometry that is assumed."""

    xyz_mm: Array  # [n, 3] in the laboratory, the sample at the origin
    intensity: Array  # [n]
    wavelength_A: float


@dataclass(frozen=True)
class SearchResult:
    """What was found; if nothing was, all numbers are those of no change, and the sentence says why."""

    found: bool
    changed: bool
    """Whether the geometry differs from the assumed one by more than the uncertainty."""
    move_mm: tuple[float, float, float]
    """To be added to the origin of all panels, in the laboratory."""
    shift_px: tuple[float, float]
    """The same across the beam: along x and y of the laboratory if the beam is along z."""
    shift_esd_px: tuple[float, float]
    distance_factor: float | None
    """True distance by assumed distance; None: not determined."""
    distance_esd: float | None
    n_hits: int
    """Hits that took part."""
    n_indexed: int
    """Those of them that have the lattice that was found."""
    ratio: float
    """Score of the beam centre by that of the next best one; without a lattice about 1."""
    method: str
    sentence: str


def search(
    hits: Sequence[HitSpots],
    beam: Array,
    distance_mm: float,
    pixel_mm: float,
    cell: Sequence[float] | None = None,
    space_group: str | None = None,
    radius_px: float = RADIUS_PX,
    distance_range: float = DISTANCE_RANGE,
) -> SearchResult:
    """Search for the beam centre within a radius, and the distance within a fraction.

    Args:
        hits: spots of many hits; those with most spots are used.
        beam: direction in which the beam travels, `[3]`.
        distance_mm: assumed distance along the beam.
        pixel_mm: size of a pixel, in which shifts are stated.
        cell: known cell (A, degrees), in the setting of `space_group`.
        space_group: P 1 if omitted.
        radius_px: largest shift of the beam centre.
        distance_range: largest error of the distance, as a fraction.

    Raises:
        ParameterError: no crystal can have this cell.
    """
    reference = None if cell is None else basis_from_cell(niggli_cell(cell, space_group or "P 1"))
    to_beam = _beam_frame(beam)
    usable = sorted((hit for hit in hits if len(hit.xyz_mm) >= MIN_SPOTS), key=lambda hit: -len(hit.xyz_mm))
    usable = [_brightest_first(hit, to_beam) for hit in usable[:_MAX_HITS]]
    seen = _seen(usable, np.zeros(3))
    if len(seen) < MIN_HITS:
        enough = f"{len(seen)} hits have {MIN_SPOTS} spots or more at resolutions below {1.0 / HIGHEST_Q:.1f} A"
        return _not_found(len(seen), 0.0, f"{enough}, and at least {MIN_HITS} are needed")
    centre, complaint = _voted(seen, pixel_mm / distance_mm, radius_px)
    if complaint:
        return _not_found(len(seen), centre.ratio, complaint)
    start_mm = np.array([*(-pixel_mm * centre.shift_px), 0.0])
    if np.hypot(*start_mm[:2]) > _DISTORTING * distance_mm:
        seen = _seen([one.hit for one in seen], start_mm)
    scan = _Scan(seen, start_mm, distance_mm, distance_range)
    free = _fitted(scan, None)
    known = None if reference is None else _fitted(scan, reference, None if free is None else free.fit.move_mm)
    return _result(_Evidence(scan, centre, reference is not None, known, free), to_beam, pixel_mm)


class _Seen(NamedTuple):
    """A hit, and its lattice vectors after a shift across the beam."""

    hit: HitSpots
    vectors: LatticeVectors


def _seen(hits: Sequence[HitSpots], move_mm: Array) -> list[_Seen]:
    """Those of the hits that have lattice vectors, after a shift `[3]` of the detector."""
    found = ((hit, lattice_vectors(q_vectors(hit.xyz_mm + move_mm, 1.0 / hit.wavelength_A))) for hit in hits)
    return [_Seen(hit, vectors) for hit, vectors in found if len(vectors.t_A)]


def _beam_frame(beam: Array) -> Array:
    """Rotation `[3, 3]` from the laboratory to a frame in which the beam is along -z, and x is near that of before."""
    z = -np.asarray(beam, dtype=float) / np.linalg.norm(beam)
    x = np.cross([0.0, 1.0, 0.0], z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z])


def _brightest_first(hit: HitSpots, to_beam: Array) -> HitSpots:
    order = np.argsort(-hit.intensity, kind="stable")[:_MAX_SPOTS]
    return HitSpots(hit.xyz_mm[order] @ to_beam.T, hit.intensity[order], hit.wavelength_A)


def _voted(seen: Sequence[_Seen], px_rad: float, radius_px: float) -> tuple[Vote, str]:
    """The shift on which all hits agree, and what is wrong with it: nothing if both halves of the hits agree too."""
    vectors, px = [one.vectors for one in seen], [px_rad / one.hit.wavelength_A for one in seen]
    centre = vote(vectors, px, radius_px)
    if centre.ratio < _MIN_RATIO:
        if centre.agreement > _ONE_ORIENTATION:
            return centre, "several beam centres are equally good, as when all crystals have one orientation"
        return centre, "no beam centre is much better than others"
    halves = [vote(vectors[k::2], px[k::2], radius_px) for k in (0, 1)]
    apart = max(float(np.hypot(*(half.shift_px - centre.shift_px))) for half in halves)
    if apart > _HALVES_AGREE_PX:
        return centre, "two halves of the hits give different beam centres"
    if float(np.abs(centre.shift_px).max()) > _INSIDE * centre.largest_px:
        return centre, f"the beam centre is probably more than {_INSIDE * centre.largest_px:.0f} px off"
    return centre, ""


class _Scan(NamedTuple):
    """Hits with the shift across the beam that was voted for, to be tried at several distances."""

    seen: Sequence[_Seen]
    start_mm: Array  # [3] after which the lattice vectors were found, or nearly so
    distance_mm: float
    distance_range: float

    def move_mm(self, factor: float) -> Array:
        """Shift `[3]` for a distance that is larger by a factor; the beam is along -z."""
        return np.array([self.start_mm[0], self.start_mm[1], (1.0 - factor) * self.distance_mm])

    def moved(self, move_mm: Array) -> list[PlacedStill]:
        """The hits after a shift `[3]` of the detector, which turns and stretches their lattice vectors."""
        factor = 1.0 - move_mm[2] / self.distance_mm
        x, y = (move_mm - self.start_mm)[:2] / self.distance_mm
        turn = rotation(np.array([-y, x, 0.0]))
        stretch = np.array([factor, factor, factor**2])
        return [
            placed(hit.xyz_mm + move_mm, (vectors.t_A @ turn.T) * stretch, 1.0 / hit.wavelength_A)
            for hit, vectors in self.seen
        ]


class _Fitted(NamedTuple):
    """A fit, and how many hits have its lattice."""

    fit: SharedFit
    n_stills: int


def _fitted(scan: _Scan, reference: Array | None, first_mm: Array | None = None) -> _Fitted | None:
    """Centre and distance with a known reduced basis, or with one that most hits have; None if too few have one.

    A shift `first_mm` `[3]` is tried, and the distances of the range in steps, until the cell of most hits is found.
    """
    step, reach = _FREE_STEP, scan.distance_range
    if reference is not None:
        step, reach = _DISTANCE_STEP, scan.distance_range + _DISTANCE_MARGIN
    n = int(np.ceil(reach / step - 1e-9))
    moves_mm = [scan.move_mm(1.0 + k * step) for k in sorted(range(-n, n + 1), key=abs)]
    best: tuple[Agreement, list[PlacedStill], Array] | None = None
    for move_mm in moves_mm if first_mm is None else [first_mm, *moves_mm]:
        stills = scan.moved(move_mm)
        agreement = without_cell(stills) if reference is None else with_cell(stills, reference)
        if agreement is not None and (best is None or agreement.n_spots > best[0].n_spots):
            best = agreement, stills, move_mm
            if agreement.is_clear:
                break
    if best is None or best[0].n_stills < _MIN_INDEXED * len(scan.seen):
        return None
    fit = _fit(*best, free_cell=reference is None)
    stills = scan.moved(fit.move_mm)
    agreement = with_cell(stills, fit.basis)
    if agreement.n_stills < _MIN_INDEXED * len(scan.seen):
        return None
    return _Fitted(_fit(agreement, stills, fit.move_mm, free_cell=reference is None), agreement.n_stills)


def _fit(agreement: Agreement, stills: list[PlacedStill], move_mm: Array, free_cell: bool) -> SharedFit:
    """Fit the shift to the hits that have the lattice."""
    taking_part = [
        Still(
            still.xyz_mm - move_mm,
            np.rint(still.q @ basis.rows.T).astype(np.int64),
            basis.explained,
            nearest_rotation(basis.rows, agreement.reference),
            still.wave_number,
        )
        for still, basis in zip(stills, agreement.bases, strict=True)
        if basis is not None
    ]
    return fit_shared(taking_part, agreement.reference, move_mm, free_cell)


class _Evidence(NamedTuple):
    """All that was found."""

    scan: _Scan
    centre: Vote
    cell_is_known: bool
    known: _Fitted | None
    free: _Fitted | None


class _Distance(NamedTuple):
    """A distance relative to the assumed one; None: not determined."""

    factor: float | None
    esd: float | None


def _result(evidence: _Evidence, to_beam: Array, pixel_mm: float) -> SearchResult:
    """The answer that the evidence allows."""
    scan, centre = evidence.scan, evidence.centre
    chosen, remark = _chosen(evidence)
    if chosen is None:
        if centre.ratio < _RATIO_WITHOUT_CELL:
            return _not_found(len(scan.seen), centre.ratio, "the hits have no cell in common")
        move_mm, esd_px, distance = scan.start_mm, np.full(2, _VOTE_ESD_PX), _Distance(None, None)
    else:
        move_mm, esd_px = chosen.fit.move_mm, chosen.fit.esd_mm[:2] / pixel_mm
        distance = _distance(chosen, scan, _CELL_ESD if chosen is evidence.known else _FREE_ESD)
    if np.hypot(*(move_mm - scan.start_mm)[:2]) > _LARGEST_CHANGE_PX * pixel_mm:
        return _not_found(
            len(scan.seen), centre.ratio, "the lattices of the hits fit best to another beam centre than that of most"
        )
    move_mm = np.array([move_mm[0], move_mm[1], 0.0 if distance.factor is None else move_mm[2]])
    shift_px = move_mm[:2] / pixel_mm
    changed = _differs(shift_px, esd_px, _FLOOR_PX) or (
        distance.factor is not None
        and distance.esd is not None
        and _differs(np.array([distance.factor - 1.0]), np.array([distance.esd]), _FLOOR_DISTANCE)
    )
    n_indexed = 0 if chosen is None else chosen.n_stills
    x, y, z = (float(value) for value in to_beam.T @ move_mm)
    return SearchResult(
        found=True,
        changed=changed,
        move_mm=(x, y, z),
        shift_px=(float(shift_px[0]), float(shift_px[1])),
        shift_esd_px=(float(esd_px[0]), float(esd_px[1])),
        distance_factor=distance.factor,
        distance_esd=distance.esd,
        n_hits=len(scan.seen),
        n_indexed=n_indexed,
        ratio=centre.ratio,
        method=_method(evidence, chosen),
        sentence=_sentence(scan, shift_px, distance, changed, n_indexed) + remark,
    )


def _chosen(evidence: _Evidence) -> tuple[_Fitted | None, str]:
    """The fit with the known cell, or the one without if that one is missing or contradicted; and what to say of it."""
    known, free, scan = evidence.known, evidence.free, evidence.scan
    if not evidence.cell_is_known or free is None:
        return known or free, ""
    if known is None:
        a, b, c = np.linalg.norm(free.fit.basis, axis=1)
        return free, (
            f" The hits do not have the known cell, but a cell with the reduced axes {a:.1f}, {b:.1f}, {c:.1f} A."
        )
    with_cell, without = _distance(known, scan, _CELL_ESD), _distance(free, scan, _FREE_ESD)
    if with_cell.factor is None or without.factor is None or without.esd is None:
        return known, ""
    difference = without.factor / with_cell.factor - 1.0
    if abs(difference) <= max(_CONTRADICTION, _SIGMAS * without.esd):
        return known, ""
    return free, (
        f" The known cell would need a distance of {with_cell.factor * scan.distance_mm:.2f} mm: its axes are probably"
        f" {100.0 * abs(difference):.1f} % too {'long' if difference < 0.0 else 'short'}."
    )


def _distance(fitted: _Fitted, scan: _Scan, systematic: float) -> _Distance:
    """The distance of a fit, if it is determined and in the range of the search."""
    factor = 1.0 - float(fitted.fit.move_mm[2]) / scan.distance_mm
    esd = float(np.hypot(fitted.fit.esd_mm[2] / scan.distance_mm, systematic))
    if esd > _LARGEST_DISTANCE_ESD or abs(factor - 1.0) > _FARTHEST:
        return _Distance(None, None)
    return _Distance(factor, esd)


def _differs(values: Array, esds: Array, floor: float) -> bool:
    return bool((np.abs(values) > np.maximum(_SIGMAS * esds, floor)).any())


def _method(evidence: _Evidence, chosen: _Fitted | None) -> str:
    if chosen is None:
        return "lattice vectors, without indexing"
    return "lattice vectors, known cell" if chosen is evidence.known else "lattice vectors, common cell of the hits"


def _sentence(scan: _Scan, shift_px: Array, distance: _Distance, changed: bool, n_indexed: int) -> str:
    """What was found, in words."""
    n = len(scan.seen)
    agree = f"{n_indexed} of {n} hits have one lattice there" if n_indexed else f"the spots of {n} hits agree on it"
    if not changed:
        return f"Beam centre and distance are as assumed within the uncertainty: {agree}."
    where = f"The detector is displaced by {shift_px[0]:+.2f} and {shift_px[1]:+.2f} px (x, y)"
    if distance.factor is None or distance.esd is None:
        return f"{where}; its distance could not be determined: {agree}."
    return (
        f"{where}, and its distance is {distance.factor * scan.distance_mm:.2f} mm"
        f" ({round(100.0 * (distance.factor - 1.0), 2) + 0.0:+.2f} ± {100.0 * distance.esd:.2f} %): {agree}."
    )


def _not_found(n_hits: int, ratio: float, reason: str) -> SearchResult:
    return SearchResult(
        found=False,
        changed=False,
        move_mm=(0.0, 0.0, 0.0),
        shift_px=(0.0, 0.0),
        shift_esd_px=(float("inf"), float("inf")),
        distance_factor=None,
        distance_esd=None,
        n_hits=n_hits,
        n_indexed=0,
        ratio=ratio,
        method="none",
        sentence=f"Beam centre and distance were not found: {reason}.",
    )
