"""HDF5 files as facilities write them: each image is the one that was written, whatever is missing around it."""

from pathlib import Path

import facility_files
import h5py
import numpy as np
import pytest
from commands import LYSOZYME, command

from iota.engine.backend import parameters as backend
from iota.engine.backend.remarks import collect_remarks
from iota.engine.images.image import ImportFailedError, OpenedFile, import_models, read_pixels
from iota.inputs import find_frames
from iota.records import FrameRef
from iota.runs import RunFolder, read_ledger

IN_ONE_FILE = ("nxmx", "one_angle")
IN_SEVERAL = sorted(set(facility_files.LAYOUTS) - set(IN_ONE_FILE))


@pytest.fixture(scope="module")
def taken():
    return facility_files.shots(6)


class Reader:
    """Reads images of one master as a worker does."""

    def __init__(self, path: Path, files_grow: bool = False) -> None:
        self.path = path
        self.opened = OpenedFile(files_grow)
        self.params = backend.extract("")

    def experiment(self, index):
        link = self.path.with_name("link")
        return import_models(FrameRef(str(self.path), index), self.params, link, None, self.opened)[0]

    def outcome(self, index, taken, *, factor: int = 1):
        """Whether the pixels and what is masked are those of an image, or why it cannot be read."""
        try:
            experiment = self.experiment(index)
            (pixels,) = read_pixels(experiment.imageset)
        except ImportFailedError as error:
            return str(error)
        assert experiment.scan is None
        assert experiment.goniometer is None
        written, mask = taken.images[index], experiment.imageset.get_mask(0)[0].as_numpy_array()
        there = written >= 0
        return bool((pixels.as_numpy_array()[there] == written[there] // factor).all() and (mask == there).all())


def check_models(experiment, taken):
    panel, true = experiment.detector[0], taken.experiment.detector.panels[0]
    assert panel.get_origin() == pytest.approx(true.origin_mm, abs=1e-4)
    assert panel.get_fast_axis() == pytest.approx(true.fast)
    assert panel.get_slow_axis() == pytest.approx(true.slow)
    assert panel.get_pixel_size() == pytest.approx((true.pixel_mm,) * 2)
    assert experiment.beam.get_wavelength() == pytest.approx(taken.experiment.beam.wavelength_A)


@pytest.mark.parametrize("layout", sorted(facility_files.LAYOUTS))
def test_every_image_is_the_one_that_was_written(tmp_path, taken, layout):
    several = {} if layout in IN_ONE_FILE else {"per_file": [3, 1, 2]}
    path = facility_files.LAYOUTS[layout](tmp_path, taken, **several)
    assert find_frames([tmp_path]).frames == [FrameRef(str(path), k) for k in range(6)]
    assert find_frames([tmp_path]).problems == []
    reader = Reader(path)
    assert [reader.outcome(k, taken) for k in range(6)] == [True] * 6
    check_models(reader.experiment(5), taken)


@pytest.mark.parametrize("lost", [1, 2, 3])
@pytest.mark.parametrize("layout", IN_SEVERAL)
def test_images_beside_a_missing_file_keep_their_numbers(tmp_path, taken, layout, lost):
    path = facility_files.LAYOUTS[layout](tmp_path, taken, per_file=[2, 2, 2])
    gone = next(p for p in tmp_path.iterdir() if p.name.endswith(f"_00000{lost}.h5"))
    gone.rename(tmp_path / "elsewhere")
    inputs = find_frames([path])
    assert inputs.frames == [FrameRef(str(path), k) for k in range(6)]
    assert gone.name in inputs.problems[0].text
    reader = Reader(path, files_grow=True)
    expected = [f"The data file {gone.name} is missing." if k // 2 == lost - 1 else True for k in range(6)]
    assert [reader.outcome(k, taken) for k in range(6)] == expected
    check_models(reader.experiment(0 if lost > 1 else 5), taken)
    (tmp_path / "elsewhere").rename(gone)
    assert [reader.outcome(k, taken) for k in range(6)] == [True] * 6, "it came late"


@pytest.mark.parametrize("layout", IN_SEVERAL)
def test_a_symbolic_link_to_a_master_finds_the_files_of_the_master(tmp_path, taken, layout):
    (tmp_path / "real").mkdir()
    path = tmp_path / "view" / "other_name.nxs"
    path.parent.mkdir()
    path.symlink_to(facility_files.LAYOUTS[layout](tmp_path / "real", taken, per_file=[3, 3]))
    assert find_frames([path]).problems == []
    reader = Reader(path)
    assert [reader.outcome(k, taken) for k in (0, 5)] == [True] * 2


def test_files_that_a_master_names_where_they_were_written_are_found_beside_it(tmp_path, taken):
    path = facility_files.dectris(tmp_path, taken, per_file=[3, 3])
    with h5py.File(path, "r+") as file:
        for name in ("data_000001", "data_000002"):
            del file[f"entry/data/{name}"]
            link = h5py.ExternalLink(f"/ramdisk/visit/run_1_{name}.h5", "/entry/data/data")
            file[f"entry/data/{name}"] = link
    reader = Reader(path)
    assert [reader.outcome(k, taken) for k in (0, 5)] == [True] * 2


@pytest.mark.parametrize("layout", ["dectris", "diamond", "virtual"])
@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda data: data.write_bytes(data.read_bytes()[:20_000]), "is damaged or cut short: HDF5 cannot open it."),
        (lambda data: data.write_bytes(b""), "is empty."),
        (lambda data: data.write_text("503 Service Unavailable"), "is not HDF5, or damaged at its beginning."),
        (lambda data: facility_files.write_stack(data, "else", np.zeros((1, 2, 2), "u2")), "contains no "),
        (lambda data: _write_number(data), "contains no images in "),
    ],
    ids=["torn", "empty", "text", "other dataset", "no images"],
)
def test_the_only_data_file_is_named_when_it_is_no_good(tmp_path, taken, layout, spoil, why):
    path = facility_files.LAYOUTS[layout](tmp_path, taken)
    (data,) = tmp_path.glob("*_000001.h5")
    spoil(data)
    frames = find_frames([path]).frames
    assert frames == [FrameRef(str(path), k) for k in range(6)]
    assert f"The data file {data.name} {why}" in str(reason(Reader(path), 5))


