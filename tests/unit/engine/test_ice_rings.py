import numpy as np
import pytest

from iota.engine.spots.ice_rings import ICE_RINGS_A, ice_rings_A

EVERYWHERE = 1 / np.cbrt(np.random.default_rng(1).uniform(1 / 30**3, 1 / 1.6**3, 600))  # even in reciprocal space


def test_spots_of_a_crystal_alone_are_no_ice():
    assert ice_rings_A(EVERYWHERE) == []
    assert ice_rings_A(np.array([])) == []


@pytest.mark.parametrize("ring", ICE_RINGS_A)
def test_a_ring_of_spots_is_found_among_those_of_a_crystal(ring):
    spots = np.random.default_rng(2).normal(ring, 0.001 * ring, 40)
    assert ring in ice_rings_A(np.concatenate([EVERYWHERE, spots]))


def test_a_few_spots_on_a_ring_are_chance():
    assert ice_rings_A(np.full(5, 3.669)) == []
    assert ice_rings_A(np.full(30, 5.0)) == []
