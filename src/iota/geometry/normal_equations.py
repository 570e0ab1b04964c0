"""Normal equations of detector and crystals, from which the crystals are eliminated exactly (Schur complement).

Each spot depends on the detector and on one crystal: the normal matrix has the shape of an arrow.  The block of each
crystal is inverted by itself, as in bundle adjustment, so that time and memory are linear in the number of lattices.
Cells that lattices share are eliminated in a second stage, group by group.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import bsr_matrix, csr_matrix

from iota.geometry.crystals import N_METRIC, N_PARAMETERS, Crystals
from iota.geometry.observations import Observations
from iota.geometry.panels import Ints, Panels
from iota.geometry.prediction import Array, predict

_SPOTS_AT_ONCE = 20_000  # as much as fits into the cache of a core
_SINGULAR = 1e-12  # smallest eigenvalue of a crystal's scaled normal matrix: directions below are not moved

_PAIRS = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
_ROW, _COLUMN = np.array(_PAIRS).T
_PAIR = np.array([[0, 1, 2], [1, 3, 4], [2, 4, 5]])  # number of a pair


def residuals(panels: Panels, observations: Observations, a_star: Array, s0: Array) -> Array:
    """Predicted minus observed x, y (mm), and delta psi (rad), `[n, 3]`; not finite for what cannot be predicted."""
    to_panel = panels.to_panel
    result = np.empty((len(observations), 3))
    for spots, lattice, q in _parts(observations, a_star):
        with np.errstate(invalid="ignore", divide="ignore"):  # what cannot be predicted is NaN
            prediction, _ = predict(q, s0[lattice], to_panel[observations.panel[spots]])
        result[spots, :2] = prediction.xy_mm - observations.xy_mm[spots]
        result[spots, 2] = prediction.delpsi_rad
    return result


@dataclass(frozen=True)
class Linearised:
    """Residuals of all spots and their derivatives."""

    residual: Array  # [n, 3] predicted minus observed x, y (mm), and delta psi (rad)
    by_point: Array  # [n, 3, 3] by the reciprocal lattice point (1/A): residual, component
    by_motion: Array  # [n, 2, 6] of x, y by shift (mm) and rotation (rad) of the panel about ``origin_mm``


def linearise(panels: Panels, observations: Observations, a_star: Array, s0: Array, origin_mm: Array) -> Linearised:
    """Residuals, and derivatives by the reciprocal lattice points and by motions of the panels.

    Args:
        panels: the detector.
        observations: the spots.
        a_star: crystals, `[m, 3, 3]`.
        s0: beams, `[m, 3]`.
        origin_mm: the point about which panels are rotated, `[3]`.
    """
    n = len(observations)
    to_panel = panels.to_panel
    result = Linearised(np.empty((n, 3)), np.empty((n, 3, 3)), np.empty((n, 2, 6)))
    for spots, lattice, q in _parts(observations, a_star):
        panel = observations.panel[spots]
        d_q = np.broadcast_to(np.eye(3)[:, None, :], (3, len(q), 3))
        prediction, derivatives = predict(q, s0[lattice], to_panel[panel], d_q)
        result.residual[spots, :2] = prediction.xy_mm - observations.xy_mm[spots]
        result.residual[spots, 2] = prediction.delpsi_rad
        result.by_point[spots] = derivatives.transpose(2, 1, 0)
        result.by_motion[spots] = _by_motion(panels, panel, to_panel[panel], prediction.xy_mm, origin_mm)
    return result


def _by_motion(panels: Panels, panel: Ints, to_panel: Array, xy_mm: Array, origin_mm: Array) -> Array:
    """Derivatives of positions `[n, 2, 6]` by shift and rotation of their panels about a point."""
    # a point of the panel that moves by m changes D^-1 s1 = u3 (x, y, 1) by -u3 D^-1 m
    row = xy_mm[:, :, None] * to_panel[:, 2:] - to_panel[:, :2]
    lever = panels.lab_mm(panel, xy_mm) - origin_mm
    return np.concatenate([row, np.cross(lever[:, None, :], row)], axis=2)


def _parts(observations: Observations, a_star: Array) -> Iterator[tuple[slice, Ints, Array]]:
    for start in range(0, len(observations), _SPOTS_AT_ONCE):
        spots = slice(start, start + _SPOTS_AT_ONCE)
        lattice = observations.lattice[spots]
        yield spots, lattice, np.einsum("nij,nj->ni", a_star[lattice], observations.hkl[spots].astype(float))


@dataclass(frozen=True)
class Reduced:
    """Normal equations of the detector after elimination of the crystals, and what is needed to find these.

    Columns of the detector are the motions of the finest groups, six each, and then the logarithm of the wavenumber.
    Of each crystal there are nine elements of A*, and nine parameters, some of which it may not have for itself; of a
    root R, R'R is the inverse of the normal matrix of these parameters.
    """

    normal: Array  # [c, c]
    scores: Array  # [m, c] contributions of the lattices to the gradient
    fixed_crystals: Array  # [c, c] the normal matrix if the crystals were known
    freedom: Array  # [2] number of parameters of crystals that positions and delta psi determine
    of_crystal: Array  # [m, 9, 9]
    of_crystal_gradient: Array  # [m, 9]
    roots: Array  # [m, 9, 9]
    shared: SharedCells

    @property
    def gradient(self) -> Array:
        """Of the detector, `[c]`."""
        return np.asarray(self.scores.sum(axis=0))


@dataclass(frozen=True)
class SharedCells:
    """Normal equations of the cells that lattices share, after elimination of orientations."""

    normal: Array  # [g, 6, 6]
    coupling: Array  # [g, 6, c] with the detector
    gradient: Array  # [g, 6]
    scores: Array  # [m, 6] contributions of the lattices to the gradient


def eliminate(
    linear: Linearised,
    observations: Observations,
    weight: Array,
    crystals: Crystals,
    base: Ints,
    n_base: int,
    damping: float = 0.0,
) -> Reduced:
    """Normal equations of the detector, from which the crystals have been eliminated.

    Args:
        linear: residuals and derivatives.
        observations: spots, sorted by lattice and then by the group of their panel.
        weight: of the three residuals of each spot, `[n, 3]`; 0: not used.
        crystals: the crystals.
        base: group of the panel of each spot, `[n]`.
        n_base: number of groups.
        damping: of Levenberg and Marquardt, relative to the diagonal of all blocks.
    """
    n_columns, m, g = 6 * n_base + 1, len(crystals.a_star), crystals.n_groups
    reduced = Reduced(
        normal=np.zeros((n_columns, n_columns)),
        scores=np.empty((m, n_columns)),
        fixed_crystals=np.zeros((n_columns, n_columns)),
        freedom=np.zeros(2),
        of_crystal=np.empty((m, 9, 9)),
        of_crystal_gradient=np.empty((m, 9)),
        roots=np.empty((m, N_PARAMETERS, N_PARAMETERS)),
        shared=SharedCells(
            normal=np.zeros((g, N_METRIC, N_METRIC)),
            coupling=np.zeros((g, N_METRIC, n_columns)),
            gradient=np.zeros((g, N_METRIC)),
            scores=np.zeros((m, N_METRIC)),
        ),
    )
    directions, is_own = crystals.directions, crystals.is_own
    for lattices, spots in _lattice_parts(observations):
        sums = _summed(linear, observations, weight, base, n_base, lattices, spots)
        a_star = crystals.a_star[lattices].reshape(-1, 9)
        _add_detector(reduced, sums, a_star, lattices)
        own = directions[lattices] * is_own[lattices, :, None]
        _add_crystals(reduced, sums, a_star, own, lattices, damping)
        group = crystals.group[lattices]
        if (group >= 0).any():
            scores = _add_shared(
                reduced, sums, a_star, directions[lattices, :N_METRIC], reduced.roots[lattices] @ own, group
            )
            reduced.shared.scores[lattices] = scores
    reduced.normal[...] += reduced.fixed_crystals + damping * np.diag(np.diag(reduced.fixed_crystals))
    _eliminate_shared(reduced, crystals.group)
    return reduced


@dataclass(frozen=True)
class _Sums:
    """Sums over the spots of some lattices `[l]`, and over those of each lattice on each group of panels `[k]`."""

    by_positions: Array  # [l, 9, 9]
    by_delpsi: Array  # [l, 9, 9]
    gradient: Array  # [l, 9]
    lattice: Ints  # [k]
    base: Ints  # [k]
    coupling: Array  # [k, 9, 6]
    slope: Array  # [k, 6] gradient of the motions
    detector: Array  # [b, 6, 6]

    @property
    def normal(self) -> Array:
        return np.asarray(self.by_positions + self.by_delpsi)

    def coupling_matrix(self, roots: Array, a_star: Array) -> Array:
        """Coupling of crystals and detector, multiplied by matrices from the left, `[l, r, c]`."""
        n_rows, n_base = roots.shape[1], len(self.detector)
        starts = np.searchsorted(self.lattice, np.arange(len(roots) + 1))
        blocks = bsr_matrix(
            (roots[self.lattice] @ self.coupling, self.base, starts), shape=(n_rows * len(roots), 6 * n_base)
        ).toarray()
        # positions and delta psi depend on A*/wavenumber only
        wavenumber = -(roots @ (self.normal @ a_star[:, :, None])).reshape(-1, 1)
        return np.asarray(np.concatenate([blocks, wavenumber], axis=1).reshape(len(roots), n_rows, -1))


def _lattice_parts(observations: Observations) -> Iterator[tuple[slice, slice]]:
    """Numbers of consecutive lattices with about as many spots as are treated at once, and these spots."""
    ends = np.cumsum(observations.n_spots)
    first = 0
    while first < len(ends):
        begin = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, begin + _SPOTS_AT_ONCE, side="right")))
        yield slice(first, last), slice(begin, int(ends[last - 1]))
        first = last


def _summed(
    linear: Linearised,
    observations: Observations,
    weight: Array,
    base: Ints,
    n_base: int,
    lattices: slice,
    spots: slice,
) -> _Sums:
    by_point, by_motion, weight = linear.by_point[spots], linear.by_motion[spots], weight[spots]
    hkl = observations.hkl[spots].astype(float)
    lattice, base = observations.lattice[spots] - lattices.start, base[spots]
    n_lattices, n = lattices.stop - lattices.start, len(hkl)
    weighted = by_point * weight[:, :, None]
    squares = hkl[:, _ROW] * hkl[:, _COLUMN]
    of_lattice = _adder(np.searchsorted(lattice, np.arange(n_lattices + 1)))
    blocks = []
    for kinds in (slice(0, 2), slice(2, 3)):
        points = np.einsum("nok,nok->nk", weighted[:, kinds, _ROW], by_point[:, kinds, _COLUMN])
        sums = (of_lattice @ (points[:, :, None] * squares[:, None, :]).reshape(n, 36)).reshape(-1, 6, 6)
        blocks.append(sums[:, _PAIR[:, None, :, None], _PAIR[None, :, None, :]].reshape(-1, 9, 9))
    slope = np.einsum("noi,no->ni", weighted, linear.residual[spots])
    gradient = of_lattice @ (slope[:, :, None] * hkl[:, None, :]).reshape(n, 9)
    place = lattice.astype(np.int64) * n_base + base
    begins = np.flatnonzero(np.diff(place, prepend=-1))
    mixed = np.einsum("noi,nom->nim", weighted[:, :2], by_motion)
    of_place = _adder(np.append(begins, n))
    coupling = of_place @ (mixed[:, :, None, :] * hkl[:, None, :, None]).reshape(n, 54)
    weighted_motion = by_motion * weight[:, :2, None]
    of_base = csr_matrix((np.ones(n), (base, np.arange(n))), shape=(n_base, n))
    return _Sums(
        by_positions=blocks[0],
        by_delpsi=blocks[1],
        gradient=gradient,
        lattice=lattice[begins],
        base=base[begins],
        coupling=coupling.reshape(-1, 9, 6),
        slope=of_place @ np.einsum("nok,no->nk", weighted_motion, linear.residual[spots, :2]),
        detector=(of_base @ np.einsum("nok,nom->nkm", weighted_motion, by_motion).reshape(n, 36)).reshape(-1, 6, 6),
    )


def _adder(starts: Ints) -> csr_matrix:
    """Matrix that adds consecutive rows, from each start to the next one."""
    n = int(starts[-1])
    return csr_matrix((np.ones(n), np.arange(n), starts), shape=(len(starts) - 1, n))


def _add_detector(reduced: Reduced, sums: _Sums, a_star: Array, lattices: slice) -> None:
    n_base = len(sums.detector)
    number = np.arange(n_base)
    fixed = reduced.fixed_crystals
    fixed[:-1, :-1].reshape(n_base, 6, n_base, 6)[number, :, number, :] += sums.detector
    wavenumber = np.zeros((n_base, 6))
    np.add.at(wavenumber, sums.base, -np.einsum("ki,kim->km", a_star[sums.lattice], sums.coupling))
    fixed[-1, :-1] += wavenumber.ravel()
    fixed[:-1, -1] += wavenumber.ravel()
    fixed[-1, -1] += np.einsum("li,lij,lj->", a_star, sums.normal, a_star, optimize=True)
    scores = np.zeros((len(a_star), n_base, 6))
    scores[sums.lattice, sums.base] = sums.slope
    by_wavenumber = -np.einsum("li,li->l", a_star, sums.gradient)
    reduced.scores[lattices] = np.column_stack([scores.reshape(len(a_star), -1), by_wavenumber])


def _add_crystals(reduced: Reduced, sums: _Sums, a_star: Array, own: Array, lattices: slice, damping: float) -> None:
    """Subtract what crystals absorb by parameters of their own, ``own`` `[l, 9 parameters, 9]`."""
    normal = sums.normal
    reduced.of_crystal[lattices], reduced.of_crystal_gradient[lattices] = normal, sums.gradient
    reduced.roots[lattices] = inverse_root(own @ normal @ np.swapaxes(own, 1, 2), damping)
    roots = reduced.roots[lattices] @ own  # of elements of A*
    for kind, part in enumerate((sums.by_positions, sums.by_delpsi)):
        reduced.freedom[kind] += np.einsum("lpi,lij,lpj->", roots, part, roots, optimize=True)
    absorbed = sums.coupling_matrix(roots, a_star)
    slope = np.einsum("lpi,li->lp", roots, sums.gradient)
    reduced.scores[lattices] -= np.einsum("lpc,lp->lc", absorbed, slope)
    absorbed = absorbed.reshape(-1, len(reduced.normal))
    reduced.normal[...] -= absorbed.T @ absorbed


def _add_shared(reduced: Reduced, sums: _Sums, a_star: Array, metric: Array, roots: Array, group: Ints) -> Array:
    """Add to the equations of shared cells, ``metric`` `[l, 6, 9]` are their directions of A*; scores `[l, 6]`."""
    chosen = np.flatnonzero(group >= 0)
    adder = csr_matrix((np.ones(len(chosen)), (group[chosen], chosen)), shape=(len(reduced.shared.normal), len(group)))
    of_cell = metric @ sums.normal
    absorbed = of_cell @ np.swapaxes(roots, 1, 2)  # [l, 6, 9 parameters]
    left = metric - absorbed @ roots  # what remains of a change of the cell after the best rotation
    scores = (left @ sums.gradient[:, :, None])[:, :, 0]
    shared = reduced.shared
    for total, part in (
        (shared.normal, of_cell @ np.swapaxes(left, 1, 2)),
        (shared.coupling, sums.coupling_matrix(left, a_star)),
        (shared.gradient, scores),
    ):
        total[...] += (adder @ part.reshape(len(group), -1)).reshape(total.shape)
    return np.asarray(scores)


def _eliminate_shared(reduced: Reduced, group: Ints) -> None:
    shared = reduced.shared
    roots = inverse_root(shared.normal)
    scaled = roots @ shared.coupling
    absorbed = scaled.reshape(-1, len(reduced.normal))
    reduced.normal[...] -= absorbed.T @ absorbed
    for number in range(len(shared.normal)):
        members = np.flatnonzero(group == number)
        reduced.scores[members] -= (shared.scores[members] @ roots[number].T) @ scaled[number]


def inverse_root(normal: Array, damping: float = 0.0) -> Array:
    """Matrices R with R'R the inverse of normal matrices, both `[m, k, k]`; directions without curvature give zero."""
    diagonal = np.einsum("mkk->mk", normal)
    scale = np.where(diagonal > 0, 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0)), 0.0)
    values, vectors = np.linalg.eigh(normal * scale[:, :, None] * scale[:, None, :])
    roots = np.where(values > _SINGULAR, 1.0 / np.sqrt(np.maximum(values, _SINGULAR) + damping), 0.0)
    return np.asarray(roots[:, :, None] * np.swapaxes(vectors, 1, 2) * scale[:, None, :])


