"""Detectors of one and of many panels that are moved as a whole, and reference geometries of them."""

import copy

import numpy as np
import pytest
from dxtbx.imageset import ImageSet, ImageSetData, MemReader
from dxtbx.model import BeamFactory, Detector, DetectorFactory
from scipy.spatial.transform import Rotation

from iota.engine.backend import parameters as backend
from iota.engine.backend.remarks import collect_remarks
from iota.engine.images import reference_detector
from iota.engine.images.detector_moves import bring_downstream, distance_mm, update_geometry

HEADER_MM = 150.0
PIXEL_MM = 0.075
# Panels at each level of the hierarchy, as cctbx nests them, and their size.
XFEL = {
    "CSPAD": ((4, 8, 2), (194, 185)),
    "Jungfrau 4M": ((8, 8), (256, 256)),
    "AGIPD": ((4, 4, 8), (128, 64)),
    "ePix10k 2M": ((4, 4, 4), (192, 176)),
}
CARRIERS = ("root", "group", "panels")  # which level of the hierarchy has the distance


def _xfel(levels, size, carrier="group", sign=1, seed=0):
    """Detector whose parts are tilted and displaced a little, about the beam in a gap."""
    rng = np.random.default_rng(seed)
    detector = Detector()
    root = detector.hierarchy()
    far = np.array((0.0, 0.0, -HEADER_MM * sign))
    root.set_frame((1, 0, 0), (0, 1, 0), far if carrier == "root" else (0, 0, 0))
    group = root.add_group()
    group.set_local_frame((1, 0, 0), (0, 1, 0), far if carrier == "group" else (0, 0, 0))
    _fill(group, levels, np.array(size) * PIXEL_MM, rng, size, far if carrier == "panels" else np.zeros(3))
    return detector


