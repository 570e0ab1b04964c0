"""Free motions of a detector by levels: what they do to first order, and that parts do not move as their parent."""

import numpy as np
import pytest
from synthetic_stills import displaced, modules, moved_whole, one_panel

from iota.errors import UsageError
from iota.geometry.deviations import DISTANCE
from iota.geometry.motions import MOTIONS, laboratory_axes, motions_of

BEAM = np.array([0.0, 0.0, -1.0])


def _motions(panels, levels, beam=BEAM, n_spots=None):
    return motions_of(panels, levels, beam, np.full(len(panels), 100) if n_spots is None else n_spots, 20)


def _corners(panels):
    number = np.tile(np.arange(len(panels)), 4)
    corner = np.repeat([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], len(panels), axis=0)
    return number, panels.lab_mm(number, corner * panels.size_mm[number])


def test_motions_are_to_first_order_those_of_the_finest_groups():
    panels = displaced(modules(4, 4, 200, columns=2), 2, 1, px=5.0, degrees=2.0)
    motions = _motions(panels, (0, 1, 2))
    number, before = _corners(panels)
    step = 1e-6
    for theta in np.eye(motions.to_values.shape[1]):
        _, after = _corners(motions.apply(panels, step * motions.to_values @ theta)[0])
        base = (motions.to_base @ theta).reshape(-1, 6)[motions.base[number]]
        expected = base[:, :3] + np.cross(base[:, 3:], before - motions.origin_mm)
        np.testing.assert_allclose((after - before) / step, expected, atol=1e-4 * np.abs(expected).max())


def test_parts_neither_shift_nor_rotate_as_a_whole():
    panels = displaced(modules(4, 4, 200, columns=2), 2, 1, px=5.0, degrees=2.0)
    motions = _motions(panels, (0, 1, 2))
    assert motions.to_values.shape == (6 + 4 * 6 + 16 * 6, 6 + 3 * 6 + 4 * 3 * 6)
    random = np.random.default_rng(2)
    gauss = 0.5 + np.array([-0.5, 0.5]) / np.sqrt(3.0)
    number = np.repeat(np.arange(16), 4)
    points = panels.lab_mm(number, np.tile([[x, y] for x in gauss for y in gauss], (16, 1)) * panels.size_mm[number])
    for first, parent in ((6, np.zeros(16, dtype=int)), (24, panels.groups[1])):
        theta = np.zeros(motions.to_values.shape[1])
        last = 24 if first == 6 else len(theta)
        theta[first:last] = random.normal(size=last - first)
        base = (motions.to_base @ theta).reshape(-1, 6)[number]
        field = base[:, :3] + np.cross(base[:, 3:], points - motions.origin_mm)
        for group in np.unique(parent):
            chosen = parent[number] == group
            np.testing.assert_allclose(field[chosen].sum(axis=0), 0.0, atol=1e-9)
            np.testing.assert_allclose(np.cross(points[chosen], field[chosen]).sum(axis=0), 0.0, atol=1e-7)


def test_groups_without_spots_move_with_their_parent_only():
    panels = modules(2, 2, 200)
    motions = _motions(panels, (0, 1), n_spots=np.array([100, 0, 100, 100]))
    assert {group for level, group, _ in motions.labels() if level == 1} == {0, 2, 3}
    values = np.zeros(len(motions.to_values))
    values[6:] = motions.to_values[6:, 6:] @ np.random.default_rng(1).normal(size=12)
    moved, _ = motions.apply(panels, values)
    np.testing.assert_array_equal(moved.origin_mm[1], panels.origin_mm[1])
    assert np.all(np.abs(moved.origin_mm - panels.origin_mm)[[0, 2, 3]].max(axis=1) > 1e-3)


def test_one_part_has_no_motion_of_its_own():
    assert len(one_panel().groups) == 2
    assert _motions(one_panel(), (0, 1)).to_values.shape == (6, 6)
    motions = _motions(modules(2, 1, 200), (0, 1), n_spots=np.array([100, 0]))
    assert motions.to_values.shape == (6, 6)


@pytest.mark.parametrize("beam", [(0, 0, -1.0), (0, 0, 1.0), (0.1, 0.2, -1.0), (0, -1.0, 0.1), (1.0, 0, 0)])
def test_axes_are_those_of_the_laboratory_with_one_along_the_beam(beam):
    beam = np.array(beam) / np.linalg.norm(beam)
    axes = laboratory_axes(beam)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-14)
    assert np.linalg.det(axes) == pytest.approx(1.0)
    assert abs(axes[2] @ beam) == pytest.approx(1.0)


def test_with_the_beam_along_z_axes_are_x_y_z():
    for sign in (1, -1):
        np.testing.assert_allclose(laboratory_axes(np.array([0, 0, sign * 1.0])), np.eye(3), atol=1e-14)


def test_the_whole_rotates_about_the_point_where_the_beam_hits():
    panels = moved_whole(modules(2, 2, 200), (30.0, 10.0, 0.0))
    motions = _motions(panels, (0,))
    np.testing.assert_allclose(motions.origin_mm, [0.0, 0.0, -120.0], atol=1e-12)
    values = np.zeros(6)
    values[MOTIONS.index(DISTANCE)] = 1.0
    np.testing.assert_allclose(
        motions.apply(panels, values)[0].origin_mm - panels.origin_mm, np.tile([0, 0, 1.0], (4, 1))
    )


@pytest.mark.parametrize("levels", [(0, 5), (1, 0), (0, 0), (-1,)])
def test_levels_that_the_detector_does_not_have_are_refused(levels):
    with pytest.raises(UsageError, match="are not levels of this detector"):
        _motions(modules(2, 2, 200), levels)
