"""What docs/explanations/coordinate-frames.md says of axes, signs and pixels, on simulated frames."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from dials.algorithms.shoebox import MaskCode
from dials.model.data import Shoebox

from iota.engine.backend import parameters as backend
from iota.engine.exports.crystfel_geometry import geometry_of
from iota.engine.images.detector_moves import distance_mm
from iota.engine.images.image import import_frame
from iota.engine.stills.lattice import beam_centre
from iota.engine.viewer.pixel_layout import layout_of
from iota.records import FrameRef
from iota.simulate import Defects, Experiment, Frames, make_detector, read_frames, write_dataset

HITS = Frames(blank_fraction=0.0, weak_fraction=0.0, multi_fraction=0.0)
NO_DEFECTS = Defects(dead_per_million=0.0, hot_per_million=0.0)
FLIPPED = np.array([-1.0, 1.0, -1.0])  # dxtbx <-> NXmx and CrystFEL


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """One still of one panel in both formats, and one of four panels."""
    folder = tmp_path_factory.mktemp("frames")
    for name, detector, file_format in (("cbf", "300k", "cbf"), ("nxs", "300k", "nxs"), ("quads", "quads", "nxs")):
        experiment = Experiment(detector=make_detector(detector), frames=HITS, defects=NO_DEFECTS, seed=4)
        write_dataset(folder / name, experiment, 1, file_format=file_format)
    return folder


def imported(folder: Path, name: str):
    (image,) = [path for path in (folder / name).iterdir() if path.suffix in (".cbf", ".nxs")]
    index = None if image.suffix == ".cbf" else 0
    return import_frame(FrameRef(str(image), index), backend.extract(""), folder / "links" / name)[0]


@pytest.mark.parametrize("name", ["cbf", "nxs", "quads"])
def test_dxtbx_has_the_beam_along_minus_z_and_panels_where_they_were_simulated(folder, name):
    experiment = imported(folder, name)
    assert experiment.beam.get_unit_s0() == pytest.approx((0, 0, -1), abs=1e-6)
    for panel, true in zip(
        experiment.detector, make_detector("quads" if name == "quads" else "300k").panels, strict=True
    ):
        assert panel.get_lab_coord((0, 0)) == panel.get_origin() == pytest.approx(true.origin_mm, abs=2e-3)
        assert panel.get_fast_axis() == pytest.approx(true.fast, abs=1e-6)
        assert panel.get_slow_axis() == pytest.approx(true.slow, abs=1e-6)


def test_the_distance_is_positive_downstream_though_the_directed_distance_depends_on_the_axes(folder):
    experiment = imported(folder, "nxs")
    detector, (panel,) = experiment.detector, experiment.detector
    assert panel.get_directed_distance() == pytest.approx(distance_mm(detector, experiment.beam)) == pytest.approx(110)
    panel.set_frame(panel.get_fast_axis(), tuple(-x for x in panel.get_slow_axis()), panel.get_origin())
    assert panel.get_directed_distance() == pytest.approx(-110)
    assert distance_mm(detector, experiment.beam) == pytest.approx(110)


def test_nexus_has_the_beam_along_z_and_x_to_the_left(folder):
    with h5py.File(next((folder / "nxs").glob("*.nxs"))) as file:
        vectors = {
            name.rpartition("/")[2]: item.attrs["vector"] for name, item in _items(file) if "vector" in item.attrs
        }
    (true,) = make_detector("300k").panels
    assert vectors["distance"] == pytest.approx((0, 0, 1))
    assert vectors["fast_pixel_direction"] == pytest.approx(true.fast * FLIPPED)
    assert vectors["slow_pixel_direction"] == pytest.approx(true.slow * FLIPPED)


def _items(file):
    found = []
    file.visititems(lambda name, item: found.append((name, item)))
    return found


@pytest.mark.parametrize("name", ["nxs", "quads"])
def test_crystfel_has_the_beam_along_z_and_y_as_in_dxtbx(folder, name):
    experiment = imported(folder, name)
    geometry = geometry_of(experiment)
    assert geometry.rotation == pytest.approx(np.diag(FLIPPED), abs=1e-6)
    for panel, ours in zip(geometry.panels, experiment.detector, strict=True):
        assert panel.corner * 1000 == pytest.approx(np.array(ours.get_origin()) * FLIPPED, abs=1e-6)
        assert panel.fast / panel.pixel_m == pytest.approx(np.array(ours.get_fast_axis()) * FLIPPED, abs=1e-6)


def test_the_first_pixel_is_from_0_to_1_in_positions_and_has_index_0_in_arrays():
    shoebox = Shoebox(0, (0, 1, 3, 4, 0, 1))  # fast 0 to 1, slow 3 to 4
    shoebox.allocate()
    shoebox.data[0], shoebox.mask[0] = 100, MaskCode.Valid | MaskCode.Foreground
    assert shoebox.centroid_valid().px.position[:2] == (0.5, 3.5)


def test_reflections_are_where_the_matrix_of_the_truth_puts_them_half_a_pixel_beyond_the_index(folder):
    experiment = imported(folder, "nxs")
    (truth,) = read_frames(folder / "nxs")
    matrix = np.reshape(truth["lattices"][0]["A"], (3, 3))
    counts = experiment.imageset.get_raw_data(0)[0].as_numpy_array()
    brightest = np.transpose(np.unravel_index(np.argsort(counts, axis=None)[-400:], counts.shape))
    (panel,), s0 = experiment.detector, np.array(experiment.beam.get_s0())
    (size_mm, _) = panel.get_pixel_size()
    off = []
    for slow, fast in brightest:  # arrays are [slow, fast]
        place = np.array(panel.get_lab_coord(((fast + 0.5) * size_mm, (slow + 0.5) * size_mm)))
        s1 = place / np.linalg.norm(place) * np.linalg.norm(s0)
        hkl = np.rint(np.linalg.solve(matrix, s1 - s0))
        predicted = np.array(panel.get_ray_intersection(tuple(s0 + matrix @ hkl))) / size_mm
        off.append([fast, slow] - predicted)
    near = np.array(off)[np.linalg.norm(off, axis=1) < 3]
    assert len(near) > 0.8 * len(off)
    assert np.median(near, axis=0) == pytest.approx((-0.5, -0.5), abs=0.2)


def test_the_beam_centre_of_records_and_pictures_is_in_pixels_from_the_corner_fast_first(folder):
    experiment, true = imported(folder, "nxs"), make_detector("300k")
    mm, px = beam_centre(experiment.detector, experiment.beam)
    assert px == pytest.approx(true.beam_px, abs=0.02)
    assert mm == pytest.approx([value * 0.172 for value in true.beam_px], abs=0.004)
    assert layout_of(experiment.detector, experiment.beam).beam == pytest.approx(true.beam_px, abs=0.02)


def test_pictures_are_seen_along_the_beam_with_x_to_the_right_and_y_up(folder):
    one = layout_of((experiment := imported(folder, "nxs")).detector, experiment.beam)
    assert (one.panels[0].origin, one.panels[0].fast, one.panels[0].slow) == ((0, 0), (1, 0), (0, 1))
    several = layout_of((experiment := imported(folder, "quads")).detector, experiment.beam)
    assert np.array(several.plane_x) / several.pixel_mm == pytest.approx((1, 0, 0), abs=0.01)
    assert np.array(several.plane_y) / several.pixel_mm == pytest.approx((0, -1, 0), abs=0.01)
