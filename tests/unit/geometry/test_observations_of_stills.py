"""Spots of many stills: selection, and arrays that are refused."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic_stills import one_panel, stills

from iota.errors import UsageError


@pytest.fixture(scope="module")
def observed():
    return stills(one_panel(), 5, 1, spots=20)[0]


def test_selected_lattices_come_with_their_spots(observed):
    chosen = observed.select(np.array([3, 1]))
    assert chosen.n_lattices == 2
    np.testing.assert_array_equal(chosen.n_spots, observed.n_spots[[3, 1]])
    np.testing.assert_array_equal(chosen.xy_mm[chosen.lattice == 0], observed.xy_mm[observed.lattice == 3])
    np.testing.assert_array_equal(chosen.hkl[chosen.lattice == 1], observed.hkl[observed.lattice == 1])
    np.testing.assert_array_equal(chosen.a_star, observed.a_star[[3, 1]])
    by_mask = observed.select(np.array([False, True, False, True, False]))
    np.testing.assert_array_equal(by_mask.time, [1.0, 3.0])
    assert observed.select(np.zeros(5, dtype=bool)).n_lattices == 0


def test_selected_spots_keep_all_lattices(observed):
    left = observed.select_spots(observed.lattice != 2)
    assert left.n_lattices == 5
    assert left.n_spots[2] == 0


@pytest.mark.parametrize("name", ["xy_mm", "weight"])
def test_spots_that_are_not_finite_are_refused(observed, name):
    bad = getattr(observed, name).copy()
    bad[7, 1] = np.nan
    with pytest.raises(UsageError, match=rf"1 of {len(observed)} spots have a .* that is not finite"):
        replace(observed, **{name: bad})


def test_crystals_and_beams_that_are_none_are_refused(observed):
    for name in ("a_star", "s0"):
        for value in (np.nan, 0.0):
            bad = getattr(observed, name).copy()
            bad[2] = value
            with pytest.raises(UsageError, match="1 of 5 lattices"):
                replace(observed, **{name: bad})


def test_arrays_that_do_not_match_or_are_not_sorted_are_refused(observed):
    with pytest.raises(UsageError, match="matching lengths"):
        replace(observed, hkl=observed.hkl[:-1])
    with pytest.raises(UsageError, match="sorted by lattice"):
        replace(observed, lattice=observed.lattice[::-1])
    with pytest.raises(UsageError, match="numbered from 0 to 4"):
        replace(observed, lattice=observed.lattice + 1)
    with pytest.raises(UsageError, match="negative weight"):
        replace(observed, weight=-observed.weight)
