"""The physics of simulated stills, against what can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from cctbx import crystal, miller, sgtbx
from cctbx.array_family import flex
from hypothesis import given, settings
from hypothesis import strategies as st

from iota.errors import UsageError
from iota.simulate import Beam, SpotShape, draw_intensities, make_detector
from iota.simulate.background import air_scattering
from iota.simulate.diffraction import (
    domain_sigma,
    excitation_sigmas,
    excite,
    polarisation,
    recorded_fraction,
)
from iota.simulate.intensities import form_factor, relative_scattering_power
from iota.simulate.lattice import Lattice, perturbed_cell, random_rotation, reciprocal_basis
from iota.simulate.spots import add_spots, attenuation_per_mm, mean_depth_mm, place_spots

LYSOZYME = (79.2, 79.2, 38.1, 90.0, 90.0, 90.0)
FORMS = [
    (LYSOZYME, "P43212"),
    ((90.0, 45.0, 60.0, 90.0, 105.0, 90.0), "C2"),
    ((50.0, 60.0, 70.0, 80.0, 95.0, 100.0), "P1"),
    ((78.0, 78.0, 78.0, 90.0, 90.0, 90.0), "I213"),
    ((80.0, 80.0, 120.0, 90.0, 90.0, 120.0), "P6122"),
]


def drawn(cell=LYSOZYME, group="P43212", d_min_A=2.5, b_factor_A2=0.0, seed=3):
    return draw_intensities(cell, group, d_min_A, b_factor_A2, np.random.default_rng(seed))


def as_table(reflections):
    return dict(zip(map(tuple, reflections.hkl.tolist()), reflections.intensity.tolist(), strict=True))


def lattice(A, mosaic_deg=0.05, domain_size_A=1500.0):
    return Lattice(0, A, LYSOZYME, 1.0, 0.0, mosaic_deg, domain_size_A)


@pytest.mark.parametrize(("cell", "group"), FORMS)
def test_symmetry_equivalents_are_equal_and_absences_are_missing(cell, group):
    reflections = drawn(cell, group, 4.0)
    table = as_table(reflections)
    assert len(table) == len(reflections.hkl)
    space_group = sgtbx.space_group_info(group).group()
    for hkl in list(table)[:: max(1, len(table) // 300)]:
        assert not space_group.is_sys_absent(hkl)
        for operator in space_group.all_ops():
            rotation = np.reshape(operator.r().as_double(), (3, 3))
            equivalent = tuple(np.rint(np.array(hkl) @ rotation).astype(int).tolist())
            assert table[equivalent] == table[hkl]
            assert table[tuple(-x for x in equivalent)] == table[hkl]


@pytest.mark.parametrize(("cell", "group"), FORMS)
def test_the_sphere_is_complete(cell, group):
    symmetry = crystal.symmetry(cell, group)
    expected = miller.build_set(symmetry, anomalous_flag=True, d_min=4.0).expand_to_p1()
    assert set(map(tuple, drawn(cell, group, 4.0).hkl.tolist())) == set(expected.indices())


def test_screw_axis_of_lysozyme_leaves_only_every_fourth_00l():
    table = as_table(drawn())
    assert sorted({abs(hkl[2]) for hkl in table if hkl[:2] == (0, 0)}) == [4, 8, 12]


def test_wilson_statistics_of_acentric_and_centric_reflections():
    reflections = drawn(d_min_A=1.6)
    d_A = np.array(crystal.symmetry(LYSOZYME, "P43212").unit_cell().d(flex.miller_index(reflections.asu_hkl.tolist())))
    normalised = reflections.asu_intensity / reflections.asu_epsilon / relative_scattering_power(d_A, 0.0)
    for centric, ratio, tolerance in ((False, 2.0, 0.1), (True, 3.0, 0.5)):
        z = normalised[reflections.asu_centric == centric]
        assert z.mean() == pytest.approx(1.0, abs=0.05)
        assert (z**2).mean() / z.mean() ** 2 == pytest.approx(ratio, abs=tolerance)


def test_b_factor_lowers_intensities_as_its_definition_says():
    fall = relative_scattering_power(2.0, 30.0) / relative_scattering_power(2.0, 10.0)
    # exp(-B / (2 d^2)), relative to 4 A
    assert fall == pytest.approx(np.exp(-20.0 / 2.0 * (1 / 4.0 - 1 / 16.0)))


def test_form_factor_in_the_forward_direction_is_the_number_of_electrons():
    assert form_factor("C", 0.0) == pytest.approx(6.0, abs=0.01)
    # Forward: 14 electrons in phase.
    assert air_scattering(np.array([0.0]))[0] == pytest.approx(14.0**2, rel=0.01)


@pytest.mark.parametrize(
    ("cell", "group", "words"),
    [
        (LYSOZYME, "P4321", "no space group"),
        ((70.0, 80.0, 38.1, 90.0, 90.0, 90.0), "P43212", "does not obey"),
        ((70.0, 80.0, 38.1, 90.0, 10.0, 170.0), "P1", "not a unit cell"),
        ((900.0, 900.0, 900.0, 90.0, 90.0, 90.0), "P1", "smaller cell"),
    ],
)
def test_impossible_crystals_are_refused_in_a_sentence(cell, group, words):
    with pytest.raises(UsageError, match=words):
        drawn(cell, group, 1.5)


def test_polarisation_factor_at_known_angles():
    two_theta = np.radians(60.0)
    across = np.array([0.0, np.sin(two_theta), -np.cos(two_theta)])
    along = np.array([np.sin(two_theta), 0.0, -np.cos(two_theta)])
    assert polarisation(along, 0.5) == pytest.approx((1 + 0.25) / 2)
    assert polarisation(across, 0.5) == pytest.approx((1 + 0.25) / 2)
    assert polarisation(across, 1.0) == pytest.approx(1.0)
    assert polarisation(along, 1.0) == pytest.approx(0.25)
    assert polarisation(np.array([0.0, 0.0, -1.0]), 0.7) == pytest.approx(1.0)


def test_recorded_fraction_limits():
    size = domain_sigma(1500.0)
    zero, far = np.array([0.0]), np.array([10 * size])
    assert recorded_fraction(zero, np.array([size]), size) == pytest.approx(1.0)
    assert recorded_fraction(zero, np.array([4 * size]), size) == pytest.approx(0.25)
    assert recorded_fraction(far, np.array([size]), size) < 1e-20
    # Half way down where the Scherrer width says so.
    assert recorded_fraction(np.array([0.886 / 1500.0 / 2]), np.array([size]), size) == pytest.approx(0.5)


@given(st.floats(0.3, 6.0), st.floats(0.0, 1.0))
@settings(max_examples=30, deadline=None)
def test_the_average_over_excitation_errors_does_not_depend_on_the_width(times, centre):
    size = domain_sigma(1500.0)
    sigma = size * max(times, 1.0)
    r = np.linspace(-12, 12, 20001) * sigma + centre * size
    area = recorded_fraction(r, np.full_like(r, sigma), size).sum() * (r[1] - r[0])
    assert area == pytest.approx(size * np.sqrt(2 * np.pi), rel=1e-3)


def test_widths_of_the_excitation_error():
    wavelength_A, q = 1.0, np.array([0.5])
    size, mosaic, bandwidth = excitation_sigmas(q, wavelength_A, 0.1, 1000.0, 1e-3)
    assert size[0] == pytest.approx(0.886 / 1000 / 2.3548, rel=1e-4)
    theta = np.arcsin(0.25)
    assert mosaic[0] == pytest.approx(np.radians(0.1) * 0.5 * np.cos(theta))
    # What |s0 + q| - |s0| of a point on the sphere does when 1/wavelength changes by one standard deviation
    k = 1.0
    on_sphere = np.array([0.5 * np.cos(theta), 0.0, 0.5 * np.sin(theta)])
    changed = k * (1 + 1e-3 / 2.3548)
    r = np.linalg.norm(on_sphere - [0, 0, changed]) - changed
    assert bandwidth[0] == pytest.approx(abs(r), rel=1e-2)


def test_excited_reflections_are_those_near_the_sphere():
    rng = np.random.default_rng(0)
    A = random_rotation(rng) @ reciprocal_basis(LYSOZYME)
    beam = Beam(wavelength_A=1.0)
    hkl = drawn(d_min_A=2.0).hkl
    found = excite(lattice(A), hkl, beam, 2.0)
    s1 = hkl @ A.T + np.array([0.0, 0.0, -1.0])
    error = np.linalg.norm(s1, axis=1) - 1.0
    np.testing.assert_allclose(found.excitation_error, error[found.index], atol=1e-12)
    assert 100 < found.index.size < 2000
    # All points closer than three widths of the domain size alone are among them.
    near = np.flatnonzero(np.abs(error) < 3 * domain_sigma(1500.0))
    assert set(near) <= set(found.index)
    # A point on the sphere goes where s0 + q points, others within the blur.
    nominal = s1[found.index] / np.linalg.norm(s1[found.index], axis=1)[:, None]
    deviation = np.linalg.norm(found.direction - nominal, axis=1)
    assert deviation[np.abs(found.excitation_error) < 1e-6].max(initial=0.0) < 1e-5
    assert deviation.max() < 0.005


def test_energy_alone_puts_a_spot_where_the_wavelength_that_fits_puts_it():
    """With energy as the only blur a point off the sphere diffracts at the wavelength that brings it on."""
    q = np.array([0.12, 0.05, 0.0])
    q[2] = 0.98 * (q @ q) / 2  # q @ q = 2 k q_z on the sphere of radius k
    k = q @ q / (2 * q[2])
    exact = (q - [0, 0, k]) / np.linalg.norm(q - [0, 0, k])
    nominal = (q - [0, 0, 1.0]) / np.linalg.norm(q - [0, 0, 1.0])
    hkl = np.array([[1, 1, 1]], dtype=np.int32)
    found = excite(lattice(np.diag(q), 0.0, 1e7), hkl, Beam(1.0, 0.5), 1.5)
    # First order in the change of wavelength, here two per cent.
    assert np.linalg.norm(found.direction[0] - exact) < 0.1 * np.linalg.norm(nominal - exact)


def test_rotation_alone_puts_a_spot_on_its_powder_ring():
    """With mosaicity as the only blur a point off the sphere turns onto it and keeps its Bragg angle."""
    q = np.array([0.3, 0.1, 0.0])
    q[2] = (q @ q) / 2 + 0.003
    hkl = np.array([[1, 1, 1]], dtype=np.int32)
    found = excite(lattice(np.diag(q), 2.0, 1e7), hkl, Beam(1.0, 0.0), 1.5)
    nominal = (q - [0, 0, 1.0]) / np.linalg.norm(q - [0, 0, 1.0])
    bragg = 2 * np.arcsin(np.linalg.norm(q) / 2)
    assert np.arccos(-found.direction[0, 2]) == pytest.approx(bragg, abs=2e-5)
    assert abs(np.arccos(-nominal[2]) - bragg) > 2e-4


def test_random_rotations_are_rotations_and_uniform():
    rng = np.random.default_rng(1)
    rotations = np.array([random_rotation(rng) for _ in range(2000)])
    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (2000, 3, 3)), atol=1e-12
    )
    assert np.linalg.det(rotations) == pytest.approx(1.0)
    # Each axis points anywhere: the mean vanishes and the mean square of a component is a third.
    assert np.abs(rotations.mean(axis=0)).max() < 0.06
    assert (rotations**2).mean(axis=0) == pytest.approx(1 / 3, abs=0.03)


def test_reciprocal_basis_gives_d_spacings():
    cell = (50.0, 60.0, 70.0, 80.0, 95.0, 100.0)
    q = np.array([3, -2, 5]) @ reciprocal_basis(cell).T
    assert 1 / np.linalg.norm(q) == pytest.approx(crystal.symmetry(cell, "P1").unit_cell().d((3, -2, 5)))


def test_varied_cells_keep_their_symmetry():
    a, b, c, *angles = perturbed_cell(LYSOZYME, "P43212", 0.01, np.random.default_rng(0))
    assert a == b != 79.2
    assert c != 38.1
    assert angles == [90.0, 90.0, 90.0]


def test_spots_keep_their_photons_and_their_place():
    detector = make_detector("1m")
    panel = detector.panels[0]
    target = panel.position_mm([300.25, 700.5], [300.75, 640.5])
    direction = target / np.linalg.norm(target, axis=1)[:, None]
    # Without depth of the sensor the spots are where the beams cross its surface.
    widths = np.full(2, 1e-4), np.full(2, 2e-3)
    (spots,) = place_spots(detector, direction, *widths, SpotShape(), 1e6)
    np.testing.assert_allclose(spots.centre_px, [[300.25, 300.75], [700.5, 640.5]], atol=1e-3)
    image = np.zeros(detector.shape, dtype=np.float32)
    add_spots(image, spots, np.array([1000.0, 500.0]))
    assert image.sum() == pytest.approx(1500.0, rel=1e-4)
    box = image[280:322, 280:322].astype(float)
    rows, columns = np.indices(box.shape) + 280.5
    assert (box * columns).sum() / box.sum() == pytest.approx(300.25, abs=0.02)
    assert (box * rows).sum() / box.sum() == pytest.approx(300.75, abs=0.02)
    # Broad across the plane of diffraction, narrow along it: the longest axis is across the line to the beam.
    offsets = np.stack([columns - 300.25, rows - 300.75])
    moments = np.einsum("irc,jrc,rc->ij", offsets, offsets, box) / box.sum()
    _, vectors = np.linalg.eigh(moments)
    towards_beam = np.array([300.25, 300.75]) - detector.beam_px
    assert abs(vectors[:, 1] @ towards_beam) / np.linalg.norm(towards_beam) < 0.1


def test_mean_depth_in_the_sensor():
    assert mean_depth_mm(np.array([1e-6]), 4.0)[0] == pytest.approx(5e-7, rel=1e-2)
    assert mean_depth_mm(np.array([1e3]), 4.0)[0] == pytest.approx(0.25)
    # Silicon at 1 A absorbs to a depth of about a quarter of a millimetre.
    assert 1 / attenuation_per_mm(1.0) == pytest.approx(0.25, abs=0.05)
