"""Panels, their hierarchy and rigid motions of groups."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic_stills import modules, moved_whole, one_panel

from iota.errors import UsageError
from iota.geometry.panels import parents


def test_a_point_of_a_panel_is_hit_by_its_ray():
    panels = moved_whole(modules(4, 2, 100), (1.0, 2.0, 3.0), (5.0, -4.0, 30.0))
    panel, xy = np.array([0, 3, 7]), np.array([[1.0, 2.0], [9.5, 0.3], [4.0, 4.0]])
    hit = np.einsum("nij,nj->ni", panels.to_panel[panel], 0.3 * panels.lab_mm(panel, xy))
    np.testing.assert_allclose(hit[:, :2] / hit[:, 2:], xy, atol=1e-10)


def test_groups_move_as_rigid_bodies_about_their_points():
    panels = modules(4, 4, 100, columns=2)
    shift = np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0], [0, 0, 0]])
    turn = np.array([[0, 0, 0], [0, 0, np.pi / 2], [0, 0, 0], [0.1, 0.2, 0.3]])
    centres = panels.centres_mm(1)
    moved = panels.moved(panels.groups[1], shift, turn, centres)
    np.testing.assert_allclose(moved.centres_mm(1), centres + shift, atol=1e-12)
    np.testing.assert_allclose(moved.fast[panels.groups[1] == 1], np.tile([0.0, 1.0, 0.0], (4, 1)), atol=1e-12)
    everywhere = np.repeat(np.arange(16), 16), np.tile(np.random.default_rng(1).uniform(0, 10, (16, 2)), (16, 1))
    for group in range(4):
        chosen = panels.groups[1][everywhere[0]] == group
        before, after = (p.lab_mm(*everywhere)[chosen] for p in (panels, moved))
        distances = [np.linalg.norm(points - points[0], axis=1) for points in (before, after)]
        np.testing.assert_allclose(distances[1], distances[0], atol=1e-10)


def test_parents_and_names_of_groups():
    panels = modules(4, 4, 100, columns=2)
    np.testing.assert_array_equal(parents(panels.groups[1], panels.groups[2]), panels.groups[1])
    assert [panels.n_groups(level) for level in range(3)] == [1, 4, 16]
    assert panels.group_name(0, 0) == "detector"
    assert panels.group_name(1, 0) == "p0 to p5"
    assert panels.group_name(2, 5) == "p5"


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ((), "does not name a group"),
        ((np.zeros(3, dtype=int),), "does not name a group"),
        ((np.array([0, 0, 1, 1]),), "begin with the whole"),
        ((np.zeros(4, dtype=int), np.array([0, 0, 1, 1])), "end with single panels"),
        ((np.zeros(4, dtype=int), np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2]), np.arange(4)), "two larger groups"),
    ],
)
def test_a_hierarchy_that_is_none_is_refused(groups, words):
    with pytest.raises(UsageError, match=words):
        replace(modules(2, 2, 100), groups=groups)


def test_a_geometry_that_is_not_finite_is_refused():
    panels = one_panel()
    with pytest.raises(UsageError, match="not finite"):
        replace(panels, origin_mm=panels.origin_mm * np.nan)
