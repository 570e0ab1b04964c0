"""Bases of the lattice of a still from vectors that may be of it, with or without a known cell.

Used by the search for beam centre and distance, in which many stills have to agree; single stills may be wrong.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

NEAR = 0.15  # cycles from an integer within which a vector, or a basis, explains a spot
_FITTED = 0.25  # the same in fits
_MIN_FITTED = 25  # spots in the first of the fits, each of which takes twice as many as the one before
_GOOD = 0.75  # fraction of the spots of the best vector that others of the lattice explain
_MAX_SHORT = 14  # vectors from which a basis is chosen when no cell is known
_FLATTEST = 0.15  # volume of a basis relative to the product of its lengths
_AS_MANY = 0.93  # of the spots of the best basis are explained by smaller ones, of which the smallest is taken
_MAX_TRIPLES = 40
MIN_EXPLAINED = 8
_CHANCE = (2.0 * NEAR) ** 3
_SIGMAS = 6.0  # by which the best of many bases surpasses chance


class StillBasis(NamedTuple):
    """A basis of a still, and the spots that it explains."""

    rows: Array  # [3, 3] direct vectors (A)
    explained: npt.NDArray[np.bool_]  # [n]

    @property
    def n(self) -> int:
        """Number of spots explained."""
        return int(self.explained.sum())

    @property
    def is_better_than_chance(self) -> bool:
        """Whether more spots are explained than by the best of many random bases."""
        n = len(self.explained)
        by_chance = _CHANCE * n + _SIGMAS * math.sqrt(_CHANCE * (1.0 - _CHANCE) * n)
        return self.n >= max(MIN_EXPLAINED, by_chance, 0.3 * n)


def fitted(vectors: Array, q: Array, together: bool = False) -> Array:
    """Fit vectors t `[m, 3]` so that q.t are integers for the spots that are near, first at low resolution.

    Args:
        vectors: direct lattice vectors (A).
        q: spots, those of low resolution first (1/A), `[n, 3]`.
        together: a spot counts only if it is near with all vectors.
    """
    n = min(_MIN_FITTED, len(q))
    while True:
        used = q[:n]
        cycles = vectors @ used.T
        order = np.rint(cycles)
        near = np.abs(cycles - order) < _FITTED
        weight = np.broadcast_to(near.all(axis=0), near.shape).astype(float) if together else near.astype(float)
        products = (used[:, :, None] * used[:, None, :]).reshape(n, 9)
        normal = (weight @ products).reshape(-1, 3, 3) + 1e-9 * np.eye(3)
        vectors = np.linalg.solve(normal, ((weight * order) @ used)[..., None])[..., 0]
        if n == len(q):
            return np.asarray(vectors)
        n = min(2 * n, len(q))


def near_integers(vectors: Array, q: Array) -> npt.NDArray[np.bool_]:
    """Which spots `[n, 3]` each vector `[m, 3]` explains, `[m, n]`."""
    cycles = vectors @ q.T
    return np.asarray(np.abs(cycles - np.rint(cycles)) < NEAR)


def own_basis(t_A: Array, q: Array) -> StillBasis | None:
    """The smallest basis that explains about as many spots as any, from vectors `[m, 3]` fitted to the spots."""
    near = near_integers(t_A, q)
    counts = near.sum(axis=1)
    if len(t_A) < 3:
        return None
    good = np.flatnonzero(counts >= _GOOD * counts.max())
    good = good[np.argsort(np.linalg.norm(t_A[good], axis=1), kind="stable")[:_MAX_SHORT]]
    if len(good) < 3:
        return None
    triples = np.array(list(itertools.combinations(good, 3)))
    return _best(t_A[triples], near[triples].all(axis=1).sum(axis=1), q)


def _best(bases: Array, counts: npt.NDArray[np.int64], q: Array) -> StillBasis | None:
    """The smallest of the bases that explain about as many spots as any, fitted."""
    volumes = np.abs(np.linalg.det(bases))
    solid = volumes > _FLATTEST * np.prod(np.linalg.norm(bases, axis=2), axis=1)
    if not solid.any():
        return None
    bases, counts, volumes = bases[solid], counts[solid], volumes[solid]
    many = np.flatnonzero(counts >= _AS_MANY * counts.max())
    rows = fitted(bases[many[np.argmin(volumes[many])]], q, together=True)
    return StillBasis(rows, near_integers(rows, q).all(axis=0)) if np.isfinite(rows).all() else None


def with_sums(t_A: Array, n_first: int = 20) -> Array:
    """Vectors `[m, 3]`, with the sums and differences of pairs of the first ones."""
    first = t_A[:n_first]
    i, j = np.triu_indices(len(first), 1)
    return np.concatenate([t_A, first[i] + first[j], first[i] - first[j]])


def basis_like(
    reference: Array, t_A: Array, q: Array, length_tolerance: float, angle_tolerance_deg: float
) -> StillBasis | None:
    """The basis of vectors `[m, 3]` with the lengths and angles of `reference` `[3, 3]` that explains most spots."""
    lengths = np.linalg.norm(t_A, axis=1)
    near = near_integers(t_A, q)
    counts = near.sum(axis=1)
    sets, nears = [], []
    for row in reference:
        wanted = np.linalg.norm(row)
        fits = np.flatnonzero(np.abs(lengths / wanted - 1.0) < length_tolerance)
        fits = fits[np.argsort(-counts[fits], kind="stable")[:12]]
        sets.append(np.concatenate([t_A[fits], -t_A[fits]]))
        nears.append(np.concatenate([near[fits], near[fits]]))
    if not all(len(one) for one in sets):
        return None
    wanted_cosines = _cosines(reference, reference)
    tolerance = math.radians(angle_tolerance_deg)
    ab, ac, bc = (
        np.abs(np.arccos(_cosines(sets[i], sets[j])) - math.acos(wanted_cosines[i, j])) < tolerance
        for i, j in ((0, 1), (0, 2), (1, 2))
    )
    a, b, c = np.nonzero(ab[:, :, None] & ac[:, None, :] & bc[None, :, :])
    bases = np.stack([sets[0][a], sets[1][b], sets[2][c]], axis=1)
    same_hand = np.linalg.det(bases) * np.linalg.det(reference) > 0.0
    if not same_hand.any():
        return None
    bases, a, b, c = bases[same_hand], a[same_hand], b[same_hand], c[same_hand]
    explained = (nears[0][a] & nears[1][b] & nears[2][c]).sum(axis=1)
    best: StillBasis | None = None
    for k in np.argsort(-explained, kind="stable")[:4]:
        rows = fitted(bases[k], q, together=True)
        if not np.isfinite(rows).all() or not _is_like(rows, reference, 1.5 * length_tolerance, 1.5 * tolerance):
            continue
        new = StillBasis(rows, near_integers(rows, q).all(axis=0))
        best = new if best is None or new.n > best.n else best
    return best


def _is_like(rows: Array, reference: Array, length_tolerance: float, angle_tolerance: float) -> bool:
    lengths, wanted = np.linalg.norm(rows, axis=1), np.linalg.norm(reference, axis=1)
    angles = np.arccos(_cosines(rows, rows)) - np.arccos(_cosines(reference, reference))
    return bool((np.abs(lengths / wanted - 1.0) < length_tolerance).all() and (np.abs(angles) < angle_tolerance).all())


def _cosines(u: Array, v: Array) -> Array:
    unit_u, unit_v = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9) for x in (u, v))
    return np.asarray(np.clip(unit_u @ unit_v.T, -1.0, 1.0))
