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

from iota.engine.backend import parameters as backend
from iota.engine.backend.remarks import collect_remarks
from iota.engine.conversion.convert import convert
from iota.engine.conversion.tasks import Conversion
from iota.engine.images.hdf5.images import open_images
from iota.engine.images.image import ImportFailedError, import_models, load_reference_geometry, read_pixels
from iota.engine.viewer.pixel_frames import OpenFrames
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


@pytest.mark.parametrize(
    ("value", "units"),
    [([0.98], "angstrom"), (0.98, "Angstrom"), (0.98, "Å"), (0.098, "nm"), (0.98e-10, "m"), (0.98, None)],
)
def test_a_wavelength_is_read_in_any_form(path, value, units):
    files.set_value(path, "entry/instrument/beam/incident_wavelength", None)
    files.set_value(path, "entry/instrument/beam/incident_wavelength", value, units)
    assert [_Found(path, k).beam.get_wavelength() for k in (0, 1)] == pytest.approx([0.98] * 2)


@pytest.mark.parametrize(("energy", "units", "said"), [(12.65, None, " (980.112 A)"), (12.65, "furlong", "")])
def test_an_energy_in_another_unit_than_the_file_says_is_not_taken(path, energy, units, said):
    files.energy_only(path, energy, units)
    with pytest.raises(ImportFailedError, match="no usable wavelength") as failed:
        _Found(path)
    assert f"this image{said};" in str(failed.value)


def test_each_shot_has_its_own_wavelength(path):
    files.wavelengths(path, (0.98, 1.02))
    assert [_Found(path, k).beam.get_wavelength() for k in (0, 1)] == [0.98, 1.02]


@pytest.mark.parametrize(("value", "said"), [(0.0, "(0 A)"), (np.nan, "image; set one"), (None, "image; set one")])
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
    with pytest.raises(ImportFailedError, match="mask in the file has 619 x 487 pixels, but the image has 487 x 619"):
        _Found(path)
    files.pixel_mask(path, lambda mask: np.ones_like(mask.T))
    with pytest.raises(ImportFailedError, match="masks every pixel"):
        _Found(path)


def test_a_mask_in_a_file_that_is_missing_is_told(path):
    files.set_value(path, "entry/instrument/detector/pixel_mask", h5py.ExternalLink("run_meta.h5", "/mask"))
    assert "pixel mask is in run_meta.h5, where it cannot be read" in _Found(path).remarks[0]


def test_an_image_without_any_count_is_no_blank(path, taken):
    pixels = taken.images.astype("<f4")
    pixels[1] = np.nan
    files.set_value(path, "entry/data/data", pixels)
    assert _Found(path).trusted[0].any()
    with pytest.raises(ImportFailedError, match="No pixel of this image has a valid count"):
        _Found(path, 1)


def _texts_in_arrays(file):
    for item in (file["entry"], *_all_in(file["entry"])):
        for name, value in list(item.attrs.items()):
            if isinstance(value, str):
                item.attrs[name] = np.array([value.encode()])


def _all_in(group):
    found = []
    group.visititems(lambda _, item: found.append(item))
    return found


def _goniometer_of_no_number(file):
    file["entry/sample/depends_on"] = "/entry/sample/omega"
    file["entry/sample/omega"] = np.nan


def _detector_without_pixels_first(file):
    file.create_group("entry/instrument/a_monitor").attrs["NX_class"] = "NXdetector"


