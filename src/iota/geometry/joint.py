"""Joint refinement of a detector and of the crystals of many stills.

Detector, orientations and cells are refined together against x, y and delta psi of all spots, by Gauss-Newton steps on
normal equations from which the crystals have been eliminated exactly.  Method, limits and figures:
docs/decisions/0028-joint-refinement-of-geometry.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from scipy.linalg import block_diag

from iota.errors import UsageError
from iota.geometry.crystals import Crystals, crystals_of
from iota.geometry.degeneracy import Directions, HeldDirection, Solution, directions_of, solve
from iota.geometry.deviations import DISTANCE
from iota.geometry.motions import MOTIONS, ROTATIONS, Motions, motions_of
from iota.geometry.normal_equations import Linearised, Reduced, eliminate, linearise, residuals, steps_of_crystals
from iota.geometry.observations import Observations
from iota.geometry.outliers import accepted, variances, variances_of_positions
from iota.geometry.panels import Ints, Panels
from iota.geometry.prediction import Array
from iota.geometry.spread import Spread, precision_of_parameters, spread_of, unknown_spread

MINIMUM_LATTICES = 10
MINIMUM_SPOTS = 20  # on a group of panels that is moved by itself

_CUTOFFS = (6.0, 4.0, 4.0)  # of outliers, in successive rounds (standard deviations)
_MAX_STEPS = 12  # in a round
_SMALL_STEPS = (1.0, 0.1, 0.01)  # of a round, by which chi^2 can still decrease by moving the detector
_SMALL_GAIN = 1e-5  # relative decrease of chi^2 in a step, after which crystals are where they should be
_LARGEST_DAMPING = 1e6
_ONE_ORIENTATION_DEG = 3.0
_LATTICES_PER_PARAMETER = 3  # for uncertainties from the scatter of the lattices

WAVELENGTH = "wavelength"
_UNITS = {**dict.fromkeys(ROTATIONS, ("degrees", float(np.degrees(1.0)))), WAVELENGTH: ("%", -100.0)}
_TOLERATED_PX = 2.0  # uncertainty of a motion of the whole: displacement of spots (rms) if crystals were fixed
_TOLERATED_OF_PARTS_PX = 0.25  # of a group relative to its parent: displacement of the group in space (rms)
_HELD_SHARE = 0.5  # of a motion in directions that are held: it then counts as not determined


@dataclass(frozen=True)
class Parameter:
    """A motion of the detector or of a group of panels relative to its parent, since the start of the refinement."""

    name: str
    level: int
    group: int
    value: float
    esd: float | None  # None: not determined, see ``held``
    unit: str  # mm, degrees or %


@dataclass(frozen=True)
class Held:
    """A motion that was not refined."""

    level: int
    group: int
    name: str
    reason: str


@dataclass(frozen=True)
class JointRefinement:
    """Result of a joint refinement."""

    panels: Panels
    a_star: Array  # [m, 3, 3]
    s0: Array  # [m, 3]
    parameters: tuple[Parameter, ...]
    held: tuple[Held, ...]
    rmsd_before_px: float
    rmsd_after_px: float
    n_lattices: int
    n_spots: int  # used
    n_rejected: int
    accepted: npt.NDArray[np.bool_]  # [n] which spots were used
    delpsi_sigma_rad: float  # standard deviation of delta psi
    position_scale: float  # standard deviation of positions (rms) relative to that given by the weights
    remarks: tuple[str, ...]  # sentences on what limits the result


def refine(
    panels: Panels,
    observations: Observations,
    levels: tuple[int, ...] = (0,),
    *,
    hold_cells: bool = False,
    refine_wavelength: bool = False,
    minimum_lattices: int = MINIMUM_LATTICES,
) -> JointRefinement:
    """Refine a detector and the crystals together.

    Args:
        panels: the detector.
        observations: spots and crystals at the start.
        levels: levels of the hierarchy whose groups are moved, from coarse to fine; none: only the crystals.
        hold_cells: cells are known. If not, lattices share those of their ``cell_group``.
        refine_wavelength: also one factor on the wavelength of all lattices; it needs known cells.
        minimum_lattices: refuse fewer.

    Raises:
        UsageError: there are not enough lattices, or the levels are not those of the detector.
    """
    _check(panels, observations, minimum_lattices)
    crystals = crystals_of(
        observations.a_star,
        observations.cell_group,
        observations.space_group,
        observations.n_spots,
        hold_cells=hold_cells,
    )
    before = residuals(panels, observations, observations.a_star, observations.s0)
    start = residuals(panels, observations, crystals.a_star, observations.s0)
    usable = np.isfinite(before).all(axis=1) & np.isfinite(start).all(axis=1) & (observations.weight > 0).all(axis=1)
    counts = np.bincount(observations.panel[usable], minlength=len(panels))
    motions = motions_of(panels, levels, observations.s0.mean(axis=0), counts, MINIMUM_SPOTS)
    chosen = np.flatnonzero(usable)
    chosen = chosen[np.lexsort((motions.base[observations.panel[chosen]], observations.lattice[chosen]))]
    problem = _Problem(panels, observations.select_spots(chosen), motions, refine_wavelength)
    theta, spread = np.zeros(problem.to_values.shape[1]), unknown_spread(len(problem.labels))
    state, solution, reduced = problem.solved(_State(panels, motions, crystals, observations.s0, theta, spread))
    is_used = np.zeros(len(observations), dtype=bool)
    is_used[chosen[state.weight[:, 0] > 0]] = True
    after = residuals(state.panels, observations, state.crystals.a_star, state.s0)
    pixel_mm = panels.pixel_mm[observations.panel]
    return JointRefinement(
        panels=state.panels,
        a_star=state.crystals.a_star,
        s0=state.s0,
        parameters=tuple(_parameters(problem, state, solution, reduced)),
        held=tuple(_held(problem, motions, solution, panels, counts)),
        rmsd_before_px=_rmsd(before[is_used, :2] / pixel_mm[is_used]),
        rmsd_after_px=_rmsd(after[is_used, :2] / pixel_mm[is_used]),
        n_lattices=len(np.unique(observations.lattice[is_used])),
        n_spots=int(is_used.sum()),
        n_rejected=int((~is_used).sum()),
        accepted=is_used,
        delpsi_sigma_rad=float(np.sqrt(state.delpsi_variance)),
        position_scale=problem.position_scale(state),
        remarks=tuple(_remarks(state.crystals.a_star)),
    )


def _check(panels: Panels, observations: Observations, minimum_lattices: int) -> None:
    with_spots = int((observations.n_spots >= 3).sum())
    if with_spots < max(minimum_lattices, 1):
        raise UsageError(
            f"The geometry cannot be refined from {with_spots} indexed lattice{'' if with_spots == 1 else 's'}:"
            f" their orientations would absorb its errors. At least {max(minimum_lattices, 1)} are needed."
        )
    if not 0 <= observations.panel.min() <= observations.panel.max() < len(panels):
        raise UsageError(
            f"Spots are on panel {observations.panel.max()}, but the detector has panels 0 to {len(panels) - 1}."
            " Give the geometry with which they were found."
        )


def _remarks(a_star: Array) -> Iterator[str]:
    angle = _spread_of_orientations_deg(a_star)
    if len(a_star) > 1 and angle < _ONE_ORIENTATION_DEG:
        yield (
            f"All {len(a_star)} lattices have the same orientation within {angle:.1f} degrees. Their spots are in the"
            " same places, so that errors of these places are not averaged: the uncertainties are too small, and the"
            " result may not hold for other orientations."
        )


def _spread_of_orientations_deg(a_star: Array) -> float:
    """Largest angle to the first lattice, if it is small; lattices equivalent by symmetry are described alike.

    Orientations that differ by much are 180 degrees apart.
    """
    first = np.linalg.inv(a_star[0])
    basis = np.rint(first @ a_star)  # vectors of each lattice in those of the first, if it is in the same orientation
    if not np.allclose(np.linalg.det(basis), 1.0):
        return 180.0
    u, _, vt = np.linalg.svd(a_star @ np.linalg.inv(basis) @ first)
    cosine = 0.5 * (np.trace(u @ vt, axis1=1, axis2=2) - 1.0)
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))).max())


def _rmsd(xy: Array) -> float:
    return float(np.sqrt((xy**2).sum(axis=1).mean())) if len(xy) else float("nan")


@dataclass(frozen=True)
class _State:
    panels: Panels
    motions: Motions
    crystals: Crystals
    s0: Array  # [m, 3]
    theta: Array  # [t] free parameters so far
    spread: Spread  # of the values
    weight: Array = field(default_factory=lambda: np.empty((0, 3)))  # [n, 3] of the residuals
    delpsi_variance: float = 0.0


class _Problem:
    """What stays the same while a detector is refined."""

    def __init__(self, panels: Panels, observations: Observations, motions: Motions, refine_wavelength: bool) -> None:
        self.observations = observations
        self.groups = panels.groups
        self.base = motions.base[observations.panel]
        self.n_base = int(motions.base.max()) + 1
        self.pixel_mm = np.sqrt(panels.pixel_mm.prod(axis=1))[observations.panel]
        # free parameters: of motions, then perhaps the logarithm of the wavenumber
        self.wavenumber = np.ones((1, 1 if refine_wavelength else 0))
        self.to_values = block_diag(motions.to_values, self.wavenumber[: self.wavenumber.shape[1]])
        self.labels = motions.labels() + [(0, 0, WAVELENGTH)] * self.wavenumber.shape[1]
        n_motions = motions.to_values.shape[1]
        number = np.arange(self.to_values.shape[1])
        self.is_of_whole = (number >= n_motions) | ((number < 6) & (0 in [level.level for level in motions.levels]))
        self.kinds = [None if label[0] == 0 else (label[0], label[2]) for label in self.labels]
        self.downstream = float(np.sign(motions.axes[2] @ observations.s0.mean(axis=0)))

    def solved(self, state: _State) -> tuple[_State, Solution, Reduced]:
        """Rounds of rejection and refinement, and the solution at the minimum, for uncertainties."""
        freedom = np.zeros(2)
        for number, (cutoff, small) in enumerate(zip(_CUTOFFS, _SMALL_STEPS, strict=True)):
            state = self._with_weights(state, cutoff, freedom)
            state, freedom = self._refined(state, small, is_first=number == 0)
        state = self._with_weights(state, _CUTOFFS[-1], freedom)
        _, reduced = self._equations(state, 0.0)
        return state, self._solution(reduced, state), reduced

    def position_scale(self, state: _State) -> float:
        """Standard deviation of positions relative to that given by the weights of spots that are used (rms)."""
        used = state.weight[:, 0] > 0
        return float(np.sqrt((self.observations.weight[used] / state.weight[used, :2]).mean()))

    def _to_columns(self, state: _State) -> Array:
        """Columns of the normal equations from free parameters."""
        return np.asarray(block_diag(state.motions.to_base, self.wavenumber))

    def _residuals(self, state: _State) -> Array:
        return residuals(state.panels, self.observations, state.crystals.a_star, state.s0)

    def _with_weights(self, state: _State, cutoff: float, freedom: Array) -> _State:
        """Outliers get no weight, the others that of the variances found."""
        found = self._residuals(state)
        given = self.observations.weight
        of_positions = variances_of_positions(found, given, self.observations.panel)
        used = accepted(found, (given > 0) / of_positions, self.observations.panel, cutoff)
        factor, of_delpsi = variances(found[used], 1.0 / of_positions[used], freedom)
        weight = np.column_stack([1.0 / (factor * of_positions), np.full(len(given), 1.0 / of_delpsi)]) * used[:, None]
        return replace(state, weight=weight, delpsi_variance=float(of_delpsi))

    def _equations(self, state: _State, damping: float) -> tuple[Linearised, Reduced]:
        linear = linearise(state.panels, self.observations, state.crystals.a_star, state.s0, state.motions.origin_mm)
        return linear, eliminate(
            linear, self.observations, state.weight, state.crystals, self.base, self.n_base, damping
        )

    def _costs(self, state: _State) -> Array:
        """Chi^2 of the spots and of the values of motions, `[2]`."""
        values = self.to_values @ state.theta
        return np.array([(state.weight * self._residuals(state) ** 2).sum(), state.spread.likely @ values**2])

    def _refined(self, state: _State, small: float, is_first: bool) -> tuple[_State, Array]:
        """Gauss-Newton steps, damped when they fail, until moving the detector no longer matters.

        In the first round nothing is known of how far parts are displaced.
        """
        costs, damping = np.zeros(2), 0.0
        for number in range(_MAX_STEPS):
            linear, reduced = self._equations(state, damping)
            if number == 0:
                state = state if is_first else self._with_spread(state, reduced)
                costs = self._costs(state)
            excess = float(costs[0]) / max(1, np.count_nonzero(state.weight))
            solution = self._solution(reduced, state, max(1.0, excess))
            step = self._to_columns(state) @ solution.step
            trial = self._moved(
                state,
                solution.step,
                steps_of_crystals(reduced, linear, self.observations, state.weight, state.crystals, self.base, step),
            )
            new_costs = self._costs(trial)
            if not new_costs.sum() <= costs.sum() * (1.0 + 1e-12):  # also when it is not a number
                damping = max(10.0 * damping, 1e-3)
                if damping > _LARGEST_DAMPING:
                    break
                continue
            gain = float(costs.sum() - new_costs.sum())
            state, costs, damping = trial, new_costs, 0.0 if damping <= 1e-3 else 0.1 * damping
            if solution.gain < small and gain < max(small, _SMALL_GAIN * costs[0]):
                break
        return state, reduced.freedom

    def _moved(self, state: _State, step: Array, of_crystals: Array) -> _State:
        values = self.to_values @ step
        n_motions = len(values) - self.wavenumber.shape[1]
        panels, motions = state.motions.apply(state.panels, values[:n_motions])
        return replace(
            state,
            panels=panels,
            motions=motions,
            crystals=state.crystals.moved(of_crystals),
            s0=state.s0 * np.exp(values[n_motions:].sum()),
            theta=state.theta + step,
        )

    def _solution(self, reduced: Reduced, state: _State, excess: float = 1.0) -> Solution:
        """Solve for the free parameters; ``excess`` is by how much variances exceed those of the weights."""
        directions, gradient = self._directions(reduced, state, excess)
        prior = precision_of_parameters(state.spread.likely, self.to_values) / excess
        return solve(directions, gradient + prior @ state.theta, prior)

    def _directions(self, reduced: Reduced, state: _State, excess: float) -> tuple[Directions, Array]:
        """What can be determined, and the gradient of the spots by the free parameters."""
        to_columns = self._to_columns(state)
        fixed = to_columns.T @ reduced.fixed_crystals @ to_columns
        # a displacement of all spots by one pixel would change chi by
        chi_of_px = np.sqrt(0.5 * (state.weight[:, :2] * self.pixel_mm[:, None] ** 2).sum())
        of_whole = _TOLERATED_PX * chi_of_px / np.sqrt(np.maximum(np.diag(fixed), 1e-30))
        tolerance = np.where(self.is_of_whole, of_whole, _TOLERATED_OF_PARTS_PX * self.pixel_mm.mean())
        normal, gradient = to_columns.T @ reduced.normal @ to_columns, to_columns.T @ reduced.gradient
        return directions_of(normal / excess, fixed / excess, tolerance), gradient / excess

    def _with_spread(self, state: _State, reduced: Reduced) -> _State:
        """How far parts of the detector are displaced, from all of them."""
        directions, gradient = self._directions(reduced, state, 1.0)
        return replace(state, spread=spread_of(directions, gradient, state.theta, self.to_values, self.kinds))

    def esds(self, state: _State, solution: Solution, reduced: Reduced) -> Array:
        """Standard uncertainties of the values `[v]`, from the scatter of the lattices where this is larger.

        Spots of one lattice may have errors in common; those of different lattices are independent. The sandwich
        estimate accounts for this, but needs several lattices for each parameter of a group.
        """
        free = solution.directions.free
        covariance = solution.directions.covariance(precision_of_parameters(state.spread.cautious, self.to_values))
        by_direction = self.to_values @ free
        esds = np.sqrt(np.einsum("vd,de,ve->v", by_direction, covariance, by_direction, optimize=True))
        scores = reduced.scores @ (self._to_columns(state) @ free)
        moves = (scores - scores.mean(axis=0)) @ covariance @ by_direction.T
        n = self._lattices_on_groups(state)
        enough = n >= _LATTICES_PER_PARAMETER * len(MOTIONS)
        scatter = np.sqrt((moves**2).sum(axis=0) * n / np.maximum(n - len(MOTIONS), 1))
        return np.where(enough, np.maximum(esds, scatter), esds)

    def _lattices_on_groups(self, state: _State) -> Ints:
        """Number of lattices that have spots on the group of each value, `[v]`."""
        used = state.weight[:, 0] > 0
        lattice, panel = self.observations.lattice[used], self.observations.panel[used]
        pairs = np.unique(np.column_stack([lattice, panel]), axis=0)
        counts = {}
        for level, groups in enumerate(self.groups):
            of_group = np.unique(np.column_stack([pairs[:, 0], groups[pairs[:, 1]]]), axis=0)
            counts[level] = np.bincount(of_group[:, 1], minlength=int(groups.max()) + 1)
        return np.array([counts[level][group] for level, group, _ in self.labels])


def _parameters(problem: _Problem, state: _State, solution: Solution, reduced: Reduced) -> Iterator[Parameter]:
    to_values, directions = problem.to_values, solution.directions
    esds = problem.esds(state, solution, reduced)
    rows = to_values * directions.tolerance
    held = np.einsum("vt,tu,vu->v", rows, directions.held_share, rows, optimize=True)
    is_held = held > _HELD_SHARE * (rows**2).sum(axis=1)
    for label, value, esd, no_esd in zip(problem.labels, to_values @ state.theta, esds, is_held, strict=True):
        unit, factor = _UNITS.get(label[2], ("mm", 1.0))
        if label[2] == DISTANCE:
            factor = problem.downstream
        level, group, name = label
        yield Parameter(name, level, group, float(value * factor), None if no_esd else float(esd * abs(factor)), unit)


def _held(
    problem: _Problem, motions: Motions, solution: Solution, panels: Panels, n_spots: npt.NDArray[np.int64]
) -> Iterator[Held]:
    for level in motions.levels:
        counts = np.bincount(level.groups, weights=n_spots)
        for group in np.flatnonzero(counts < MINIMUM_SPOTS):
            name = panels.group_name(level.level, int(group))
            reason = f"{name} has {int(counts[group])} spots; at least {MINIMUM_SPOTS} are needed to move it by itself."
            yield Held(level.level, int(group), "all motions", reason)
    seen = set()
    for held in solution.directions.held:
        label = _main_part(problem, solution, held)
        if label not in seen:
            seen.add(label)
            yield Held(*label, _reason(label, held, panels))


def _reason(label: tuple[int, int, str], held: HeldDirection, panels: Panels) -> str:
    level, group, name = label
    if name == WAVELENGTH and not np.isfinite(held.uncertainty):
        return "The wavelength cannot be determined unless the unit cell is known: the size of the cells absorbs it."
    what = name if level == 0 else f"{name} of {panels.group_name(level, group)}"
    if not np.isfinite(held.uncertainty):
        return f"The {what} cannot be determined: the orientations of the crystals absorb it."
    tolerated = _TOLERATED_PX if level == 0 else _TOLERATED_OF_PARTS_PX
    return (
        f"The {what} cannot be determined from these spots: its uncertainty corresponds to"
        f" {held.uncertainty * tolerated:.1f} px, and at most {tolerated:g} px are accepted."
    )


def _main_part(problem: _Problem, solution: Solution, held: HeldDirection) -> tuple[int, int, str]:
    """Level, group and name of the parameter that contributes most to a direction."""
    # the length of a value is that of the shortest theta that changes it by as much
    unit = 1.0 / np.maximum(np.sqrt(((problem.to_values * solution.directions.tolerance) ** 2).sum(axis=1)), 1e-30)
    return problem.labels[int(np.argmax(np.abs(problem.to_values @ held.direction) * unit))]
