"""Headers as facilities write them: what becomes of geometry, wavelength, masks and marks of pixels without a count."""

import gc
import weakref
from functools import partial

import dxtbx
import facility_files as files
import h5py
import numpy as np
import pytest
from commands import command

from iota.engine import backend
from iota.engine.convert import convert
from iota.engine.convert_worker import Conversion
from iota.engine.hdf5_images import open_images
from iota.engine.image import ImportFailedError, import_models, load_reference_geometry, read_pixels
from iota.engine.pixel_frames import OpenFrames
from iota.engine.remarks import collect_remarks
from iota.records import FrameRef
from iota.runs import read_ledger


class _Found:
    """What an image of a file looks like to DIALS."""

    def __init__(self, path, index=0, phil=""):
        with collect_remarks() as self.remarks:
            (experiment,) = import_models(
                FrameRef(str(path), index), backend.extract(phil), path.parent / "links" / "image"
            )
            raw = read_pixels(experiment.imageset)
        self.detector, self.beam = experiment.detector, experiment.beam
        self.counts = [panel.as_numpy_array() for panel in (raw if isinstance(raw, tuple) else (raw,))]
        self.trusted = [panel.as_numpy_array() for panel in experiment.imageset.get_mask(0)]
        self.origins = np.array([panel.get_origin() for panel in self.detector])


@pytest.fixture(scope="module")
def taken():
    return files.shots(2)


@pytest.fixture
def path(tmp_path, taken):
    return files.nxmx(tmp_path, taken)


@pytest.fixture(scope="module")
def right(tmp_path_factory, taken):
    return _Found(files.nxmx(tmp_path_factory.mktemp("right"), taken))


@pytest.mark.parametrize("detector", ["300k", "quads"])
@pytest.mark.parametrize("turn_deg", [0.0, 10.0])
def test_modules_may_be_placed_by_the_offset_of_their_fast_axis(tmp_path, detector, turn_deg):
    path = files.nxmx(tmp_path, files.shots(1, detector=detector))
    with h5py.File(path, "r+") as file:  # something turned below the modules turns their offset, too
        distance = file["entry/instrument/detector/transformations/distance"]
        distance.attrs["depends_on"] = "/entry/instrument/detector/transformations/arm"
        arm = file["entry/instrument/detector/transformations"].create_dataset("arm", data=turn_deg)
        arm.attrs.update({"transformation_type": "rotation", "vector": [1.0, 0, 0], "units": "deg", "depends_on": "."})
    right = _Found(path)
    files.offset_on_fast_axis(path)
    found = _Found(path)
    assert np.abs(found.origins - right.origins).max() < 1e-6
    assert not found.remarks


def test_a_geometry_without_a_place_across_the_beam_is_completed_by_the_beam_centre(path, right):
    files.beam_centre_only(path)
    found = _Found(path)
    assert np.abs(found.origins - right.origins).max() < 1e-6


def test_a_beam_far_from_the_one_that_the_file_names_is_told(path):
    files.set_value(path, "entry/instrument/detector/beam_center_x", 30.0)
    assert "say 30, " in _Found(path).remarks[0]


def test_another_distance_than_the_one_that_the_file_names_is_told(path, right):
    files.distance(path, 200.0)
    found = _Found(path)
    assert abs(found.detector[0].get_directed_distance()) == pytest.approx(200.0)
    assert "at 200.0 mm, but the distance stated separately is 110.0 mm" in found.remarks[0]
    given = _Found(path, phil="geometry.detector.distance=110")
    assert np.abs(given.origins - right.origins).max() < 1e-6


def test_no_distance_is_told_and_can_be_given(path, right):
    files.distance(path, 0.0)
    with pytest.raises(ImportFailedError, match=r"at the sample.*image_import\.distance"):
        _Found(path)
    assert np.abs(_Found(path, phil="geometry.detector.distance=110").origins - right.origins).max() < 1e-6


def test_a_negative_distance_of_several_modules_is_one_behind_the_sample(tmp_path):
    path = files.nxmx(tmp_path, files.shots(1, detector="quads"))
    right = _Found(path)
    files.distance(path, -150.0)
    found = _Found(path)
    assert np.abs(found.origins - right.origins).max() < 1e-6
    assert "upstream of the sample" in found.remarks[0]


