"""Finds orientations of a crystal of known cell from the spots of one still.

Direct lattice vectors are searched for at the known lengths only: spots are projected onto directions of a hemisphere,
and a direction is good if all projections are near multiples of 1/length.  Triples of vectors with the known angles
are bases of the lattice.  A search at all lengths (fft1d) costs several times as much.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from iota.crystallography.cells import Cell, cell_from_basis
from iota.crystallography.nearness import Tolerance, cell_differences, is_near
from iota.geometry.prediction import Array

_STEP = 0.35  # between directions, in cycles at the end of a vector and the highest resolution used
_MAX_DIRECTIONS = 40_000
_MAX_SPOTS = 120  # used for the search, those of lowest resolution
_MIN_SPOTS = 8
_LENGTH_STEP = 0.3  # between lengths, in cycles at the highest resolution used
_PEAKS = 30  # kept for each length
_APART = 0.05  # rad between peaks
_MIN_FITTED = 40  # spots in the first of the fits, each of which takes twice as many as the one before
_NEAR = 0.25  # cycles from an integer within which a spot takes part in the refinement of a vector
_EXPLAINED = 0.15  # largest deviation of any index from an integer of a spot that a basis explains
_MAX_TRIPLES = 2000
_WORTH_A_TRY = 0.6  # share of the spots of the best basis that another one must explain
_LENGTH_SIGMA, _ANGLE_SIGMA_DEG = 0.007, 0.6  # by how much a crystal differs from the cell that is given for all
_SPOT_EVIDENCE = -math.log((2 * _EXPLAINED) ** 3)  # that a spot is not explained by chance


@dataclass(frozen=True)
class CellSearch:
    """The cell to search for, as the basis of shortest vectors, and the tolerances for a basis."""

    basis: Array  # [3, 3] direct basis vectors by rows, in any orientation (A)
    tolerance: Tolerance

    @cached_property
    def cell(self) -> Cell:
        """The known cell."""
        return cell_from_basis(self.basis)

    @property
    def lengths(self) -> Array:
        """Lengths of the basis vectors (A), `[3]`."""
        return np.asarray(np.linalg.norm(self.basis, axis=1))

    def fits(self, basis: Array) -> bool:
        """Whether a basis `[3, 3]` has the known lengths and angles within the tolerances."""
        return is_near(cell_from_basis(basis), self.cell, self.tolerance)

    def deviation(self, basis: Array) -> float:
        """Half the sum of squared deviations of lengths and angles, in units of the variation between crystals."""
        lengths, angles_deg = cell_differences(cell_from_basis(basis), self.cell)
        return float(0.5 * ((lengths / _LENGTH_SIGMA) ** 2).sum() + 0.5 * ((angles_deg / _ANGLE_SIGMA_DEG) ** 2).sum())

    @property
    def cosines(self) -> dict[tuple[int, int], float]:
        """Cosine of the angle between each pair of basis vectors."""
        return {(i, j): _cosine(self.basis[i], self.basis[j]) for i, j in ((0, 1), (0, 2), (1, 2))}


def find_bases(search: CellSearch, q: Array, most: int) -> list[Array]:
    """Find bases of the known lattice that explain spots, the best first, each lattice once.

    Args:
        search: the cell.
        q: reciprocal lattice points of the spots (1/A), `[n, 3]`.
        most: number of bases wanted.

    Returns:
        Direct basis vectors by rows (A), each `[3, 3]`, in the setting closest to the known cell; may be empty.
    """
    if len(q) < _MIN_SPOTS:
        return []
    q = q[np.argsort(np.einsum("ij,ij->i", q, q))]
    vectors: dict[float, Array] = {}
    for length in search.lengths:
        key = round(float(length), 1)
        if key not in vectors:
            vectors[key] = _vectors_of_length(float(length), search.tolerance.length, q)
    triples = _triples(search, [vectors[round(float(length), 1)] for length in search.lengths], q)
    return _best_bases(search, *triples, q, most)


def _vectors_of_length(length: float, tolerance: float, q: Array) -> Array:
    """Direct lattice vectors near a length, refined against the spots, `[m, 3]` (A), the best first."""
    used = q[:_MAX_SPOTS]
    q_max = float(np.linalg.norm(used[-1]))
    step = max(_STEP / (length * q_max), math.sqrt(2 * math.pi / _MAX_DIRECTIONS))
    directions = _hemisphere(round(step, 4))
    phase = (2 * np.pi * length) * (directions @ used.T.astype(np.float32))
    stretch = min(tolerance, 0.03)
    n_lengths = 2 * math.ceil(stretch * length * q_max / _LENGTH_STEP) + 1
    scales = 1.0 + np.linspace(-stretch, stretch, n_lengths)
    score = np.full(len(directions), -np.inf, dtype=np.float32)
    best = np.ones(len(directions))
    for scale in scales:
        here = np.cos(phase * np.float32(scale)).sum(axis=1)
        better = here > score
        score[better], best[better] = here[better], scale
    peaks = _apart(directions, score)
    start = directions[peaks].astype(float) * (length * best[peaks])[:, None]
    refined = _refine_vectors(start, q)
    fits = np.abs(np.linalg.norm(refined, axis=1) / length - 1.0) <= tolerance
    return np.asarray(refined[fits])


def _apart(directions: npt.NDArray[np.float32], score: npt.NDArray[np.float32]) -> list[int]:
    """The best directions, none of which is close to another."""
    chosen: list[int] = []
    for k in np.argsort(-score)[: 40 * _PEAKS]:
        if all(abs(float(directions[k] @ directions[j])) < math.cos(_APART) for j in chosen):
            chosen.append(int(k))
            if len(chosen) == _PEAKS:
                break
    return chosen


@lru_cache(maxsize=8)
def _hemisphere(step: float) -> npt.NDArray[np.float32]:
    """Unit vectors over a hemisphere, about ``step`` (rad) apart, `[n, 3]`: a Fibonacci spiral."""
    n = max(100, int(2 * math.pi / step**2))
    z = (np.arange(n) + 0.5) / n
    azimuth = np.arange(n) * (math.pi * (3.0 - math.sqrt(5.0)))
    radius = np.sqrt(1.0 - z**2)
    return np.asarray(np.stack([radius * np.cos(azimuth), radius * np.sin(azimuth), z], axis=1), dtype=np.float32)


def _refine_vectors(vectors: Array, q: Array, together: bool = False) -> Array:
    """Least-squares fit of q.t to integers over the spots that are near one, first at low resolution, then over all.

    Args:
        vectors: direct lattice vectors t (A), `[m, 3]`.
        q: reciprocal lattice points, those of low resolution first (1/A), `[n, 3]`.
        together: the vectors are a basis, and a spot counts only if it is near an integer with all of them.
    """
    n = min(_MIN_FITTED, len(q))
    while True:
        used = q[:n]
        cycles = vectors @ used.T  # [m, n]
        order = np.rint(cycles)
        near = np.abs(cycles - order) < _NEAR
        weight = np.broadcast_to(near.all(axis=0), near.shape).astype(float) if together else near.astype(float)
        normal = np.swapaxes(weight[..., None] * used, 1, 2) @ used + 1e-9 * np.eye(3)
        vectors = np.linalg.solve(normal, ((weight * order) @ used)[..., None])[..., 0]
        if n == len(q):
            return np.asarray(vectors)
        n = min(2 * n, len(q))


def _triples(search: CellSearch, vectors: Sequence[Array], q: Array) -> tuple[Array, npt.NDArray[np.int64]]:
    """Bases whose angles are near those of the known cell `[k, 3, 3]`, those that explain most spots first.

    Returns also how many spots each explains `[k]`.
    """
    first, second, third = (_near_integers(v, q) for v in vectors)
    explained = np.stack([(one * second) @ third.T for one in first])  # [i, j, k]; signs do not matter
    tolerance = math.radians(search.tolerance.angle_deg)
    angles = [math.acos(c) for c in search.cosines.values()]
    ab, ac, bc = (_cosines(vectors[i], vectors[j]) for i, j in search.cosines)
    found = []
    for sign_b, sign_c in itertools.product((1.0, -1.0), repeat=2):
        fits = [
            np.abs(np.arccos(np.clip(sign * cosine, -1.0, 1.0)) - angle) <= tolerance
            for sign, cosine, angle in zip((sign_b, sign_c, sign_b * sign_c), (ab, ac, bc), angles, strict=True)
        ]
        i, j, k = np.nonzero(fits[0][:, :, None] & fits[1][:, None, :] & fits[2][None, :, :])
        best = np.argsort(-explained[i, j, k], kind="stable")[:_MAX_TRIPLES]
        i, j, k = i[best], j[best], k[best]
        bases = np.stack([vectors[0][i], sign_b * vectors[1][j], sign_c * vectors[2][k]], axis=1)
        found.append((bases, explained[i, j, k].astype(np.int64)))
    bases, counts = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(-counts, kind="stable")[:_MAX_TRIPLES]
    bases = bases[order]
    # turning all three round keeps the angles and changes the hand
    hand = np.sign(np.linalg.det(bases) * np.linalg.det(search.basis)) if len(bases) else np.empty(0)
    return np.asarray(bases * hand[:, None, None]), counts[order]


def _near_integers(vectors: Array, q: Array) -> npt.NDArray[np.float32]:
    """1 where a spot has a projection near an integer, else 0, `[m, n]`."""
    cycles = vectors @ q.T
    return np.asarray(np.abs(cycles - np.rint(cycles)) < _EXPLAINED, dtype=np.float32)


def _cosine(u: Array, v: Array) -> float:
    return float(u @ v / (np.linalg.norm(u) * np.linalg.norm(v)))


def _cosines(u: Array, v: Array) -> Array:
    unit_u, unit_v = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9) for x in (u, v))
    return np.asarray(unit_u @ unit_v.T)


def _best_bases(search: CellSearch, bases: Array, explained: npt.NDArray[np.int64], q: Array, most: int) -> list[Array]:
    """Refine the first bases, and keep one setting of each lattice: that with most evidence."""
    kept: list[_Kept] = []
    for start, n in zip(bases[: 40 * most], explained, strict=False):
        if kept and n < 0.5 * _WORTH_A_TRY * max(one.n_explained for one in kept):
            break
        basis = _refine_vectors(start, q, together=True)
        if not np.isfinite(basis).all() or abs(np.linalg.det(basis)) < 0.5 * abs(np.linalg.det(search.basis)):
            continue
        new = _Kept(_n_explained(basis, q), search.deviation(basis), basis)
        same = next((m for m, one in enumerate(kept) if _same_lattice(basis, one.basis)), None)
        if same is None:
            kept.append(new)
        elif new.evidence > kept[same].evidence + 1e-3:
            kept[same] = new
    kept.sort(key=lambda one: -one.evidence)
    return [one.basis for one in kept[:most] if one.n_explained >= _WORTH_A_TRY * kept[0].n_explained]


class _Kept(NamedTuple):
    n_explained: int
    deviation: float
    basis: Array

    @property
    def evidence(self) -> float:
        """Logarithm of how much more likely this basis of the known cell is than chance."""
        return _SPOT_EVIDENCE * self.n_explained - self.deviation


def _n_explained(basis: Array, q: Array) -> int:
    """Number of spots all of whose indices are near integers."""
    return int(_near_integers(basis, q).all(axis=0).sum())


def _same_lattice(basis: Array, other: Array) -> bool:
    change = basis @ np.linalg.inv(other)
    return bool(np.abs(change - np.rint(change)).max() < 0.1)
