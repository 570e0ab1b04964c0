"""Joint refinement on synthetic spots: what is found, how far it can be trusted, and what cannot be determined."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic_stills import (
    MONOCLINIC,
    TETRAGONAL,
    TRICLINIC,
    displaced,
    displacement_px,
    modules,
    moved_whole,
    one_panel,
    stills,
    with_cells,
)

from iota.errors import UsageError
from iota.geometry.joint import refine

SHIFT_MM, TILT_DEG = (0.3, -0.2, 1.2), (0.5, -0.3, 0.0)  # 3 px, -2 px, 1 % of the distance


def _by_name(result, level=0):
    return {one.name: one for one in result.parameters if one.level == level}


@pytest.mark.parametrize("crystal", [TETRAGONAL, MONOCLINIC, TRICLINIC])
@pytest.mark.parametrize("is_known", [True, False])
def test_a_detector_that_is_displaced_and_tilted_is_found(crystal, is_known):
    for seed in range(2):
        observed, _ = stills(moved_whole(one_panel(), SHIFT_MM, TILT_DEG), 60, seed, crystal=crystal)
        observed = with_cells(observed, crystal) if is_known else observed
        result = refine(one_panel(), observed, hold_cells=is_known)
        found = _by_name(result)
        assert found["shift x"].value == pytest.approx(0.3, abs=0.005)  # 0.05 px
        assert found["shift y"].value == pytest.approx(-0.2, abs=0.005)
        # 0.05 % of the distance; without known cells, within its uncertainty
        limit = 0.06 if is_known else 4.0 * found["distance"].esd
        assert found["distance"].value == pytest.approx(-1.2, abs=limit)
        assert found["distance"].esd < (0.001 if is_known else 0.02)
        assert found["tilt about x"].value == pytest.approx(0.5, abs=0.05)
        assert found["tilt about y"].value == pytest.approx(-0.3, abs=0.05)
        assert result.rmsd_before_px > 4.0
        assert result.rmsd_after_px == pytest.approx(0.15 * np.sqrt(2.0), rel=0.05)
        assert 0.04 < result.n_rejected / len(observed) < 0.07  # 5 % are outliers
        assert result.n_spots + result.n_rejected == len(observed)


@pytest.mark.parametrize("shift_mm", [(1.5, 0.0, 0.0), (0.0, 0.0, 6.0), (0.0, 0.0, -6.0)])
def test_errors_of_15_px_and_of_5_percent_are_found(shift_mm):
    observed, _ = stills(moved_whole(one_panel(), shift_mm), 60, 3, crystal=MONOCLINIC)
    found = _by_name(refine(one_panel(), observed))
    for name, true in (("shift x", shift_mm[0]), ("shift y", 0.0), ("distance", -shift_mm[2]), ("tilt about x", 0.0)):
        assert found[name].value == pytest.approx(true, abs=3.0 * found[name].esd)


@pytest.mark.parametrize("is_known", [True, False])
def test_a_rotation_about_the_beam_is_absorbed_by_the_crystals(is_known):
    observed, a_star = stills(moved_whole(one_panel(), rotation_deg=(0, 0, 0.5)), 30, 1)
    observed = with_cells(observed, TETRAGONAL) if is_known else observed
    result = refine(one_panel(), observed, hold_cells=is_known)
    about_beam = _by_name(result)["rotation about the beam"]
    assert about_beam.value == pytest.approx(0.0, abs=1e-6)
    assert about_beam.esd is None
    (held,) = result.held
    assert held.name == "rotation about the beam"
    assert "orientations of the crystals" in held.reason
    # all crystals are rotated instead
    turned = result.a_star @ np.linalg.inv(a_star)
    np.testing.assert_allclose(turned[:, 1, 0], -np.radians(0.5), atol=2e-4)
    assert result.rmsd_after_px < 0.25


@pytest.mark.parametrize("is_known", [True, False])
def test_displaced_panels_are_put_in_place(is_known):
    ideal = modules(4, 2, 256, distance_mm=80.0)
    for seed in range(2):
        true = displaced(ideal, 1, seed)
        observed, _ = stills(true, 60, seed, d_min_A=1.6, spots=150)
        observed = with_cells(observed, TETRAGONAL) if is_known else observed
        first = refine(ideal, observed, (0, 1), hold_cells=is_known)
        assert displacement_px(first.panels, true) < 0.05 * displacement_px(ideal, true)
        assert len([one for one in first.held if one.level == 1]) == 0
        again = refine(first.panels, replace(observed, a_star=first.a_star), (0, 1), hold_cells=is_known)
        assert displacement_px(again.panels, true) < 0.03 * displacement_px(ideal, true)


def test_panels_are_refined_to_a_percent_with_many_spots():
    ideal = modules(4, 2, 256, distance_mm=80.0)
    true = displaced(ideal, 1, 3)
    observed, _ = stills(true, 150, 3, d_min_A=1.6, spots=250)
    first = refine(ideal, observed, (0, 1))
    again = refine(first.panels, replace(observed, a_star=first.a_star), (0, 1))
    assert displacement_px(again.panels, true) < 0.01 * displacement_px(ideal, true)


def test_a_hierarchy_of_64_panels_is_refined_level_by_level():
    ideal = modules(8, 8, 128, columns=2)
    true = displaced(displaced(ideal, 1, 1), 2, 1, px=0.5)
    observed, _ = stills(true, 120, 1)
    result = refine(ideal, observed, (0, 1, 2))
    assert displacement_px(result.panels, true) < 0.1 * displacement_px(ideal, true)
    assert result.rmsd_after_px < 0.25 < 1.0 < result.rmsd_before_px
    # shifts of the groups relative to the detector, and of the panels relative to their groups, add up to nothing
    for level, parent in ((1, np.zeros(16, dtype=int)), (2, ideal.groups[1])):
        for name in ("shift x", "shift y", "distance"):
            values = np.zeros(ideal.n_groups(level))
            for one in result.parameters:
                if (one.level, one.name) == (level, name):
                    values[one.group] = one.value
            assert np.abs(np.bincount(parent, weights=values)).max() < 1e-3
            assert np.abs(values).max() > 0.01


@pytest.mark.parametrize("levels", [(0,), (0, 1)])
def test_uncertainties_are_those_of_the_errors(levels):
    """Geometry is right: parameters scatter about zero by their esds, and nothing moves beyond them."""
    panels = modules(2, 2, 500)
    pulls = []
    for seed in range(20 if levels == (0,) else 10):
        observed, _ = stills(panels, 20, seed, crystal=MONOCLINIC, spots=50)
        result = refine(panels, observed, levels)
        pulls += [one.value / one.esd for one in result.parameters if one.esd and one.level == 0]
        assert abs(result.position_scale - 1.0) < 0.1
    # with panels, their uncertain displacements are in those of the whole, although there are none
    assert (0.8 if levels == (0,) else 0.6) < np.sqrt(np.mean(np.square(pulls))) < 1.25
    assert np.abs(pulls).max() < 5.0


@pytest.mark.parametrize("cell_group", [None, 0])
def test_errors_that_the_spots_of_a_lattice_share_are_in_the_uncertainties(cell_group):
    """Crystals are 0.2 mm (rms) before or behind the sample position."""
    pulls, esds = [], []
    for seed in range(12):
        observed, _ = stills(one_panel(), 40, seed, spots=40)
        from_centre = observed.xy_mm - 50.0
        along = np.random.default_rng(seed).normal(size=40) * 0.2
        observed = replace(observed, xy_mm=50.0 + from_centre * (1.0 + along / 120.0)[observed.lattice, None])
        if cell_group is None:
            result = refine(one_panel(), with_cells(observed, TETRAGONAL), hold_cells=True)
        else:
            result = refine(one_panel(), replace(observed, cell_group=np.full(40, cell_group)))
        distance = _by_name(result)["distance"]
        pulls.append(distance.value / distance.esd)
        esds.append(distance.esd)
    assert 0.6 < np.sqrt(np.mean(np.square(pulls))) < 1.6  # of 12, known to 20 %
    if cell_group is None:
        assert np.median(esds) == pytest.approx(0.2 / np.sqrt(40), rel=0.3)


def test_esds_do_not_depend_on_the_scale_of_the_weights():
    observed, _ = stills(one_panel(), 30, 1)
    one, other = (refine(one_panel(), replace(observed, weight=scale * observed.weight)) for scale in (1.0, 9.0))
    for a, b in zip(one.parameters, other.parameters, strict=True):
        assert (a.esd is None and b.esd is None) or a.esd == pytest.approx(b.esd, rel=1e-2)
        assert a.value == pytest.approx(b.value, abs=0.1 * (a.esd or 1e-5))
    assert other.position_scale == pytest.approx(3.0 * one.position_scale, rel=1e-3)


def test_the_order_of_lattices_does_not_matter():
    observed, _ = stills(moved_whole(one_panel(), SHIFT_MM), 30, 1)
    one = refine(one_panel(), observed)
    same = refine(one_panel(), observed)
    np.testing.assert_array_equal(one.panels.origin_mm, same.panels.origin_mm)
    order = np.random.default_rng(1).permutation(30)
    other = refine(one_panel(), observed.select(order))
    np.testing.assert_allclose(other.panels.origin_mm, one.panels.origin_mm, atol=1e-6)
    np.testing.assert_allclose(other.a_star, one.a_star[order], atol=1e-8)


def test_lattices_that_share_a_cell_end_with_one():
    observed, _ = stills(moved_whole(one_panel(), SHIFT_MM), 30, 1, crystal=MONOCLINIC)
    shared = replace(observed, cell_group=np.repeat([0, 5], 15))
    result = refine(one_panel(), shared)
    metric = np.swapaxes(result.a_star, 1, 2) @ result.a_star
    np.testing.assert_allclose(metric[:15], np.tile(metric[0], (15, 1, 1)), rtol=1e-8, atol=1e-14)
    assert np.abs(metric[0] - metric[-1]).max() > 1e-9
    alone = _by_name(refine(one_panel(), observed))["distance"]
    assert _by_name(result)["distance"].esd <= alone.esd * 1.01


def test_the_distance_of_large_cells_needs_a_known_cell():
    """At low angles distance and cell are the same; with all spots to 6 A the esd is 15 times that of a known cell."""
    observed, _ = stills(one_panel(), 60, 1, d_min_A=6.0)
    own = _by_name(refine(one_panel(), observed))["distance"].esd
    known = _by_name(refine(one_panel(), with_cells(observed, TETRAGONAL), hold_cells=True))["distance"].esd
    assert own > 10.0 * known
    cubic, panel = ((300.0, 300.0, 300.0, 90.0, 90.0, 90.0), "P 2 3"), one_panel(distance_mm=2000.0)
    result = refine(panel, stills(panel, 15, 1, d_min_A=25.0, crystal=cubic)[0])
    assert _by_name(result)["distance"].esd is None
    assert "distance" in {one.name for one in result.held}
    assert _by_name(result)["distance"].value == pytest.approx(0.0, abs=1.0)


def test_a_wavelength_can_be_found_with_known_cells_only():
    observed, _ = stills(one_panel(), 60, 1, wavelength_A=1.003)
    assumed = replace(observed, s0=observed.s0 * 1.003)
    known = refine(one_panel(), with_cells(assumed, TETRAGONAL), hold_cells=True, refine_wavelength=True)
    wavelength = _by_name(known)["wavelength"]
    assert wavelength.value == pytest.approx(0.3, abs=4 * wavelength.esd)
    assert wavelength.esd < 0.02
    np.testing.assert_allclose(np.linalg.norm(known.s0, axis=1), 1 / 1.003, rtol=1e-3)
    own = refine(one_panel(), assumed, refine_wavelength=True)
    assert _by_name(own)["wavelength"].esd is None
    np.testing.assert_allclose(own.s0, assumed.s0, rtol=1e-9)
    assert any(one.name == "wavelength" and "cell" in one.reason for one in own.held)


def test_a_panel_with_few_spots_is_held():
    panels = modules(2, 2, 500)
    observed, _ = stills(panels, 30, 1)
    on_panel = np.flatnonzero(observed.panel == 3)
    few = observed.select_spots(~np.isin(np.arange(len(observed)), on_panel[5:]))
    result = refine(panels, few, (0, 1))
    assert {one.group for one in result.parameters if one.level == 1} == {0, 1, 2}
    (held,) = [one for one in result.held if one.level == 1]
    assert held.group == 3
    assert held.reason == "p3 has 5 spots; at least 20 are needed to move it by itself."


def test_too_few_lattices_are_refused():
    observed, _ = stills(one_panel(), 12, 1)
    with pytest.raises(UsageError, match=r"from 1 indexed lattice: .* At least 10 are needed"):
        refine(one_panel(), observed.select(np.array([0])))
    with pytest.raises(UsageError, match="from 0 indexed lattices"):
        refine(one_panel(), observed.select(np.zeros(12, dtype=bool)))
    without_spots = observed.select_spots(observed.lattice < 2)
    with pytest.raises(UsageError, match="from 2 indexed lattices"):
        refine(one_panel(), without_spots)


def test_spots_of_another_detector_are_refused():
    observed, _ = stills(modules(2, 2, 500), 12, 1)
    with pytest.raises(UsageError, match="detector has panels 0 to 0"):
        refine(one_panel(), observed)


def test_one_orientation_only_is_remarked_on():
    observed, _ = stills(one_panel(), 30, 1, same_orientation=True)
    result = refine(one_panel(), observed)
    (remark,) = result.remarks
    assert "orientation" in remark
    for one in result.parameters:
        assert one.esd is None or abs(one.value) < 5.0 * one.esd
    assert refine(one_panel(), stills(one_panel(), 30, 1)[0]).remarks == ()


def test_one_orientation_that_was_indexed_in_equivalent_ways_is_remarked_on():
    observed, _ = stills(one_panel(), 12, 1, same_orientation=True)
    twofold = np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]])  # of P 4/m m m
    is_turned = np.arange(12) % 3 == 1
    a_star, hkl = observed.a_star.copy(), observed.hkl.copy()
    a_star[is_turned] = a_star[is_turned] @ twofold
    of_turned = is_turned[observed.lattice]
    hkl[of_turned] = hkl[of_turned] @ twofold
    turned = replace(observed, a_star=a_star, hkl=hkl)
    (remark,) = refine(one_panel(), turned).remarks
    assert "All 12 lattices have the same orientation" in remark


def test_one_bad_lattice_and_spots_that_cannot_be_predicted_do_no_harm():
    observed, _ = stills(one_panel(), 30, 1)
    a_star, hkl = observed.a_star.copy(), observed.hkl.copy()
    a_star[3] = a_star[3][:, [1, 2, 0]]  # its indices do not fit
    hkl[0], hkl[1] = (0, 0, 0), (400, 400, 400)
    few = np.ones(len(observed), dtype=bool)
    few[np.flatnonzero(observed.lattice == 5)[1:]] = False
    result = refine(one_panel(), replace(observed, a_star=a_star, hkl=hkl).select_spots(few))
    assert not result.accepted[:2].any()
    before, after = (np.linalg.det(a[5]) for a in (observed.a_star, result.a_star))
    assert after == pytest.approx(before, rel=1e-9)  # one spot determines no cell
    assert np.isfinite(result.a_star).all()
    for one in result.parameters:
        assert one.esd is None or abs(one.value) < 5.0 * one.esd


def test_without_levels_only_crystals_are_refined():
    observed, a_star = stills(one_panel(), 12, 1)
    result = refine(one_panel(), observed, ())
    assert result.parameters == ()
    np.testing.assert_array_equal(result.panels.origin_mm, one_panel().origin_mm)
    assert np.abs(result.a_star - a_star).max() < np.abs(observed.a_star - a_star).max()
    assert result.rmsd_after_px < 0.25