def _fill(node, levels, pitch, rng, size, start):
    count, *inner = levels
    across = int(np.ceil(np.sqrt(count)))
    step = (np.array(pitch) + 0.5) * (int(np.ceil(np.sqrt(np.prod(inner)))) if inner else 1)
    for k in range(count):
        at = (np.array([k % across, k // across]) - (across - 1) / 2) * step * 1.02
        child = node.add_group() if inner else node.add_panel()
        fast, slow = Rotation.from_rotvec(rng.normal(0, 0.001, 3)).as_matrix().T[:2]
        origin = np.array([*at, 0.05 * rng.normal()]) + start
        if not inner:
            slow = -slow
            origin = origin + np.array([-pitch[0] / 2, pitch[1] / 2, 0])
        child.set_local_frame(fast, slow, origin)
        if inner:
            _fill(child, inner, pitch, rng, size, np.zeros(3))
        else:
            child.set_pixel_size((PIXEL_MM, PIXEL_MM))
            child.set_image_size(size)
            child.set_trusted_range((0, 1e5))


def _one_panel(fast="+x", slow="-y"):
    return DetectorFactory.simple("PAD", HEADER_MM, (40.0, 50.0), fast, slow, (PIXEL_MM, PIXEL_MM), (1000, 1200))


def _moved(detector, *phil):
    imageset = ImageSet(ImageSetData(MemReader([None]), None))
    imageset.set_beam(BeamFactory.simple(1.0), 0)
    imageset.set_detector(copy.deepcopy(detector), 0)
    update_geometry(backend.extract("\n".join(phil)), imageset)
    return imageset.get_detector(0)


def _origins(detector):
    return np.array([panel.get_origin() for panel in detector])


BEAM = BeamFactory.simple(1.0)


@pytest.mark.parametrize("name", XFEL)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_the_distance_moves_all_panels_of_a_detector_along_the_beam(name, carrier):
    detector = _xfel(*XFEL[name], carrier)
    assert len(detector) == np.prod(XFEL[name][0])
    nominal = distance_mm(detector, BEAM)
    assert nominal == pytest.approx(HEADER_MM, abs=1e-9 if carrier != "panels" else 0.15)
    same = _moved(detector, f"geometry.detector.distance={nominal!r}")
    assert np.abs(_origins(same) - _origins(detector)).max() < 1e-9
    moved = _moved(detector, "geometry.detector.distance=212.5")
    shifts = _origins(moved) - _origins(detector)
    assert np.abs(shifts - (0, 0, nominal - 212.5)).max() < 1e-9
    assert all(a.get_normal() == pytest.approx(b.get_normal()) for a, b in zip(moved, detector, strict=True))


@pytest.mark.parametrize("name", XFEL)
def test_a_detector_before_the_sample_is_brought_behind_it(name):
    upstream, right = _xfel(*XFEL[name], sign=-1), _xfel(*XFEL[name])
    assert bring_downstream(upstream, BEAM)
    assert np.abs(_origins(upstream) - _origins(right)).max() < 1e-9
    assert not bring_downstream(right, BEAM)


def test_the_beam_centre_is_counted_on_the_panel_that_the_beam_meets():
    detector = _xfel(*XFEL["Jungfrau 4M"])
    third = detector[3]
    off = np.array(third.get_lab_coord((5.0, 6.0))) * (1, 1, 0)
    shifted = _moved(detector, f"geometry.detector.hierarchy.origin={-off[0]},{-off[1]},0")
    with collect_remarks() as remarks:
        moved = _moved(shifted, "geometry.detector.fast_slow_beam_centre=60 82.5")
    number, mm = moved.get_ray_intersection(BEAM.get_s0())
    assert number == 3
    assert np.array(mm) / PIXEL_MM == pytest.approx((60, 82.5), abs=0.01)
    assert np.ptp(_origins(moved) - _origins(shifted), axis=0).max() < 1e-9
    assert "refers to panel" in remarks[0]


def test_in_a_gap_the_beam_centre_is_counted_on_the_first_panel_or_on_the_one_that_is_given():
    detector = _xfel(*XFEL["AGIPD"])
    assert detector.get_panel_intersection(BEAM.get_s0()) < 0
    with collect_remarks() as remarks:
        moved = _moved(detector, "geometry.detector.fast_slow_beam_centre=30 20")
    assert moved.get_ray_intersection(BEAM.get_s0())[0] == 0
    assert "does not hit a panel" in remarks[0]
    with collect_remarks() as remarks:
        moved = _moved(detector, "geometry.detector.fast_slow_beam_centre=30 20 77")
    assert moved.get_ray_intersection(BEAM.get_s0())[0] == 77
    assert not remarks
    with pytest.raises(ValueError, match="panels 0 to 127"):
        _moved(detector, "geometry.detector.fast_slow_beam_centre=30 20 128")


@pytest.mark.parametrize(("fast", "slow"), [("+x", "-y"), ("-x", "-y"), ("+y", "+x")])
def test_one_panel_stays_behind_the_sample_whichever_way_its_axes_run(fast, slow):
    moved = _moved(_one_panel(fast, slow), "geometry.detector.distance=99.5")
    assert moved[0].get_origin()[2] == pytest.approx(-99.5)
    assert moved[0].get_beam_centre(BEAM.get_s0()) == pytest.approx((40.0, 50.0))


def test_a_reference_geometry_of_another_detector_is_told_by_what_differs():
    xfel, panel = _xfel(*XFEL["CSPAD"]), _one_panel()
    said = str(reference_detector.difference(xfel, panel))
    assert "it has 64 panels of 194 x 185 pixels of 0.075 mm, but the images have 1 panel of 1000 x 1200" in said
    other = _one_panel()
    other[0].set_pixel_size((0.172, 0.172))
    assert "pixels of 0.172 mm" in str(reference_detector.difference(other, panel))
    other[0].set_pixel_size((0.07500001, 0.075))
    assert not reference_detector.difference(other, panel)


def test_a_reference_geometry_that_nests_the_same_panels_otherwise_is_used():
    nested, flat = _xfel(*XFEL["AGIPD"], seed=1), _xfel((128,), (128, 64), seed=2)
    assert not reference_detector.difference(nested, flat)
    reference_detector.put_in_place(nested, flat)
    assert np.abs(_origins(flat) - _origins(nested)).max() < 1e-9
