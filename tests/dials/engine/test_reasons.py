"""What cannot be read says what is wrong with it, in the same words everywhere; words of libraries are in the log."""

import gzip
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from commands import LYSOZYME, command
from dials.array_family import flex
from foreign_words import FOREIGN

from iota.causes import IN_LOG, Cause
from iota.engine.backend.frame_log import frame_log
from iota.engine.frame.engine import Engine
from iota.engine.frame.single_image import report_image
from iota.engine.images.masks import write_mask
from iota.engine.viewer.pixels import Pixels
from iota.errors import UsageError
from iota.records import FrameRef, FrameResult, Task
from iota.runs import RunFolder, read_ledger

CUT = "The file is damaged or cut short: "
WITH_SENTENCE = {
    "cut_1.cbf": CUT + "its pixels cannot be read.",
    "head_1.cbf": CUT + "its pixels cannot be read.",
    "packed_1.cbf.gz": CUT + "it cannot be decompressed (.gz).",
    "within_1.cbf.gz": CUT + "its pixels cannot be read.",
    "empty_1.cbf": "The file is empty.",
    "text_1.cbf": "DIALS does not recognise this file as a diffraction image.",
    "link_1.cbf": "The file is a link to nowhere_1.cbf, which does not exist.",
    "cut_1.nxs": CUT + "HDF5 cannot open it.",
    "chunk_1.nxs": CUT + "its pixels cannot be read.",
    "text_1.nxs": "The file is not HDF5, despite its name.",
    "gone_1.nxs": "The data file gone.h5 is missing.",
    "torn_1.nxs": "The data file torn.h5 is damaged or cut short: HDF5 cannot open it.",
    "other_1.nxs": "The data file whole.h5 contains no /elsewhere.",
    "astray_1.nxs": "The link /entry/data/data points to /nowhere, which is not in the file.",
    "bare_1.nxs": "The file does not describe the detector: it has no group NXdetector.",
    "filter_1.nxs": "The file is compressed with HDF5 filter 40001, which is not installed here."
    " Set HDF5_PLUGIN_PATH to the folder of its plugin; the authors of the file know where to get it.",
    "narrow_1.nxs": "The image has 981 x 100 pixels, but the detector in its header has 1 panel of 981 x 1043 pixels.",
    "wide_1.nxs": "The image has 991 x 1043 pixels, but the detector in its header has 1 panel of 981 x 1043 pixels.",
    "single_1.nxs": "The image has 981 x 1053 pixels, but the detector in its header has 1 panel of 981 x 1043 pixels.",
    "zero_1.nxs": "The file gives no usable wavelength for this image (0 A);"
    " set one for all images with geometry.beam.wavelength (A).",
    "nan_1.nxs": "The file gives no usable wavelength for this image;"
    " set one for all images with geometry.beam.wavelength (A).",
    "turned_1.nxs": "The pixel mask in the file has 1043 x 981 pixels, but the image has 981 x 1043;"
    " correct pixel_mask in the file or delete it, and give a mask with image_import.mask.",
}
LEFT_OUT = {"torn_1.nxs", "other_1.nxs", "astray_1.nxs"}  # by a run, since no image can be counted in them
UNKNOWN = ("axes_1.nxs", "energy_1.nxs")  # of one only DIALS knows, and the other can be read


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """A folder with all that is in :data:`WITH_SENTENCE` and :data:`UNKNOWN`."""
    folder = tmp_path_factory.mktemp("reasons")
    words = ("-n", 1, "--blank-fraction", 0, "--weak-fraction", 0, "--multi-fraction", 0, "--seed", 8, "--silent")
    for kind in ("cbf", "nxs"):
        done = command("iota.simulate", folder / kind, *words, "--format", kind, cwd=folder)
        assert done.returncode == 0, done.stderr
    (cbf,), (nxs,) = (folder / "cbf").glob("*.cbf"), (folder / "nxs").glob("*.nxs")
    bad = folder / "bad"
    bad.mkdir()
    _break_cbf(cbf.read_bytes(), bad)
    _break_nexus(nxs, bad)
    assert {path.name for path in bad.glob("*_1.*")} == {*WITH_SENTENCE, *UNKNOWN}
    return bad