@pytest.mark.parametrize(("energy", "units"), [(12651.4, "eV"), (12.6514, "keV"), (12651.4 * 1.602176634e-19, "J")])
def test_an_energy_is_as_good_as_a_wavelength(path, energy, units):
    files.energy_only(path, energy, units)
    assert _Found(path).beam.get_wavelength() == pytest.approx(12398.4198 / 12651.4, rel=1e-7)
    files.energy_only(path, np.full(2, energy), units)
    assert _Found(path, 1).beam.get_wavelength() == pytest.approx(12398.4198 / 12651.4, rel=1e-7)


def test_each_shot_has_its_own_wavelength(path):
    files.wavelengths(path, (0.98, 1.02))
    assert [_Found(path, k).beam.get_wavelength() for k in (0, 1)] == [0.98, 1.02]


@pytest.mark.parametrize(("value", "said"), [(0.0, "(0 A)"), (np.nan, "(nan A)"), (None, "image; geometry")])
def test_a_shot_without_a_wavelength_says_so_and_takes_one_that_is_given(path, value, said):
    if value is None:
        files.set_value(path, "entry/instrument/beam/incident_wavelength", None)
    else:
        files.wavelengths(path, (1.02, value))
        assert _Found(path).beam.get_wavelength() == 1.02
    with pytest.raises(ImportFailedError, match="no usable wavelength") as failed:
        _Found(path, 1)
    assert said in str(failed.value)
    assert _Found(path, 1, "geometry.beam.wavelength=0.97").beam.get_wavelength() == 0.97


@pytest.mark.parametrize(
    "change",
    [lambda m: m[None], lambda m: np.stack([m, m]), lambda m: np.stack([m] * 3), lambda m: m * 256],
    ids=["one", "one an image", "three", "other bits"],
)
def test_masks_of_three_dimensions_and_of_any_bit_are_used(path, right, change):
    files.pixel_mask(path, change)
    assert (_Found(path).trusted[0] == right.trusted[0]).all()


def test_an_image_may_have_a_mask_of_its_own(path, right):
    def second_half(mask):
        half = np.zeros_like(mask)
        half[:, 200:] = 1
        return np.stack([mask, mask | half])

    files.pixel_mask(path, second_half)
    assert (_Found(path).trusted[0] == right.trusted[0]).all()
    second = _Found(path, 1).trusted[0]
    assert not second[:, 200:].any()
    assert second[:, :200].any()


def test_a_mask_that_does_not_fit_is_told_with_both_sizes(path):
    files.pixel_mask(path, np.transpose)
    with pytest.raises(ImportFailedError, match="mask in the file is 619 x 487 pixels, the image 487 x 619"):
        _Found(path)
    files.pixel_mask(path, lambda mask: np.ones_like(mask.T))
    with pytest.raises(ImportFailedError, match="masks every pixel"):
        _Found(path)


@pytest.mark.parametrize("kind", ["<i4", "<u2", "<u4"])
def test_marks_are_no_counts_even_where_the_file_does_not_say_so(tmp_path, taken, right, kind):
    path = files.nxmx(tmp_path, taken, dtype=kind)
    files.no_lower_limit(path)
    found = _Found(path)
    assert (found.trusted[0] == right.trusted[0]).all()
    assert found.remarks == [
        "The file gives no underload_value: pixels below 0 or at the highest value of their data type are masked."
    ]


def test_the_saturation_value_is_no_trusted_count(path, taken):
    at = np.unravel_index(np.argmax(taken.images[0]), taken.images[0].shape)
    highest = int(taken.images[0][at])
    files.set_value(path, "entry/instrument/detector/saturation_value", highest + 1)
    assert _Found(path).trusted[0][at]
    files.set_value(path, "entry/instrument/detector/saturation_value", highest)
    assert not _Found(path).trusted[0][at]


@pytest.mark.parametrize("kind", ["<f4", "<f8"])
@pytest.mark.parametrize("fill", [np.nan, np.inf, -1.0])
def test_pixels_that_are_no_numbers_are_masked(path, taken, right, kind, fill):
    pixels = np.where(taken.images < 0, fill, taken.images).astype(kind)
    files.set_value(path, "entry/data/data", pixels)
    files.pixel_mask(path, np.zeros_like)
    found = _Found(path)
    assert (found.trusted[0] == right.trusted[0]).all()
    assert np.isfinite(found.counts[0]).all()