def _write_number(path):
    with h5py.File(path, "w") as file:
        file["data"] = file["entry/data/data"] = 1.0


def test_a_short_file_behind_a_virtual_dataset_is_named(tmp_path, taken):
    path = facility_files.virtual(tmp_path, taken, per_file=[2, 4], mapped=5)
    why = [f"The data file run_00000{k}.h5 contains fewer images than the master specifies." for k in (1, 2)]
    reader = Reader(path)
    outcomes = [reader.outcome(k, taken) for k in range(2)] + [
        str(why_not) for k in range(2, 10) if (why_not := reason(reader, k)) is not None
    ]
    assert outcomes == [True, True, why[0], why[0], why[0], why[1]]


def reason(reader, index):
    try:
        reader.experiment(index)
    except ImportFailedError as error:
        return error
    return None


def test_an_image_that_was_never_written_is_no_blank(tmp_path, taken):
    path = facility_files.nxmx(tmp_path, taken)
    with h5py.File(path, "r+") as file:
        data = file["entry/data/data"]
        pixels, shape = data[()], data.shape
        del file["entry/data/data"]
        data = file.create_dataset("entry/data/data", shape, "<i4", chunks=(1, *shape[1:]), compression="gzip")
        for k in (0, 1, 3):
            data[k] = pixels[k]
    reader = Reader(path)
    never = "The pixels of this image were never written to run.nxs."
    assert [reader.outcome(k, taken) for k in range(4)] == [True, True, never, True]