def _break_cbf(whole: bytes, bad: Path) -> None:
    for name, data in (
        ("cut_1.cbf", whole[: len(whole) // 2]),
        ("head_1.cbf", whole[:300]),
        ("packed_1.cbf.gz", gzip.compress(whole)[:50_000]),
        ("within_1.cbf.gz", gzip.compress(whole[: len(whole) // 2])),
        ("empty_1.cbf", b""),
        ("text_1.cbf", b"not an image\n"),
        ("text_1.nxs", b"not an image\n"),
    ):
        (bad / name).write_bytes(data)
    (bad / "link_1.cbf").symlink_to("nowhere_1.cbf")


def _break_nexus(whole: Path, bad: Path) -> None:
    def made(name: str) -> h5py.File:
        shutil.copy(whole, bad / f"{name}_1.nxs")
        return h5py.File(bad / f"{name}_1.nxs", "r+")

    (bad / "cut_1.nxs").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with made("chunk") as file:
        chunk, pixels = file["entry/data/data"].id.get_chunk_info(0), file["entry/data/data"][()]
    with (bad / "chunk_1.nxs").open("r+b") as raw:
        raw.seek(chunk.byte_offset)
        raw.write(np.random.default_rng(1).bytes(chunk.size // 2))
    with h5py.File(bad / "whole.h5", "w") as file:
        file["data"] = pixels
    (bad / "torn.h5").write_bytes((bad / "whole.h5").read_bytes()[:100_000])
    for name, link in (
        ("gone", h5py.ExternalLink("gone.h5", "/data")),
        ("torn", h5py.ExternalLink("torn.h5", "/data")),
        ("other", h5py.ExternalLink("whole.h5", "/elsewhere")),
        ("astray", h5py.SoftLink("/nowhere")),
        ("narrow", pixels[:, :100]),
        ("wide", np.pad(pixels, ((0, 0), (0, 0), (0, 10)))),
        ("single", np.pad(pixels[0], ((0, 10), (0, 0)))),
    ):
        with made(name) as file:
            del file["entry/data/data"]
            file["entry/data/data"] = link
    with made("filter") as file:
        del file["entry/data/data"]
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk(pixels.shape)
        properties.set_filter(40001, h5py.h5z.FLAG_OPTIONAL, (1,))
        space, kind = h5py.h5s.create_simple(pixels.shape), h5py.h5t.py_create(pixels.dtype)
        h5py.h5d.create(file["entry/data"].id, b"data", kind, space, properties).write_direct_chunk((0, 0, 0), b"?", 0)
    with made("bare") as file:
        del file["entry/instrument/detector"]
    with made("axes") as file:
        file["entry/instrument/detector/transformations/distance"].attrs["transformation_type"] = "spiral"
    with made("energy") as file:
        beam = file["entry/instrument/beam"]
        del beam["incident_wavelength"]
        beam["incident_energy"] = 12651.4
        beam["incident_energy"].attrs["units"] = "eV"
    for name, value in (("zero", 0.0), ("nan", np.nan)):
        with made(name) as file:
            file["entry/instrument/beam/incident_wavelength"][()] = value
    with made("turned") as file:
        detector = file["entry/instrument/detector"]
        mask = detector["pixel_mask"][()].T
        del detector["pixel_mask"]
        detector["pixel_mask"] = mask


@pytest.fixture(scope="module")
def records(images) -> dict[str, FrameResult]:
    """What a run says of each of them."""
    paths = sorted({path.name for path in images.glob("*_1.*")} - LEFT_OUT)
    done = command("iota.run", *paths, "-n", 1, *LYSOZYME, cwd=images)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found, _ = read_ledger(RunFolder.open(images / "integration" / "001").ledger)
    records = {Path(result.frame.path).name: result for result in found}
    assert sorted(records) == paths
    return records


@pytest.mark.parametrize("name", WITH_SENTENCE)
def test_the_reason_says_what_is_wrong_in_run_single_image_and_viewer(images, records, name, tmp_path):
    sentence = WITH_SENTENCE[name]
    if name not in LEFT_OUT:
        assert (records[name].outcome, records[name].reason) == ("failed_import", sentence)
    frame = FrameRef(str(images / name))
    with frame_log():
        report = report_image(Engine("", tmp_path), Task("process", frame, Path(name).stem), "spotfind")
    assert (report.outcome, report.reason) == ("failed_import", sentence)
    with pytest.raises(UsageError) as error:
        Pixels(tmp_path).open({"path": str(images / name)})
    assert str(error.value) == f"{name} cannot be shown. {sentence}"


def test_no_reason_has_words_of_libraries_which_are_in_the_log(images, records):
    run = images / "integration" / "001"
    for name, result in records.items():
        assert not FOREIGN.search(result.reason), f"{name}: {result.reason}"
        if result.outcome == "integrated":
            continue
        assert result.cause.hint(result.outcome) is not None
        assert result.cause is not Cause.OTHER, f"{name}: {result.reason}"
        if IN_LOG in result.reason:
            log = (run / result.files["log"]).read_text()
            assert "Traceback" in log, name
            assert re.search(r"^\w+(Error|Exception|Sorry)\b", log, re.MULTILINE), log
    log = (run / records["chunk_1.nxs"].files["log"]).read_text()
    assert "OSError" in log  # what is known has its words in the log, too


def test_a_mask_of_another_detector_is_said_by_both_commands(images, tmp_path):
    write_mask((flex.bool(flex.grid(50, 60), True),), tmp_path / "mask.pickle")
    (image,) = (images.parent / "cbf").glob("*.cbf")
    words = (image, f"image_import.mask={tmp_path / 'mask.pickle'}")
    sentence = "has 1 panel of 60 x 50 pixels, but the images have 1 panel of 981 x 1043 pixels."
    done = command("iota.run", *words, "-n", 1, cwd=tmp_path)
    assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr
    done = command("iota.single_image", *words, cwd=tmp_path)
    assert (done.returncode, f"mask.pickle {sentence}" in done.stdout) == (1, True), done.stdout


@pytest.mark.parametrize("hidden", ["master", "data"])
def test_permission_is_said_of_the_file_that_lacks_it(images, hidden):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in ("other_1.nxs", "whole.h5"):
            shutil.copy(images / file, folder)
            (folder / file).chmod(0o644)
        (folder / ("other_1.nxs" if hidden == "master" else "whole.h5")).chmod(0)
        folder.chmod(0o755)
        what = "file" if hidden == "master" else "data file whole.h5"
        child = os.fork()
        if child == 0:  # root reads everything: become nobody, in a process of our own
            try:
                if os.getuid() == 0:
                    os.setuid(65534)
                with frame_log():
                    report = report_image(
                        Engine("", folder), Task("process", FrameRef(str(folder / "other_1.nxs")), "x"), "index"
                    )
                os._exit(0 if report.reason == f"The {what} may not be read; check its permissions." else 1)
            finally:  # never back into the tests
                os._exit(2)
        assert os.waitpid(child, 0)[1] == 0, sys.stderr


def test_single_image_says_where_the_words_are(images):
    done = command("iota.single_image", images / "axes_1.nxs", "--verbose", cwd=images)
    assert done.returncode == 1
    assert "Use --verbose to see the DIALS message." in done.stdout
    assert "Traceback" in done.stderr