def _distance_in_metres(file):
    axis = file["entry/instrument/detector/transformations/distance"]
    axis[()] *= 1e-3
    axis.attrs["units"] = "metre"


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file["entry"].attrs.clear(),
        lambda file: file["entry/instrument"].attrs.clear(),
        lambda file: file["entry/data"].attrs.clear(),
        lambda file: file.__delitem__("entry/definition"),
        lambda file: file.__delitem__("entry/sample"),
        _texts_in_arrays,
        _goniometer_of_no_number,
        _detector_without_pixels_first,
        _distance_in_metres,
    ],
    ids=[
        *("entry without class", "instrument without class", "data without class", "no definition", "no sample"),
        *("texts in arrays", "goniometer of no number", "detector without pixels", "metres"),
    ],
)
def test_what_dxtbx_wants_otherwise_does_not_matter(path, right, change):
    with h5py.File(path, "r+") as file:
        change(file)
    found = _Found(path, 1)
    assert np.abs(found.origins - right.origins).max() < 1e-6
    assert (found.trusted[0] == right.trusted[0]).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda axis: axis.attrs.__delitem__("units"), "gives no unit for"),
        (
            lambda axis: axis.attrs.__setitem__("units", "furlong"),
            "the unit furlong, which is not a unit of length, for",
        ),
        (lambda axis: axis.write_direct(np.array(np.nan)), "gives no value for"),
        (lambda axis: axis.attrs.__setitem__("vector", np.zeros(3)), "gives no direction for"),
    ],
    ids=["no unit", "unit", "value", "direction"],
)
def test_an_axis_that_says_nothing_is_named(path, change, words):
    with h5py.File(path, "r+") as file:
        change(file["entry/instrument/detector/transformations/distance"])
    with pytest.raises(ImportFailedError, match=f"{words} /entry/instrument/detector/transformations/distance"):
        _Found(path)


def test_a_detector_on_more_axes_than_any_has_is_refused(path):
    with h5py.File(path, "r+") as file:
        axes = file["entry/instrument/detector/transformations"]
        for k in range(101):
            file.copy(axes["distance"], axes, f"axis_{k}")
            axes[f"axis_{k}"].attrs["depends_on"] = f"{axes.name}/axis_{k + 1}" if k < 100 else "."
        axes["distance"].attrs["depends_on"] = f"{axes.name}/axis_0"
    with pytest.raises(ImportFailedError, match="depends on more than 100 axes"):
        _Found(path)


def test_a_detector_without_modules_is_said_to_be_none(path):
    files.set_value(path, "entry/instrument/detector/panel", None)
    with pytest.raises(ImportFailedError, match="it has no group NXdetector_module"):
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
    with pytest.raises(ImportFailedError, match="619 x 487 pixels, but the image has 487 x 619"):
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


_EIGER = "entry/instrument/detector"


@pytest.mark.parametrize(
    "lacks",
    [
        ("geometry",),
        ("geometry/translation",),
        ("detectorSpecific",),
        ("detectorSpecific/countrate_correction_count_cutoff",),
        ("description",),
        ("/entry/sample",),
    ],
    ids=lambda lacks: lacks[0],
)
def test_masters_of_dectris_may_lack_what_other_parts_of_them_say(tmp_path, taken, right, lacks):
    path = files.dectris(tmp_path, taken)
    with h5py.File(path, "r+") as file:
        for name in lacks:
            del file[_EIGER][name]
    found = _Found(path, 1)
    assert np.abs(found.origins - right.origins).max() < 1e-4
    assert found.beam.get_wavelength() == right.beam.get_wavelength()


def test_a_master_of_dectris_without_a_place_of_the_detector_says_so(tmp_path, taken):
    path = files.dectris(tmp_path, taken)
    with h5py.File(path, "r+") as file:
        del file[_EIGER]["geometry"], file[_EIGER]["detector_distance"]
    with pytest.raises(ImportFailedError, match="does not give the position of the detector"):
        _Found(path)


def test_a_damaged_data_file_is_named(tmp_path, taken):
    path = files.dectris(tmp_path, taken, stem="run")
    data = path.with_name("run_data_000001.h5")
    with h5py.File(data) as file:
        chunk = file["entry/data/data"].id.get_chunk_info(1)
    content = bytearray(data.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = b"?" * chunk.size
    data.write_bytes(content)
    assert _Found(path, 0).counts
    with pytest.raises(ImportFailedError, match=r"The data file run_data_000001\.h5 is damaged or cut short"):
        _Found(path, 1)
