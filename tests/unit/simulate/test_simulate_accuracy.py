"""Distance of results from the truth of simulated frames."""

import numpy as np
import pytest

from iota.crystallography.indices import hkl_in_asymmetric_unit
from iota.simulate import Crystal, FoundLattice, draw_intensities, merge, orientation_error_deg

CELL = np.diag([79.2, 79.2, 38.1])
A = np.linalg.inv(CELL)
TRUTH = [{"A": A.ravel().tolist()}]


def rotated(angle_deg, matrix):
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ matrix


@pytest.mark.parametrize("angle_deg", [0.0, 0.03, 1.5])
def test_the_angle_does_not_depend_on_the_choice_of_axes(angle_deg):
    fourfold = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    for axes in (np.eye(3), fourfold, -fourfold):
        found = rotated(angle_deg, A) @ axes
        assert orientation_error_deg(found, TRUTH) == pytest.approx(angle_deg, abs=1e-5)


def test_cell_errors_do_not_count_as_rotation_and_other_lattices_are_far():
    assert orientation_error_deg(1.01 * A, TRUTH) == pytest.approx(0, abs=1e-5)
    assert orientation_error_deg(A @ np.diag([0.5, 1, 1]), TRUTH) == 180  # a doubled
    assert orientation_error_deg(A, []) == 180
    assert orientation_error_deg(A, [{"A": rotated(20, A).ravel()}, *TRUTH]) == pytest.approx(0, abs=1e-5)


def test_frames_of_different_scales_merge_to_the_truth():
    rng = np.random.default_rng(1)
    crystal = Crystal()
    unique = draw_intensities(crystal.unit_cell, crystal.space_group, 4.0, 20.0, rng)
    found = []
    for scale in (0.2, 1.0, 7.0):
        chosen = rng.choice(len(unique.hkl), 400, replace=False)
        hkl = hkl_in_asymmetric_unit(unique.hkl[chosen], crystal.space_group)
        found.append(FoundLattice(("x", 0), A, crystal.unit_cell, hkl, scale * unique.intensity[chosen]))
    merged, multiplicity = merge(found, unique.asu_hkl)
    assert multiplicity.sum() == 3 * 400
    seen = multiplicity > 0
    assert np.corrcoef(merged[seen], unique.asu_intensity[seen])[0, 1] > 0.99
