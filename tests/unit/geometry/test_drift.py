"""Drift of a detector from synthetic spots: ramps, steps, silence, and what only looks like a drift."""

from dataclasses import fields, replace

import msgspec
import numpy as np
import pytest
from synthetic_stills import MONOCLINIC, TETRAGONAL, TRICLINIC, displaced, modules, moved_whole, one_panel, stills

from iota.errors import UsageError
from iota.geometry.crystals import with_metric
from iota.geometry.drift.courses import follow
from iota.geometry.drift.measuring import fit_drift, shifted
from iota.geometry.drift.record import GeometryDrift
from iota.geometry.joint import refine
from iota.geometry.normal_equations import residuals
from iota.geometry.observations import Observations

_AT_ONCE = 10  # lattices on the same detector


def measure_drift(panels, observed):
    return fit_drift(panels, observed).drift


def drifting(shift_at, n, seed, panels=None, **more):
    """Lattices while the detector is at `shift_at(t)` mm for t from 0 to 1."""
    parts = [
        stills(
            moved_whole(panels or one_panel(), shift_at((k + 0.5 * _AT_ONCE) / n)), _AT_ONCE, 1000 * seed + k, **more
        )
        for k in range(0, n, _AT_ONCE)
    ]
    return joined([observed for observed, _ in parts])


def joined(parts):
    """One set of observations, whose times are the numbers of the lattices."""
    starts = np.cumsum([0] + [part.n_lattices for part in parts])
    arrays = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])
        for field in fields(Observations)
        if field.name not in ("lattice", "space_group", "time")
    }
    return Observations(
        lattice=np.concatenate([part.lattice + start for part, start in zip(parts, starts, strict=False)]),
        space_group=sum((part.space_group for part in parts), ()),
        time=np.arange(starts[-1], dtype=float),
        **arrays,
    )


def at(drift, n):
    """Middle of each block, from 0 to 1."""
    return np.array([0.5 * (block.first + block.last) for block in drift.blocks]) / (n - 1)


def test_a_detector_that_stays_has_no_drift_and_uncertainties_are_those_of_the_blocks():
    ratios = []
    for seed, crystal in enumerate([TETRAGONAL, MONOCLINIC, TRICLINIC] * 2):
        observed = drifting(lambda _: (0, 0, 0), 120, seed, crystal=crystal, cell_spread=0.002, outliers=0.1, spots=40)
        found = measure_drift(one_panel(), observed)
        assert found.sentence == "" and found.parts == [] and found.part_at(5.0) is None and found.remarks == []
        assert [one.name for one in found.courses] == ["shift x", "shift y", "distance"]
        ratios.append([np.array(one.measured_mm) / one.uncertainty_mm for one in found.courses])
    # of four values relative to their mean, three are independent
    of_axes = np.sqrt((np.array(ratios) ** 2).mean(axis=(0, 2)) * 4 / 3)
    assert ((of_axes > 0.6) & (of_axes < 1.5)).all()


def test_a_distance_that_drifts_is_followed_whatever_the_order_of_the_lattices():
    observed = drifting(lambda t: (0, 0, -0.2 * t), 300, 1, cell_spread=0.001)
    found = measure_drift(one_panel(), observed)
    course = found.course("distance")
    assert course.is_significant and course.matters and len(found.blocks) == 12
    assert np.abs(np.array(course.followed_mm) - 0.2 * (at(found, 300) - 0.5)).max() < 0.03
    assert not found.course("shift x").is_significant and not found.course("shift y").is_significant
    assert found.sentence.startswith("The detector distance increases by 0.1")
    assert "(a change of the wavelength, or of all cell axes," in found.sentence
    # each part is processed with its own geometry, none of which is far from the truth
    assert len(found.parts) > 2 and sum(part.n_lattices for part in found.parts) == 300
    for time in (0, 100, 299):
        assert found.part_at(time).shift_mm[2] == pytest.approx(0.2 * (time / 299 - 0.5), abs=0.045)
    assert found.part_at(-1e9) is found.parts[0] and found.part_at(1e9) is found.parts[-1]
    assert msgspec.json.decode(msgspec.json.encode(found), type=GeometryDrift) == found
    shuffled = np.random.default_rng(1).permutation(300)
    again = measure_drift(one_panel(), observed.select(shuffled))
    assert np.allclose(again.course("distance").measured_mm, course.measured_mm, atol=0.003)


