"""Derivatives against finite differences, and elimination of crystals against the full equations."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from synthetic_stills import MONOCLINIC, TETRAGONAL, displaced, modules, stills

from iota.geometry.crystals import N_METRIC, crystals_of
from iota.geometry.motions import motions_of
from iota.geometry.normal_equations import eliminate, linearise, residuals, steps_of_crystals


@pytest.fixture(scope="module", params=["own", "shared", "some shared", "held"])
def problem(request):
    """A small problem with all that is needed for its normal equations."""
    panels = displaced(modules(2, 2, 400), 1, 1, px=3.0, degrees=1.0)
    observed, _ = stills(panels, 6, 1, crystal=MONOCLINIC, spots=25, outliers=0.0)
    groups = {"own": [-1] * 6, "shared": [0] * 6, "some shared": [3, -1, 3, 7, 7, -1], "held": [-1] * 6}
    observed = replace(observed, cell_group=np.array(groups[request.param]))
    order = np.lexsort((observed.panel, observed.lattice))
    observed = replace(
        observed, **{name: getattr(observed, name)[order] for name in ("hkl", "panel", "xy_mm", "weight")}
    )
    crystals = crystals_of(
        observed.a_star, observed.cell_group, observed.space_group, observed.n_spots, hold_cells=request.param == "held"
    )
    motions = motions_of(panels, (0, 1), observed.s0[0], np.full(4, 100), 20)
    linear = linearise(panels, observed, crystals.a_star, observed.s0, motions.origin_mm)
    weight = np.column_stack([observed.weight, np.full(len(observed), 1e6)])
    weight[::7] = 0.0  # as of outliers
    return panels, observed, crystals, motions, linear, weight


def _columns(problem):
    """Derivatives of all weighted residuals by detector, wavenumber and crystals, from finite differences."""
    panels, observed, crystals, motions, _, weight = problem
    root = np.sqrt(weight)
    theta = motions.to_values.shape[1]

    def difference(of, step):
        return (root * (of(step) - of(-step)) / (2 * step)).ravel()

    def moved(step, direction):
        panels_moved, _ = motions.apply(panels, step * motions.to_values @ direction)
        return residuals(panels_moved, observed, crystals.a_star, observed.s0)

    columns = [difference(partial(moved, direction=direction), 1e-5) for direction in np.eye(theta)]
    columns.append(
        difference(lambda step: residuals(panels, observed, crystals.a_star, observed.s0 * np.exp(step)), 1e-6)
    )
    # cells: the groups that share one, and lattices with their own
    cells = [crystals.group == number for number in range(crystals.n_groups)]
    cells += [np.arange(6) == lattice for lattice in range(6) if crystals.group[lattice] < 0]
    steps = []
    for members in cells:
        for k in range(N_METRIC):
            if crystals.basis[members][:, k].any():
                steps.append((np.outer(members, np.eye(9)[k]), 1e-9))
    for lattice in range(6):
        for k in range(N_METRIC, 9):
            steps.append((np.outer(np.arange(6) == lattice, np.eye(9)[k]), 1e-6))
    for direction, size in steps:
        columns.append(
            difference(
                lambda step, direction=direction: residuals(
                    panels, observed, crystals.moved(step * direction).a_star, observed.s0
                ),
                size,
            )
        )
    return np.array(columns), theta + 1, [direction for direction, _ in steps]


def test_elimination_gives_the_solution_of_the_full_equations(problem):
    _, observed, crystals, motions, linear, weight = problem
    jacobian, n_detector, directions = _columns(problem)
    residual = (np.sqrt(weight) * linear.residual).ravel()
    full, slope = jacobian @ jacobian.T, jacobian @ residual
    head, tail = slice(0, n_detector), slice(n_detector, None)
    scale = 1.0 / np.sqrt(np.diag(full)[tail])
    inverse = np.linalg.inv(full[tail, tail] * np.outer(scale, scale)) * np.outer(scale, scale)
    expected = full[head, head] - full[head, tail] @ inverse @ full[tail, head]

    base = motions.base[observed.panel]
    reduced = eliminate(linear, observed, weight, crystals, base, 4)
    to_columns = np.zeros((25, n_detector))
    to_columns[:24, :-1], to_columns[24, -1] = motions.to_base, 1.0
    normal = to_columns.T @ reduced.normal @ to_columns
    unit = np.sqrt(np.outer(np.diag(full)[head], np.diag(full)[head]))
    np.testing.assert_allclose(
        to_columns.T @ reduced.fixed_crystals @ to_columns / unit, full[head, head] / unit, atol=1e-5
    )
    np.testing.assert_allclose(normal / unit, expected / unit, atol=1e-5)
    gradient = to_columns.T @ reduced.gradient
    wanted = slope[head] - full[head, tail] @ inverse @ slope[tail]
    np.testing.assert_allclose(gradient / np.sqrt(np.diag(unit)), wanted / np.sqrt(np.diag(unit)), atol=2e-3)

    # any step of the detector: crystals follow to their minimum
    step = np.random.default_rng(1).normal(size=n_detector) * 1e-3
    crystal_step = -inverse @ (slope[tail] + full[tail, head] @ step)
    found = steps_of_crystals(reduced, linear, observed, weight, crystals, base, to_columns @ step)
    total = sum(value * direction for value, direction in zip(crystal_step, directions, strict=True))
    largest = np.maximum(np.abs(total).max(axis=0), 1e-300)  # cells that are held have no steps
    np.testing.assert_allclose(found / largest, total / largest, atol=2e-3)


def test_cells_that_are_shared_become_one_and_symmetric():
    observed, _ = stills(modules(1, 1, 400), 5, 2, crystal=TETRAGONAL, spots=10)
    groups = np.array([4, 4, 4, -1, 4])
    crystals = crystals_of(observed.a_star, groups, observed.space_group, observed.n_spots, hold_cells=False)
    moved = crystals.moved(np.tile(np.array([1e-7, 2e-7, 0, 0, 0, 0, 0.01, 0.02, 0.03]), (5, 1)))
    for a_star in (crystals.a_star, moved.a_star):
        metric = np.swapaxes(a_star, 1, 2) @ a_star
        np.testing.assert_allclose(metric[[1, 2, 4]], np.tile(metric[0], (3, 1, 1)), rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(metric[:, 0, 0], metric[:, 1, 1], rtol=1e-9)
    assert crystals.n_groups == 1
    np.testing.assert_array_equal(crystals.is_own.sum(axis=1), [3, 3, 3, 9, 3])
