"""Masks, beamstop, gain and saved images."""

import bz2
import gzip
import os
import pickle
import subprocess
import sys
from pathlib import Path

import dxtbx
import h5py
import numpy as np
import pytest
from commands import LYSOZYME, command
from dials.array_family import flex
from dxtbx.model.experiment_list import ExperimentList

from iota.engine.backend import parameters as backend
from iota.engine.backend.dials_files import read_experiments, read_reflections
from iota.engine.conversion.convert import squared
from iota.engine.images.image import ImportFailedError, import_frame, load_reference_geometry
from iota.engine.images.masks import check_shape, joined, load_mask, write_mask
from iota.engine.preparation.preparation import prepare
from iota.errors import BackendError, UsageError
from iota.params import read
from iota.records import FrameRef
from iota.runs import read_ledger


@pytest.fixture(scope="module")
def hit(determined_run):
    return (determined_run.path / "integrated.lst").read_text().splitlines()[0]


def _mask(shape=(1043, 981), dark=np.s_[400:600, 400:600]):
    pixels = np.ones(shape, dtype=bool)
    pixels[dark] = False
    return (flex.bool(pixels),)


def _pixels(image):
    raw = image.get_raw_data()
    return (raw[0] if isinstance(raw, tuple) else raw).as_numpy_array()


def _prepare(tmp_path, hit, *assignments):
    parameters = read([], [*LYSOZYME, *assignments], is_backend_name=backend.is_backend_name)
    target = backend.target_text(parameters)
    return prepare(target, parameters.values.image_import, [FrameRef(str(hit))], tmp_path)


# -- reading masks


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("form", ["tuple", "list", "alone"])
def test_masks_of_every_kind_are_read(tmp_path, protocol, form):
    mask = {"tuple": _mask(), "list": list(_mask()), "alone": _mask()[0]}[form]
    (tmp_path / "mask.pickle").write_bytes(pickle.dumps(mask, protocol))
    (found,) = load_mask(tmp_path / "mask.pickle")
    assert (found.as_numpy_array() == _mask()[0].as_numpy_array()).all()


def test_a_mask_of_generate_mask_is_read(hit, tmp_path):
    arguments = [hit, "untrusted.circle=470,530,60", "output.mask=pixels.mask"]
    for module, words in (("dials_import", [hit]), ("generate_mask", ["imported.expt", *arguments[1:]])):
        subprocess.run(
            [sys.executable, "-m", f"dials.command_line.{module}", *words],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )
    (found,) = load_mask(tmp_path / "pixels.mask")
    assert not found.as_numpy_array()[530, 470]
    assert found.as_numpy_array()[530, 600]