def test_a_file_that_dxtbx_has_open_is_read(path, right):
    image = dxtbx.load(str(path))
    image.get_raw_data(0)
    assert (_Found(path).counts[0] == right.counts[0]).all()


def test_a_file_that_lacks_what_describes_the_detector_says_what(path):
    files.set_value(path, "entry/instrument/detector/sensor_thickness", None)
    with pytest.raises(ImportFailedError, match="lacks sensor_thickness"):
        _Found(path)


def test_the_viewer_and_saved_pickles_mask_the_same_pixels(path, taken, right):
    pixels = np.where(taken.images < 0, np.nan, taken.images).astype("<f4")
    files.set_value(path, "entry/data/data", pixels)
    files.pixel_mask(path, lambda mask: mask[None])
    frame = OpenFrames(path.parent / "links").get(str(path), 0)
    assert (frame.trusted[0] == right.trusted[0]).all()
    saved = path.with_name("saved_00001.pickle")
    conversion = Conversion("", str(path.parent / "links"), "no_modification", False)
    assert not convert(conversion, FrameRef(str(path), 0), saved)
    assert (_Found(saved).counts[0][~right.trusted[0]] < 0).all()


def test_masters_of_dectris_are_compared_with_what_they_name_beside_their_geometry(tmp_path, taken, right):
    path = files.dectris(tmp_path, taken)
    found = _Found(path)
    assert np.abs(found.origins - right.origins).max() < 1e-4  # these files have lengths in 32 bits
    assert (found.trusted[0] == right.trusted[0]).all()
    assert not found.remarks
    files.set_value(path, "entry/instrument/detector/detector_distance", 0.2)
    files.set_value(path, "entry/instrument/detector/beam_center_y", 22.0)
    told = _Found(path).remarks
    assert "say 228, 22." in told[0]
    assert "at 110.0 mm, but the distance stated separately is 200.0 mm" in told[1]
    files.set_value(path, "entry/instrument/detector/detectorSpecific/pixel_mask", np.zeros((487, 619), "<u4"))
    with pytest.raises(ImportFailedError, match="619 x 487 pixels, the image 487 x 619"):
        _Found(path)


def test_a_dectris_detector_before_the_sample_is_brought_behind_it(tmp_path, taken, right):
    path = files.dectris(tmp_path, taken)
    with h5py.File(path, "r+") as file:
        file["entry/instrument/detector/geometry/translation/distances"][2] *= -1
    assert np.abs(_Found(path).origins - right.origins).max() < 1e-4


def test_a_reference_geometry_may_be_an_image_with_such_a_header(path, right):
    files.offset_on_fast_axis(path)
    files.energy_only(path, 12.65, "keV")
    reference = load_reference_geometry(str(path))
    assert np.abs(np.array(reference[0].get_origin()) - right.origins[0]).max() < 1e-6
    assert len(_Found(path).counts) == 1  # the same file is an image, too


def test_nothing_of_a_file_is_kept_after_its_images(path):
    images = open_images(str(path))
    images.imageset(0).get_raw_data(0)
    alive = weakref.ref(images)
    del images
    gc.collect()
    assert alive() is None


def test_stills_with_such_headers_give_the_true_lattice(tmp_path, taken):
    """Numbers where there is no pixel, energies, the place as an offset: all in one file, all the way."""
    path = files.nxmx(tmp_path, taken)
    pixels = np.where(taken.images < 0, np.nan, taken.images).astype("<f4")
    files.set_value(path, "entry/data/data", pixels)
    files.pixel_mask(path, partial(np.expand_dims, axis=0))
    files.offset_on_fast_axis(path)
    files.energy_only(path, 12.39841984 / taken.experiment.beam.wavelength_A, "keV")
    done = command("iota.run", path, "-n", "1", files.CELL, "target_space_group=P43212", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    results, _ = read_ledger(tmp_path / "integration" / "001" / "frames.jsonl")
    assert [result.outcome for result in results] == ["integrated"] * 2
    for result in results:
        assert result.lattices[0].unit_cell == pytest.approx((79.2, 79.2, 38.1, 90, 90, 90), rel=0.01)
        assert result.lattices[0].beam_centre_px == pytest.approx(taken.experiment.detector.beam_px, abs=1.0)
