"""Beam centre and distance from simulated spots of hits whose header is wrong."""

from functools import cache

import numpy as np
import pytest
from still_spots import CRYSTALS, WAVELENGTH_A, drawn_reflections, misplaced, simulated_spots

from iota.geometry.search import HitSpots, search
from iota.simulate.detector import make_detector
from iota.simulate.lattice import random_rotation

BEAM = np.array([0.0, 0.0, -1.0])
N_HITS = 16


@cache
def _spots(crystal, detector="1m", seed=1):
    made = make_detector(detector)
    return simulated_spots(crystal, N_HITS, seed, made, n_spots=(30, 100), reflections=_reflections(crystal, detector))


@cache
def _reflections(crystal, detector):
    return drawn_reflections(crystal, make_detector(detector))


def _search(spots, beam_px=(0.0, 0.0), distance=0.0, detector="1m", cell=None, space_group=None):
    made = make_detector(detector)
    hits = [HitSpots(xyz, intensity, WAVELENGTH_A) for xyz, intensity in misplaced(spots, beam_px, distance, made)]
    pixel_mm = made.panels[0].pixel_mm
    return search(hits, BEAM, made.distance_mm * (1.0 + distance), pixel_mm, cell, space_group)


@pytest.mark.parametrize(
    ("crystal", "detector", "beam_px", "distance"),
    [
        ("lysozyme", "1m", (3.0, -2.0), 0.005),
        ("monoclinic", "1m", (12.0, -9.0), -0.05),
        ("large", "eight", (-8.0, 13.0), 0.05),
    ],
)
def test_wrong_header_is_corrected_with_and_without_a_cell(crystal, detector, beam_px, distance):
    """Joint refinement starts from any centre within 1 px; what is left here is a hundredth of that."""
    for cell, space_group, precision in ((*CRYSTALS[crystal], 0.0015), (None, None, 0.003)):
        answer = _search(_spots(crystal, detector), beam_px, distance, detector, cell, space_group)
        assert answer.found and answer.changed, answer.sentence
        assert answer.shift_px == pytest.approx(beam_px, abs=0.1)
        assert answer.distance_factor * (1.0 + distance) == pytest.approx(1.0, abs=precision)
        assert answer.distance_esd < precision
        assert answer.n_indexed > 0.6 * N_HITS
        assert ("known cell" in answer.method) == (cell is not None)


def test_right_header_stays_as_it_is():
    for cell, space_group in (CRYSTALS["triclinic"], (None, None)):
        answer = _search(_spots("triclinic"), cell=cell, space_group=space_group)
        assert answer.found and not answer.changed
        assert "as assumed within the uncertainty" in answer.sentence


def test_the_laboratory_can_have_any_axes():
    """The same spots in a turned laboratory: the shift is turned, and no other."""
    turn = random_rotation(np.random.default_rng(4))
    made = make_detector("1m")
    spots = misplaced(_spots("lysozyme"), (5.0, -4.0), 0.01, made)
    move_mm = []
    for rotation in (np.eye(3), turn):
        hits = [HitSpots(xyz @ rotation.T, intensity, WAVELENGTH_A) for xyz, intensity in spots]
        answer = search(hits, rotation @ BEAM, made.distance_mm * 1.01, made.panels[0].pixel_mm, *CRYSTALS["lysozyme"])
        move_mm.append(np.array(answer.move_mm))
    assert np.allclose(move_mm[0], [0.86, -0.688, 1.3], atol=0.05)  # mm: 5 and -4 px of 0.172, 1 % of 130
    assert np.allclose(move_mm[1], turn @ move_mm[0], atol=0.02)


def test_spots_of_two_crystals_on_each_image():
    pairs = zip(_spots("lysozyme"), _spots("lysozyme", seed=2), strict=True)
    both = [(np.concatenate([a, b]), np.concatenate([i, j])) for (a, i), (b, j) in pairs]
    assert _search(both, (-6.0, 4.0)).shift_px == pytest.approx((-6.0, 4.0), abs=0.1)


def test_known_cell_that_contradicts_the_spots():
    """A distance that explains a cell 2 % too long is not believed: the spots alone say what it is."""
    cell, space_group = CRYSTALS["lysozyme"]
    longer = (*(1.02 * axis for axis in cell[:3]), *cell[3:])
    answer = _search(_spots("lysozyme"), (3.0, -2.0), 0.01, cell=longer, space_group=space_group)
    assert answer.distance_factor * 1.01 == pytest.approx(1.0, abs=0.003)
    assert "2.0 % too long" in answer.sentence
    answer = _search(_spots("lysozyme"), (3.0, -2.0), cell=CRYSTALS["monoclinic"][0], space_group="P21")
    assert answer.shift_px == pytest.approx((3.0, -2.0), abs=0.1)
    assert "not have the known cell, but a cell with the reduced axes 38." in answer.sentence


def _random_spots(seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(20, 150, N_HITS)
    return [(np.column_stack([rng.normal(0.0, 35.0, (n, 2)), np.full(n, -130.0)]), rng.random(n)) for n in counts]


@pytest.mark.parametrize("seed", range(3))
def test_spots_without_a_lattice_give_no_answer(seed):
    answer = _search(_random_spots(seed), cell=CRYSTALS["lysozyme"][0], space_group="P43212")
    assert not answer.found
    assert answer.move_mm == (0.0, 0.0, 0.0)
    assert answer.sentence.startswith("Beam centre and distance were not found: ")


def test_one_orientation_leaves_several_answers():
    rotation = random_rotation(np.random.default_rng(5))
    made = make_detector("1m")
    spots = simulated_spots(
        "lysozyme", N_HITS, 1, made, reflections=_reflections("lysozyme", "1m"), rotation=rotation, n_spots=(40, 100)
    )
    answer = _search(spots, (3.0, -2.0), cell=CRYSTALS["lysozyme"][0], space_group="P43212")
    assert not answer.found
    assert "one orientation" in answer.sentence


def test_too_few_hits():
    answer = _search(_spots("lysozyme")[:5])
    assert not answer.found
    assert "5 hits" in answer.sentence and "at least 10" in answer.sentence
    assert not _search([]).found
