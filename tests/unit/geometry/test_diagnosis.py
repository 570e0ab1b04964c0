"""Diagnosis of the geometry from synthetic spots: what is told, how well it is known, and when nothing is said."""

import msgspec
import numpy as np
import pytest
from synthetic_stills import (
    MONOCLINIC,
    TETRAGONAL,
    displaced,
    modules,
    moved_whole,
    one_panel,
    stills,
)

from iota.errors import UsageError
from iota.geometry.deviations import Diagnosis
from iota.geometry.diagnosis import diagnose


@pytest.mark.parametrize("known_cell", [None, TETRAGONAL[0]])
def test_a_right_detector_gives_no_sentence(known_cell):
    for seed in range(8):
        observed, _ = stills(one_panel(), 20, seed, cell_spread=0.002)
        found = diagnose(one_panel(), observed, known_cell)
        assert found.sentence == ""
        assert {one.name for one in found.deviations} == {
            *("shift x", "shift y", "distance", "tilt about x", "tilt about y"),
        }
        assert not any(one.matters for one in found.deviations)


def test_panels_in_their_places_give_no_sentence():
    panels = modules(4, 2, 256, distance_mm=80.0)
    for seed in range(5):
        found = diagnose(panels, stills(panels, 30, seed, d_min_A=1.6, spots=100)[0])
        assert found.sentence == "" and len(found.panels) == 8


@pytest.mark.parametrize("percent", [0.5, 1.0, 5.0, -5.0])
def test_a_wrong_distance_is_told_with_that_at_which_cells_are_as_given(percent):
    true_mm = 120.0 / (1.0 + percent / 100.0)
    observed, _ = stills(one_panel(distance_mm=true_mm), 20, 1, cell_spread=0.001)
    found = diagnose(one_panel(), observed, TETRAGONAL[0])
    assert found.better_distance_mm == pytest.approx(true_mm, rel=1e-3)
    (distance,) = [one for one in found.deviations if one.name == "distance"]
    assert abs(found.better_distance_mm - true_mm) < 4.0 * distance.uncertainty < 0.0015 * true_mm
    larger, shorter = ("larger", "shorter") if percent > 0 else ("smaller", "longer")
    assert found.sentence.startswith(f"All cell axes are {abs(percent):.1f} % {larger} than those of the given cell:")
    assert f"{found.better_distance_mm:.2f} mm would explain it, and so would a wavelength" in found.sentence
    assert found.sentence.endswith(f"% {shorter}.")


def test_without_a_known_cell_the_distance_is_uncertain_and_not_told():
    observed, _ = stills(one_panel(distance_mm=118.8), 20, 1, cell_spread=0.001)
    found = diagnose(one_panel(), observed)
    assert found.sentence == "" and found.better_distance_mm is None and not found.explains_cells
    distance = found.deviation("distance")
    assert distance.value == pytest.approx(-1.2, abs=3.0 * distance.uncertainty)
    assert 0.04 < distance.uncertainty < 0.15
    # of a large cell at low angles it is not known at all
    panel, cubic = one_panel(distance_mm=2000.0), ((300.0, 300.0, 300.0, 90.0, 90.0, 90.0), "P 2 3")
    assert diagnose(panel, stills(panel, 30, 1, d_min_A=25.0, crystal=cubic)[0]).deviation("distance") is None


def test_axes_of_another_form_are_no_wrong_distance():
    observed, _ = stills(one_panel(distance_mm=118.8), 20, 1)
    for known in ((80.4, 80.4, 38.1, 90, 90, 90), (79.2, 79.2, 38.5, 90, 90, 90), (50, 60, 70, 90, 90, 90)):
        found = diagnose(one_panel(), observed, known)
        assert found.sentence == "" and not found.explains_cells
    monoclinic, _ = stills(one_panel(), 20, 1, crystal=MONOCLINIC)
    assert diagnose(one_panel(), monoclinic, (*MONOCLINIC[0][:4], 109.5, 90.0)).sentence == ""


@pytest.mark.parametrize("known_cell", [None, TETRAGONAL[0]])
def test_shift_and_tilt_are_told_with_their_amounts(known_cell):
    observed, _ = stills(moved_whole(one_panel(), (0.15, 0.0, 0.0), (0.5, 0.0, 0.0)), 20, 2)
    found = diagnose(one_panel(), observed, known_cell)
    assert found.sentence == (
        "The beam centre is 1.5 px from the one used, at 498.5, 500.0 px (fast, slow);"
        " the detector has a tilt of 0.50 ± 0.01° about x."
    )
    assert found.deviation("shift x").displacement_px == pytest.approx(1.5, abs=0.02)
    assert found.deviation("tilt about x").value == pytest.approx(
        0.5, abs=4 * found.deviation("tilt about x").uncertainty
    )
    assert found.deviation("rotation about the beam") is None  # crystals absorb it
    assert found.rmsd_refined_px < 0.25 < 1.5 < found.rmsd_px
    assert msgspec.json.decode(msgspec.json.encode(found), type=Diagnosis) == found


def test_what_is_significant_but_does_not_matter_is_not_told():
    observed, _ = stills(moved_whole(one_panel(), (0.015, 0.0, 0.0)), 60, 2)
    found = diagnose(one_panel(), observed)
    assert found.deviation("shift x").is_significant and not found.deviation("shift x").matters
    assert found.sentence == ""
    # in units of what is left of the RMSD: a shift of half a pixel among spots that are good to two
    observed, _ = stills(moved_whole(one_panel(), (0.05, 0.0, 0.0)), 60, 2, noise_px=1.4)
    assert diagnose(one_panel(), observed).sentence == ""


def test_a_displaced_panel_is_named():
    ideal = modules(4, 2, 256, distance_mm=80.0)
    shift, turn = np.zeros((8, 3)), np.zeros((8, 3))
    shift[5, 0], turn[5, 2] = 0.16, np.radians(0.2)
    true = ideal.moved(ideal.groups[1], shift, turn, ideal.centres_mm(1))
    found = diagnose(ideal, stills(true, 40, 1, d_min_A=1.6, spots=150)[0])
    assert "displaced relative to the others, p5 the most, by 1.4 px" in found.sentence
    (panel,) = [one for one in found.panels if one.panel == "p5"]
    assert panel.shift_px == pytest.approx((1.4, 0.0), abs=0.1)  # an eighth belongs to the detector as a whole
    assert panel.rotation_deg == pytest.approx(0.175, abs=0.02)
    assert panel.is_significant and panel.matters
    assert all(one.displacement_px < 0.35 for one in found.panels if one.panel != "p5")
    everywhere = diagnose(ideal, stills(displaced(ideal, 1, 1), 40, 1, d_min_A=1.6, spots=150)[0])
    assert " of 8 panels are displaced relative to the others" in everywhere.sentence


def test_one_orientation_only_is_remarked_on_and_nothing_is_claimed():
    observed, _ = stills(moved_whole(one_panel(), (0.15, 0.0, 0.0)), 20, 1, same_orientation=True)
    found = diagnose(one_panel(), observed)
    assert found.sentence == "" and "same orientation" in found.remarks[0]


def test_too_few_lattices_are_refused():
    with pytest.raises(UsageError, match="At least 18 are needed"):
        diagnose(one_panel(), stills(one_panel(), 17, 1)[0])