def test_many_angles_are_no_scan(tmp_path, taken):
    path = facility_files.one_angle(tmp_path, taken, n_angles=6)
    with h5py.File(path, "r+") as file:
        file["entry/sample/transformations/omega"][...] = np.arange(6) * 0.5
    reader = Reader(path)
    assert [reader.outcome(k, taken) for k in range(6)] == [True] * 6


def test_the_lower_threshold_is_taken_and_named(tmp_path, taken):
    path = facility_files.thresholds(tmp_path, taken)
    with collect_remarks() as remarks:
        assert Reader(path).outcome(0, taken) is True
    assert remarks == ["Each image has 2 channels (thresholds); threshold_1 is used."]
    with h5py.File(path, "r+") as file:  # the second one is the lower now, and with it a mask of all but one pixel
        file["entry/instrument/detector/threshold_1_channel/threshold_energy"][()] = 9000.0
        file["entry/instrument/detector/threshold_2_channel/threshold_energy"][()] = 4000.0
    with collect_remarks() as remarks:
        experiment = Reader(path).experiment(0)
    assert "threshold_2 is used" in remarks[0]
    assert experiment.imageset.get_mask(0)[0].count(True) == 1
    written = taken.images[0]
    assert (read_pixels(experiment.imageset)[0].as_numpy_array()[written >= 0] == written[written >= 0] // 2).all()


def test_modules_in_files_of_their_own_are_put_together(tmp_path):
    """As the virtual files of European XFEL: `[images, module, slow, fast]`, a file a module."""
    taken = facility_files.shots(2, detector="quads")
    n_rows = taken.experiment.detector.panels[0].size_px[1]
    stacked = taken.images.reshape(2, -1, n_rows, taken.images.shape[2])
    layout = h5py.VirtualLayout(stacked.shape, "<i4")
    for module in range(stacked.shape[1]):
        name = f"module_{module}.h5"
        facility_files.write_stack(tmp_path / name, "image/data", stacked[:, module])
        layout[:, module] = h5py.VirtualSource(name, "image/data", shape=stacked[:, module].shape)
    path = tmp_path / "all.nxs"
    with facility_files.describe(path, taken) as file:
        file["entry/data"].create_virtual_dataset("data", layout)
        detector = file["entry/instrument/detector"]
        mask = detector["pixel_mask"][()].reshape(stacked.shape[1:])
        del detector["pixel_mask"]
        detector["pixel_mask"] = mask
        for k, panel in enumerate(taken.experiment.detector.panels):
            module = detector[panel.name]
            del module["data_origin"], module["data_size"]
            module["data_origin"], module["data_size"] = [k, 0, 0], [1, *stacked.shape[2:]]
    reader = Reader(path)
    assert find_frames([tmp_path]).frames == [FrameRef(str(path), k) for k in range(2)]
    (tmp_path / "module_2.h5").rename(tmp_path / "elsewhere.h5")
    assert str(reason(Reader(path), 1)) == "The data file module_2.h5 is missing."
    (tmp_path / "elsewhere.h5").rename(tmp_path / "module_2.h5")
    pixels = [panel.as_numpy_array() for panel in read_pixels(reader.experiment(1).imageset)]
    assert (np.stack(pixels) == stacked[1]).all()


def test_a_run_integrates_what_is_there(tmp_path, taken):
    """Cells are those that were simulated, and what lies in the missing file is no blank."""
    facility_files.dectris(tmp_path, taken, per_file=[2, 2, 2])
    (tmp_path / "run_1_data_000001.h5").unlink()
    done = command("iota.run", tmp_path, "-n", 1, *LYSOZYME, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    run = RunFolder.open(tmp_path / "integration" / "001")
    records = sorted(read_ledger(run.ledger)[0], key=lambda record: record.frame.index)
    assert [record.outcome for record in records] == ["failed_import"] * 2 + ["integrated"] * 4
    assert {record.reason for record in records[:2]} == {"The data file run_1_data_000001.h5 is missing."}
    for record in records[2:]:
        (true,) = taken.truth[record.frame.index].lattices
        assert record.lattices[0].unit_cell == pytest.approx(true.unit_cell, rel=0.004)