def steps_of_crystals(
    reduced: Reduced,
    linear: Linearised,
    observations: Observations,
    weight: Array,
    crystals: Crystals,
    base: Ints,
    step: Array,
) -> Array:
    """Steps of the crystals along their parameters `[m, 9]` that belong to a step of the detector, `[c]`."""
    gradient = reduced.of_crystal_gradient.copy()
    motions = step[:-1].reshape(-1, 6)
    for lattices, spots in _lattice_parts(observations):
        moved = np.einsum("nom,nm->no", linear.by_motion[spots], motions[base[spots]]) * weight[spots, :2]
        slope = np.einsum("noi,no->ni", linear.by_point[spots, :2], moved)
        lattice = observations.lattice[spots] - lattices.start
        adder = _adder(np.searchsorted(lattice, np.arange(lattices.stop - lattices.start + 1)))
        hkl = observations.hkl[spots].astype(float)
        gradient[lattices] += adder @ (slope[:, :, None] * hkl[:, None, :]).reshape(-1, 9)
    a_star = crystals.a_star.reshape(-1, 9)
    gradient -= step[-1] * np.einsum("mij,mj->mi", reduced.of_crystal, a_star)
    directions = crystals.directions
    cells = np.zeros((len(gradient), N_METRIC))
    if crystals.n_groups:
        shared = reduced.shared
        roots = inverse_root(shared.normal)
        of_groups = -np.swapaxes(roots, 1, 2) @ (roots @ (shared.gradient + shared.coupling @ step)[:, :, None])
        cells[crystals.group >= 0] = of_groups[crystals.group[crystals.group >= 0], :, 0]
        changes = np.einsum("mk,mki->mi", cells, directions[:, :N_METRIC])
        gradient += np.einsum("mij,mj->mi", reduced.of_crystal, changes)
    own = directions * crystals.is_own[:, :, None]
    scaled = np.einsum("mpq,mqi,mi->mp", reduced.roots, own, gradient, optimize=True)
    steps = -np.einsum("mpq,mp->mq", reduced.roots, scaled)
    steps[:, :N_METRIC] += cells
    return np.asarray(steps)
