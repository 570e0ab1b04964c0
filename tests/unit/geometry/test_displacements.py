"""How far places on a detector move between two geometries, and the chart of it."""

from __future__ import annotations

import numpy as np
import pytest

from iota.charts.description import Line
from iota.charts.geometry import displacement_chart
from iota.geometry.displacements import displacements, without_common_motion
from iota.geometry.panels import Panels

BEAM = np.array([0.0, 0, -1])


def detector(n=4, distance=100.0):
    """Panels of 40 mm side by side, the beam in their middle."""
    origin = np.array([[40.0 * (k - n / 2), 20.0, -distance] for k in range(n)])
    fast, slow = np.tile([1.0, 0, 0], (n, 1)), np.tile([0, -1.0, 0], (n, 1))
    size, pixel = np.full((n, 2), 400), np.full((n, 2), 0.1)
    names = tuple(f"p{k}" for k in range(n))
    return Panels(origin, fast, slow, size, pixel, names, (np.zeros(n, dtype=int), np.arange(n)))


def moved(panels, level, shift, rotation=(0, 0, 0)):
    n = panels.n_groups(level)
    shifts, turns = (np.broadcast_to(np.asarray(v, dtype=float), (n, 3)) for v in (shift, rotation))
    return panels.moved(panels.groups[level], shifts, turns, panels.centres_mm(level))


def test_a_shift_is_seen_in_its_direction_and_in_pixels():
    before = detector()
    found = displacements(before, moved(before, 0, (0.3, -0.1, 0)), BEAM)
    assert found.by_px == pytest.approx(np.tile([3.0, -1.0], (len(found.at_mm), 1)))
    opposite = displacements(before, moved(before, 0, (0.3, -0.1, 0)), -BEAM)  # seen from behind
    assert opposite.by_px == pytest.approx(np.tile([-3.0, -1.0], (len(found.at_mm), 1)))


def test_a_shorter_distance_is_seen_as_pixels_that_move_away_from_the_beam():
    before = detector()
    found = displacements(before, moved(before, 0, (0, 0, 1.0)), BEAM)  # 100 to 99 mm
    assert found.by_mm == pytest.approx(found.at_mm / 99.0)


def test_what_panels_do_together_is_no_motion_among_themselves():
    before = detector()
    together = moved(before, 0, (1.0, -2.0, 0.5), (0.01, 0.002, 0.03))
    assert displacements(before, without_common_motion(before, together), BEAM).length_px.max() < 1e-6
    one = np.zeros((4, 3))
    one[2, 0] = 0.4
    own = without_common_motion(before, moved(together, 1, one))
    found = displacements(before, own, BEAM).length_px.reshape(4, -1).mean(axis=1)
    assert found.argmax() == 2 and found[2] == pytest.approx(3.0, abs=0.3)  # a quarter is common to all


def test_the_chart_draws_panels_and_arrows_that_can_be_measured():
    before = detector()
    after = moved(before, 0, (0.3, 0, 0))
    chart = displacement_chart(before, after, BEAM, "Shift")
    lines = [mark for mark in chart.marks if isinstance(mark, Line)]
    n_places = len(displacements(before, after, BEAM).at_mm)
    assert len(lines) == 4 + n_places
    (x0, y0), (x1, y1) = lines[-1].points[:2]
    times = float(next(note for note in chart.notes if "enlarged" in note).split(" times")[0].split()[-1])
    assert (x1 - x0, y1 - y0) == pytest.approx((0.3 * times, 0))
    assert "maximum 3 px, median 3 px" in chart.notes[0]
    far = displacement_chart(before, moved(before, 0, (300, 0, 0)), BEAM)
    assert far.notes[0].startswith("displacements reduced to 0.0")
    assert displacement_chart(before, before, BEAM).notes[0] == "no displacement"