class _Hostile:
    def __reduce__(self):
        return (os.system, ("touch was_run",))


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(_Hostile()),
        pickle.dumps((_mask()[0], _Hostile())),
        pickle.dumps({"mask": 1}),
        pickle.dumps(()),
        pickle.dumps((flex.int(flex.grid(3, 3)),)),
        pickle.dumps((flex.bool(9),)),
        pickle.dumps(_mask())[:5000],
        b"",
        b'cbuiltins\neval\n(S\'open("was_run", "w")\'\ntR.',
        b"c_codecs\nencode\n(S'x'\nS'zip'\ntR.",
    ],
    ids=lambda content: content[:12].hex(),
)
def test_anything_else_than_a_mask_is_refused_and_nothing_in_it_is_run(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mask.pickle"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="is not a mask"):
        load_mask(path)
    assert not (tmp_path / "was_run").exists()
    with pytest.raises(UsageError, match="cannot be read"):
        load_mask(tmp_path / "missing.pickle")


@pytest.mark.parametrize(("ending", "pack"), [("", bytes), (".gz", gzip.compress), (".bz2", bz2.compress)])
def test_an_image_that_would_run_something_is_not_opened(tmp_path, monkeypatch, ending, pack):
    monkeypatch.chdir(tmp_path)
    image = {"DATA": _Hostile(), "SIZE1": 10}
    path = tmp_path / f"img_00001.cbf{ending}"
    path.write_bytes(pack(pickle.dumps(image, 2)))
    with pytest.raises(ImportFailedError, match="more than numbers"):
        import_frame(FrameRef(str(path)), backend.extract(""), tmp_path / "links" / "img")
    assert not (tmp_path / "was_run").exists()


@pytest.mark.parametrize("read_file", [read_reflections, read_experiments])
@pytest.mark.parametrize("content", [pickle.dumps(_Hostile()), b"", b"{}", b"torn"])
def test_files_of_a_run_are_no_pickles(tmp_path, monkeypatch, read_file, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(BackendError, match="cannot be read"):
        read_file(tmp_path / "x")
    assert not (tmp_path / "was_run").exists()


def test_masks_are_joined_and_their_shapes_compared(hit, tmp_path):
    both = joined([_mask(), _mask(dark=np.s_[:10])])
    assert np.count_nonzero(~both[0].as_numpy_array()) == 200 * 200 + 10 * 981
    detector = dxtbx.load(hit).get_detector()
    check_shape(both, detector, "The mask")
    with pytest.raises(UsageError, match="1 panel of 1043 x 981 pixels, but the images have 1 panel of 981 x 1043"):
        check_shape(_mask(shape=(981, 1043)), detector, "The mask")
    with pytest.raises(UsageError, match="2 panels of"):
        check_shape(both * 2, detector, "The mask")


# -- before a run


def test_a_run_reads_its_own_copy_of_the_mask_and_the_shadow_is_in_it(hit, tmp_path):
    write_mask(_mask(dark=np.s_[:20]), tmp_path / "mine.pickle")
    level = float(np.median(_pixels(dxtbx.load(hit))))
    prepared = _prepare(
        tmp_path, hit, f"image_import.mask={tmp_path}/mine.pickle", f"image_import.beamstop={level / 3}"
    )
    params = backend.extract(prepared.target)
    assert params.spotfinder.lookup.mask == params.integration.lookup.mask == str(tmp_path / "mask.pickle")
    (written,) = load_mask(tmp_path / "mask.pickle")
    assert not written.as_numpy_array()[:20].any()
    assert prepared.remarks or np.count_nonzero(~written.as_numpy_array()) > 20 * 981


def test_the_gain_is_estimated_and_given(hit, tmp_path):
    prepared = _prepare(tmp_path, hit, "image_import.estimate_gain=True")
    assert prepared.gain == pytest.approx(1.0, abs=0.25)  # the simulated detector counts photons
    for target, gain in (
        (prepared.target, prepared.gain),
        (backend.target_text(read([], ["image_import.gain=0.32"])), 0.32),
    ):
        params = backend.extract(target)
        assert params.spotfinder.threshold.dispersion.gain == pytest.approx(gain)
        assert params.integration.summation.detector_gain == pytest.approx(gain)


def test_the_gain_of_a_detector_that_integrates_charge_is_estimated(tmp_path):
    rare = ("--blank-fraction", 0, "--weak-fraction", 0, "--multi-fraction", 0, "--format", "nxs", "--silent")
    assert command("iota.simulate", "images", "-n", 1, "--seed", 4, *rare, cwd=tmp_path).returncode == 0
    path = tmp_path / "images" / "lyso_1.nxs"
    rng = np.random.default_rng(6)
    with h5py.File(path, "a") as file:
        data, good = file["entry/data/data"], file["entry/instrument/detector/pixel_mask"][()] == 0
        counts = 12 * data[0] + rng.normal(0, 9, good.shape).round() + 8  # a fifth of dark pixels falls below 0
        data[0] = np.where(good, counts, data[0])
    prepared = _prepare(tmp_path, path, "image_import.estimate_gain=True")
    assert prepared.gain == pytest.approx(12, rel=0.2)
    assert "The gain is" in prepared.remarks[0]


def test_a_mask_of_the_wrong_shape_is_refused_before_the_first_frame(hit, tmp_path):
    write_mask(_mask(shape=(50, 50)), tmp_path / "mask.pickle")
    (tmp_path / "hostile.pickle").write_bytes(pickle.dumps(_Hostile()))
    for mask, sentence in (
        ("mask.pickle", "1 panel of 50 x 50 pixels, but the images have"),
        ("hostile.pickle", "is not a mask"),
    ):
        done = command("iota.run", hit, f"image_import.mask={mask}", cwd=tmp_path)
        assert done.returncode == 2
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("integration/*"))
    assert not (tmp_path / "was_run").exists()


def test_a_mask_of_everything_is_refused_before_the_first_frame(hit, tmp_path):
    write_mask(_mask(dark=np.s_[:]), tmp_path / "all.pickle")
    with pytest.raises(UsageError, match="masks every pixel"):
        _prepare(tmp_path, hit, f"image_import.mask={tmp_path / 'all.pickle'}")


def test_a_reference_geometry_of_another_detector_is_refused_before_the_first_frame(hit, tmp_path):
    (experiment,) = import_frame(FrameRef(hit), backend.extract(""), tmp_path / "links" / "hit")
    path = tmp_path / "reference.expt"
    ExperimentList([experiment]).as_file(str(path))
    _prepare(tmp_path, hit, f"advanced.reference_geometry={path}")
    experiment.detector[0].set_image_size((981, 1042))
    ExperimentList([experiment]).as_file(str(path))
    with pytest.raises(UsageError, match=r"1 panel of 981 x 1042 pixels of 0.172 mm, but the images .* 981 x 1043"):
        _prepare(tmp_path, hit, f"advanced.reference_geometry={path}")
    with pytest.raises(ImportFailedError, match="for a different detector"):  # as in monitor mode
        import_frame(FrameRef(hit), backend.extract(""), tmp_path / "links" / "hit", load_reference_geometry(str(path)))


def test_spots_under_the_mask_are_not_found(hit, tmp_path):
    write_mask(_mask(dark=np.s_[1:]), tmp_path / "nearly_all.pickle")
    done = command("iota.run", hit, "image_import.mask=nearly_all.pickle", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    (result,), _ = read_ledger(tmp_path / "integration" / "001" / "frames.jsonl")
    assert (result.outcome, result.n_spots) == ("failed_triage", 0)


# -- saved images


def test_images_are_saved_as_pickles_that_dxtbx_reads_and_that_are_processed(hit, tmp_path):
    write_mask(_mask(dark=np.s_[:20]), tmp_path / "mask.pickle")
    done = command(
        "iota.run", hit, "image_import.convert_images=True", "image_import.mask=mask.pickle", "distance=130.5",
        "rename_pickle=custom_filename", "rename_pickle_prefix=hewl", "-n", 1, *LYSOZYME, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    path = tmp_path / "converted_pickles" / "001" / "hewl_001_00001.pickle"
    image, original = dxtbx.load(path), dxtbx.load(hit)
    assert image.get_detector()[0].get_directed_distance() == pytest.approx(130.5)
    pixels, before = _pixels(image), _pixels(original)
    assert (pixels[20:] == before[20:]).all()
    assert (pixels[:20] == -2).all()
    (result,), _ = read_ledger(tmp_path / "integration" / "001" / "frames.jsonl")
    assert (result.frame.path, result.outcome) == (str(path), "integrated")
    assert result.lattices[0].distance_mm == pytest.approx(130.5)
    script = (tmp_path / "integration" / "001" / "iota_r1.param").read_text()
    assert "convert_images = False" in script


def test_only_saving_makes_no_run_and_names_are_kept_if_wished(hit, tmp_path):
    done = command("iota.run", hit, "convert_only=True", "rename_pickle=keep_file_structure", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [p.name for p in tmp_path.glob("converted_pickles/001/*")] == [f"{Path(hit).stem}.pickle"]
    assert not (tmp_path / "integration").exists()
    done = command("iota.run", hit, "convert_only=True", "rename_pickle=custom_filename", cwd=tmp_path)
    assert (done.returncode, "rename_pickle_prefix" in done.stderr) == (2, True)


@pytest.mark.parametrize("mode", ["pad", "crop", "no_modification"])
def test_squares_keep_every_pixel_at_its_distance_from_the_beam(mode):
    pixels = np.arange(12 * 20, dtype=np.int32).reshape(12, 20)
    result, beam = squared(pixels, (7.25, 5.0), mode)
    if mode != "no_modification":
        assert result.shape == ((26, 26) if mode == "pad" else (10, 10))
    for slow, fast in np.ndindex(pixels.shape):
        y, x = slow - 5 + round(beam[1]), fast - 7 + round(beam[0] - 0.25)
        if 0 <= y < result.shape[0] and 0 <= x < result.shape[1]:
            assert result[y, x] == pixels[slow, fast]
    kept = set(result.ravel().tolist()) - {-2}
    assert len(kept) == (100 if mode == "crop" else 240)


def test_x_and_y_of_the_beam_are_exchanged(hit, tmp_path):
    done = command("iota.run", hit, "convert_only=True", "flip_beamXY=True", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    image = dxtbx.load(next(tmp_path.glob("converted_pickles/001/*.pickle")))
    before = dxtbx.load(hit)
    beams = [i.get_detector()[0].get_beam_centre(i.get_beam().get_s0()) for i in (image, before)]
    assert beams[0] == pytest.approx(beams[1][::-1])
