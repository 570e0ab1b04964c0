"""Measures how a detector moved during a run, from the indexed spots of many stills in the order of time.

Each lattice gives its own shift along x, y and the beam, in one linear step from a geometry that is refined for all,
with its orientation eliminated and its cell held.  Means are taken over blocks of lattices, with uncertainties from the
scatter between lattices.  Limits and measurements: docs/decisions/0032-drift-of-the-geometry.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from iota.crystallography.cells import Cell, cell_from_basis, median_cell, metric_tensors
from iota.crystallography.nearness import ONE_SETTING, are_near
from iota.errors import UsageError
from iota.geometry.crystals import with_metric
from iota.geometry.deviations import DISTANCE, SHIFTS
from iota.geometry.displacements import displacements
from iota.geometry.drift.courses import follow
from iota.geometry.drift.record import (
    MINIMUM_FOR_DRIFT,
    Course,
    DriftBlock,
    GeometryDrift,
    GeometryPart,
    drift_sentence,
)
from iota.geometry.joint import JointRefinement, refine
from iota.geometry.motions import distance_mm, laboratory_axes
from iota.geometry.normal_equations import linearise
from iota.geometry.observations import Observations
from iota.geometry.panels import Ints, Panels
from iota.geometry.prediction import Array

NAMES = (*SHIFTS, DISTANCE)

_MIN_LATTICES, _MAX_BLOCKS = 25, 40  # lattices of a block, and blocks
_MIN_SPOTS = 10  # of a lattice
_SIGNIFICANT = 25.0  # gain of chi-squared
_MATTERS_PX = 0.25  # displacement of spots (rms) between the extremes...
_MATTERS_OF_RMSD = 0.5  # ...and as a fraction of what is left of the RMSD
_ONE_GEOMETRY_PX = 0.05  # displacement by which parts of a run that are processed together may differ from their mean
_OUTLIER = 4.0  # standard deviations of a lattice from the median of its block
_ALIKE = 0.5  # of the change that the cell axes have in common, by which single axes may differ from it
_SAME_LENGTH, _SAME_SHARE, _SAME_DEG = 0.0015, 0.2, 0.5  # as in the diagnosis of the distance
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True)
class DriftFit:
    """How a detector moved, and its mean position."""

    drift: GeometryDrift
    panels: Panels  # refined for all lattices: courses are relative to them


def fit_drift(panels: Panels, observations: Observations, known_cell: Cell | None = None) -> DriftFit:
    """Measure how a detector moved, relative to its mean position, which is refined.

    All lattices are given one cell. Changes of the distance do not depend on which it is. Their mean does: with the
    median of the cells of the lattices it is zero, except for noise.

    Args:
        panels: the detector with which the lattices were refined.
        observations: indexed spots of lattices of one crystal form, whose times are known.
        known_cell: in the setting of the lattices (A, degrees); it is not used if their axes differ by several factors.

    Raises:
        UsageError: there are too few lattices.
    """
    in_time = np.argsort(observations.time, kind="stable")
    usable = np.isfinite(observations.time) & (observations.n_spots >= _MIN_SPOTS)
    cells = _cells(observations.a_star)
    usable &= are_near(cells, median_cell(cells[usable]), ONE_SETTING) if usable.any() else False
    observations = observations.select(in_time[usable[in_time]])
    if observations.n_lattices < MINIMUM_FOR_DRIFT:
        raise UsageError(
            f"A drift cannot be measured with {observations.n_lattices} lattices; at least {MINIMUM_FOR_DRIFT} are"
            " needed."
        )
    cell = median_cell(_cells(observations.a_star))
    is_known = known_cell is not None and _is_same_form(cell, known_cell)
    if known_cell is not None and is_known:
        cell = known_cell
    metric = np.linalg.inv(metric_tensors(cell)[0])
    found = refine(panels, replace(observations, a_star=with_metric(observations.a_star, metric)), hold_cells=True)
    estimates = _estimates(found, observations)
    block = _blocks(observations.n_lattices)
    means = _means(estimates, block)
    beam = observations.s0.mean(axis=0)
    drift = GeometryDrift(
        n_lattices=observations.n_lattices,
        distance_mm=distance_mm(panels, beam),
        blocks=list(_described(observations.time, block)),
        courses=[],
        is_cell_known=is_known,
        mean_mm={one.name: one.value for one in found.parameters if one.name in NAMES and one.esd is not None},
        remarks=list(found.remarks),
    )
    middle = np.array([observations.time[block == number].mean() for number in range(len(means.value))])
    limit_px = max(_MATTERS_PX, _MATTERS_OF_RMSD * found.rmsd_after_px)
    px_of_mm = _px_of_mm(panels, beam)
    for axis, name in enumerate(NAMES):
        drift.courses.append(
            _course(name, middle, means.value[:, axis], means.uncertainty[:, axis], float(px_of_mm[axis]), limit_px)
        )
    if _is_change_of_cells(observations.a_star, block):
        drift.courses = [one for one in drift.courses if one.name != DISTANCE]
        drift.remarks.append(
            "The cell axes change during the run, by different factors. This is a change of the crystals, so that"
            " a drift of the distance cannot be measured."
        )
    if not found.remarks:
        drift.sentence = drift_sentence(drift)
    if drift.sentence:
        drift.parts = list(_parts(drift, px_of_mm))
    return DriftFit(drift, found.panels)


def _is_same_form(cell: Cell, known: Cell) -> bool:
    """Whether a cell differs from the known one as with a wrong distance: all axes by one factor, and no angle."""
    logs = np.log(np.array(cell[:3]) / np.array(known[:3]))
    common = float(logs.mean())
    angles = np.abs(np.array(cell[3:]) - np.array(known[3:]))
    most = max(_SAME_LENGTH, _SAME_SHARE * abs(common))
    return bool(np.abs(logs - common).max() <= most and angles.max() <= _SAME_DEG)


def _cells(a_star: Array) -> Array:
    return np.array([cell_from_basis(basis) for basis in np.linalg.inv(a_star)])


def shifted(panels: Panels, beam: Array, shift_mm: tuple[float, float, float]) -> Panels:
    """The detector shifted as a whole along x, y and away from the sample."""
    axes = _axes(beam)
    shift = np.array(shift_mm) @ axes
    return panels.moved(panels.groups[0], shift[None], np.zeros((1, 3)), np.zeros((1, 3)))


def _axes(beam: Array) -> Array:
    """Directions of the shifts, as rows `[3, 3]`: x, y, and along the beam."""
    axes = laboratory_axes(beam)
    return np.asarray(axes * np.array([1.0, 1.0, np.sign(axes[2] @ beam)])[:, None])


@dataclass(frozen=True)
class _Estimates:
    """What each lattice says of the three shifts."""

    normal: Array  # [m, 3, 3] normal matrices, after elimination of the orientations
    gradient: Array  # [m, 3]

    def combined(self, between: Array) -> tuple[Array, Array]:
        """Weights `[m, 3, 3]`, and weighted estimates `[m, 3]`, if lattices differ by variances `[3]`."""
        # (C + T)^-1 with C = N^-1, without inverting N, which may be singular
        damped = np.eye(3) + self.normal * between
        return np.linalg.solve(damped, self.normal), np.linalg.solve(damped, -self.gradient[:, :, None])[:, :, 0]


def _estimates(found: JointRefinement, observations: Observations) -> _Estimates:
    m = observations.n_lattices
    used = observations.select_spots(found.accepted)
    axes = _axes(observations.s0.mean(axis=0))
    normal, gradient = np.zeros((m, 6, 6)), np.zeros((m, 6))
    step = _MIN_LATTICES
    for begin in range(0, m, step):
        chosen = slice(begin, min(begin + step, m))
        part = used.select(np.arange(m)[chosen])
        if len(part):
            normal[chosen], gradient[chosen] = _sums(found, part, found.a_star[chosen], found.s0[chosen], axes)
    own, coupling = normal[:, :3, :3], normal[:, :3, 3:]
    absorbed = np.swapaxes(np.linalg.pinv(own, hermitian=True) @ coupling, 1, 2)
    return _Estimates(
        normal[:, 3:, 3:] - absorbed @ coupling,
        gradient[:, 3:] - np.einsum("mij,mj->mi", absorbed, gradient[:, :3]),
    )


def _sums(found: JointRefinement, part: Observations, a_star: Array, s0: Array, axes: Array) -> tuple[Array, Array]:
    """Normal matrices `[m, 6, 6]` and gradients `[m, 6]` of rotations of the crystal and shifts of the detector."""
    linear = linearise(found.panels, part, a_star, s0, np.zeros(3))
    q = np.einsum("nij,nj->ni", a_star[part.lattice], part.hkl.astype(float))
    turned = np.cross(np.eye(3)[None], q[:, None, :])  # of q, by rotations about x, y, z
    slopes = np.zeros((len(part), 3, 6))
    slopes[:, :, :3] = linear.by_point @ np.swapaxes(turned, 1, 2)
    slopes[:, :2, 3:] = linear.by_motion[:, :, :3] @ axes.T
    weight = np.column_stack(
        [part.weight / found.position_scale**2, np.full(len(part), 1.0 / found.delpsi_sigma_rad**2)]
    )
    weighted = slopes * weight[:, :, None]
    products = np.swapaxes(weighted, 1, 2) @ slopes
    gradients = np.einsum("nop,no->np", weighted, linear.residual)
    normal, gradient = np.zeros((len(a_star), 6, 6)), np.zeros((len(a_star), 6))
    begins = np.flatnonzero(np.diff(part.lattice, prepend=-1))
    lattices = part.lattice[begins]
    normal[lattices], gradient[lattices] = np.add.reduceat(products, begins), np.add.reduceat(gradients, begins)
    return normal, gradient


def _blocks(n_lattices: int) -> Ints:
    """Number of the block of each lattice, in the order of time, `[m]`."""
    n_blocks = min(n_lattices // _MIN_LATTICES, _MAX_BLOCKS)
    return np.arange(n_lattices) * n_blocks // n_lattices


@dataclass(frozen=True)
class _Means:
    """Means of blocks, relative to that of all lattices."""

    value: Array  # [b, 3]
    uncertainty: Array  # [b, 3]


def _means(estimates: _Estimates, block: Ints) -> _Means:
    """Means of blocks of lattices; the variance between the lattices of a block is found from their scatter."""
    covariance = np.linalg.pinv(estimates.normal, hermitian=True)
    own = -np.einsum("mij,mj->mi", covariance, estimates.gradient)
    variance = np.einsum("mii->mi", covariance)
    is_determined = np.einsum("mii->mi", estimates.normal).min(axis=1) > 0.0
    off = own - _medians(own, block)[block]
    spread = (_MAD_TO_SIGMA * np.median(np.abs(off[is_determined]), axis=0)) ** 2
    between = np.maximum(spread - np.median(variance[is_determined], axis=0), 0.0)
    is_used = is_determined & (off**2 < _OUTLIER**2 * (variance + between)).all(axis=1)
    weight, weighted = estimates.combined(between)
    weight, weighted = weight * is_used[:, None, None], weighted * is_used[:, None]
    n_blocks = int(block[-1]) + 1
    total, sums = np.zeros((n_blocks, 3, 3)), np.zeros((n_blocks, 3))
    np.add.at(total, block, weight)
    np.add.at(sums, block, weighted)
    inverse = np.linalg.inv(total)
    value = np.einsum("bij,bj->bi", inverse, sums)
    # scatter of the lattices within blocks, relative to what the weights imply
    scores = weighted - np.einsum("mij,mj->mi", weight, value[block])
    parts = np.einsum("mij,mj->mi", inverse[block], scores)
    scatter, implied = np.zeros((n_blocks, 3)), np.einsum("bii->bi", inverse)
    np.add.at(scatter, block, parts**2)
    n = np.bincount(block, weights=is_used, minlength=n_blocks)[:, None]
    excess = (scatter * n / np.maximum(n - 1.0, 1.0) / implied).mean(axis=0)
    mean = np.average(value, axis=0, weights=np.bincount(block))
    return _Means(value - mean, np.sqrt(implied * excess))


def _medians(values: Array, block: Ints) -> Array:
    """Medians of values `[m, k]` in each block, `[b, k]`."""
    return np.array([np.median(values[block == number], axis=0) for number in range(int(block[-1]) + 1)])


def _described(time: Array, block: Ints) -> Iterator[DriftBlock]:
    for number in range(int(block[-1]) + 1):
        times = time[block == number]
        yield DriftBlock(first=float(times[0]), last=float(times[-1]), n_lattices=len(times))


def _course(name: str, time: Array, value: Array, uncertainty: Array, px_of_mm: float, limit_px: float) -> Course:
    followed = follow(time, value, uncertainty)
    is_significant = followed.gain > _SIGNIFICANT
    course = followed.value if is_significant else np.zeros(len(value))
    change = float(np.ptp(course))
    return Course(
        name=name,
        measured_mm=value.tolist(),
        uncertainty_mm=uncertainty.tolist(),
        followed_mm=course.tolist(),
        change_mm=change,
        displacement_px=change * px_of_mm,
        gain=followed.gain,
        is_significant=is_significant,
        matters=change * px_of_mm > limit_px,
    )


def _is_change_of_cells(a_star: Array, block: Ints) -> bool:
    """Whether single axes of the cells change more during the run than all of them have in common.

    A change of the distance, or of the wavelength, changes all axes by one factor.
    """
    logs = np.log(_cells(a_star)[:, :3])
    of_blocks = _medians(logs, block)
    within = _MAD_TO_SIGMA * np.median(np.abs(logs - of_blocks[block]), axis=0)
    noise = (1.2533 * within) ** 2 / np.bincount(block).mean()  # variance of a median
    of_blocks -= of_blocks.mean(axis=0)
    common = of_blocks.mean(axis=1)
    single = ((of_blocks - common[:, None]) ** 2).mean(axis=0) - noise
    all_together = (common**2).mean() - noise.mean() / 3.0
    return bool(single.max() > _ALIKE**2 * max(all_together, 0.0) and single.max() > 3.0 * noise.max())


def _px_of_mm(panels: Panels, beam: Array) -> Array:
    """By how much a shift of 1 mm along each direction displaces spots (px, rms over the detector), `[3]`."""
    small = 1e-3
    moved = [shifted(panels, beam, tuple(small * axis)) for axis in np.eye(3)]
    lengths = [displacements(panels, one, beam).length_px for one in moved]
    return np.array([math.sqrt(float((length**2).mean())) / small for length in lengths])


def _parts(drift: GeometryDrift, px_of_mm: Array) -> Iterator[GeometryPart]:
    """Consecutive blocks whose geometry is the same within a small part of a pixel."""
    course = np.zeros((len(drift.blocks), 3))
    for axis, name in enumerate(NAMES):
        one = drift.course(name)
        if one is not None and one.is_significant and one.matters:
            course[:, axis] = one.followed_mm
    begin = 0
    for end in range(1, len(course) + 1):
        is_last = end == len(course)
        if not is_last:
            candidate = course[begin : end + 1]
            if (np.ptp(candidate, axis=0) * px_of_mm).max() <= 2.0 * _ONE_GEOMETRY_PX:
                continue
        n = [block.n_lattices for block in drift.blocks[begin:end]]
        shift = np.average(course[begin:end], axis=0, weights=n)
        x, y, z = (float(value) for value in shift)
        yield GeometryPart(first=drift.blocks[begin].first, n_lattices=sum(n), shift_mm=(x, y, z))
        begin = end