@pytest.mark.parametrize("known", [TETRAGONAL[0], (79.2, 79.2, 38.5, 90, 90, 90), None])
def test_the_mean_distance_is_that_of_the_known_cell_unless_it_is_another_form(known):
    observed = drifting(lambda t: (0, 0, -1.0 - 0.4 * t), 100, 1, cell_spread=0.001)
    # the cells are as refined with the distance that was used, which is 1 % too short
    short = replace(observed, a_star=refine(one_panel(), observed, ()).a_star)
    fit = fit_drift(one_panel(), short, known)
    assert fit.drift.course("distance").is_significant
    is_known = known == TETRAGONAL[0]
    assert fit.drift.is_cell_known == is_known
    assert fit.drift.mean_mm["distance"] == pytest.approx(1.2 if is_known else 0.0, abs=0.03)
    assert -fit.panels.origin_mm[0, 2] == pytest.approx(121.2 if is_known else 120.0, abs=0.06)


def test_a_step_of_the_beam_centre_is_found_where_it_is():
    observed = drifting(lambda t: (0.06 if t > 0.6 else 0.0, -0.03 if t > 0.6 else 0.0, 0), 200, 2)
    found = measure_drift(one_panel(), observed)
    assert found.sentence == "The beam centre moves during the run, by 0.06 mm along x and 0.03 mm along y."
    assert [part.first for part in found.parts] == [0.0, 125.0]  # 120 is in the fifth block, with little of the change
    x = np.array(found.course("shift x").followed_mm)
    assert np.abs(x - np.where(at(found, 200) > 0.6, 0.036, -0.024))[[0, 1, 2, 3, 5, 6, 7]].max() < 0.006
    before, after = (shifted(one_panel(), np.array([0.0, 0.0, -1.0]), part.shift_mm) for part in found.parts)
    assert (after.origin_mm - before.origin_mm)[0] == pytest.approx([0.06, -0.03, 0.0], abs=0.006)


def test_panels_that_are_elsewhere_do_no_harm():
    ideal = modules(4, 2, 256, distance_mm=80.0)
    true = moved_whole(displaced(ideal, 1, 3), (0.05, 0.0, 0.4), (0.5, 0.3, 0.0))
    more = {"spots": 100, "d_min_A": 1.6, "cell_spread": 0.001}
    assert measure_drift(ideal, drifting(lambda _: (0, 0, 0), 100, 1, true, **more)).sentence == ""
    found = measure_drift(ideal, drifting(lambda t: (0, 0, -0.4 * t), 100, 1, true, **more))
    assert found.course("distance").change_mm == pytest.approx(0.3, abs=0.06)  # from the first to the last of four


def test_cells_that_change_in_one_axis_are_not_a_distance():
    observed = drifting(lambda _: (0, 0, 0), 200, 1, cell_spread=0.001)
    longer = np.broadcast_to(np.eye(3), (200, 3, 3)).copy()
    longer[:, 2, 2] = 1.0 + 0.01 * observed.time / 200
    metric = np.swapaxes(observed.a_star, 1, 2) @ observed.a_star
    moved = with_metric(observed.a_star, longer @ metric @ longer)
    # spots follow their crystals
    change = [residuals(one_panel(), observed, a_star, observed.s0)[:, :2] for a_star in (observed.a_star, moved)]
    found = measure_drift(one_panel(), replace(observed, a_star=moved, xy_mm=observed.xy_mm + change[1] - change[0]))
    assert found.sentence == "" and found.course("distance") is None
    assert found.remarks[0].startswith("The cell axes change during the run, by different factors")


def test_what_cannot_be_measured_is_refused_or_left_out():
    observed = drifting(lambda _: (0, 0, 0), 100, 1)
    with pytest.raises(UsageError, match="with 99 lattices; at least 100"):
        measure_drift(one_panel(), observed.select(np.arange(99)))
    with pytest.raises(UsageError, match="with 0 lattices"):
        measure_drift(one_panel(), replace(observed, time=np.full(100, np.nan)))
    same = joined([stills(one_panel(), 100, 1, same_orientation=True)[0]])
    found = measure_drift(one_panel(), same)
    assert found.sentence == "" and "same orientation" in found.remarks[0]


@pytest.mark.parametrize(
    ("true", "n_values"),
    [
        (np.zeros(20), 1),
        (np.where(np.arange(20) < 7, 0.0, 1.0), 2),
        (np.where(np.arange(20) < 7, 0.0, np.arange(20) * 0.2), 14),
        (np.where(np.arange(20) == 11, 1.0, 0.0), 2),
    ],
)
def test_courses_are_constants_lines_and_steps(true, n_values):
    random = np.random.default_rng(1)
    for _ in range(20):
        value = true + 0.05 * random.normal(size=20)
        found = follow(np.arange(20.0), value, np.full(20, 0.05))
        assert np.abs(found.value - true).max() < 0.12
        assert len(np.unique(np.round(found.value, 9))) <= n_values + 1
        assert (found.gain > 25.0) == bool(true.any())
