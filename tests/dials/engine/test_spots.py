"""Accelerated spot finding and triage, against the backend's own, on frames that make it hard."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest
from commands import command

from iota.engine.backend import parameters as backend
from iota.engine.frame.engine import Engine
from iota.engine.frame.frame import StepProcessor
from iota.engine.frame.tasks import run_in
from iota.engine.images.image import import_frame, import_models, read_pixels
from iota.errors import UsageError
from iota.params import defaults
from iota.records import FrameRef, Screened, Task
from iota.simulate import Experiment, Frames, make_detector
from iota.simulate.cbf import write_cbf
from iota.simulate.frames import simulate_frame

MIN_SPOTS = 10  # data_selection.image_triage.minimum_Bragg_peaks


def _engine(folder, text="", **words):
    return Engine(backend.target_text(defaults()) + "\n" + text, folder, **words)


def _values(table, name):
    if name == "shoebox":
        return [
            (s.bbox, s.panel, *(x.as_numpy_array().tobytes() for x in (s.data, s.mask, s.background)))
            for s in table[name]
        ]
    return list(table[name])


def _assert_same_table(ours, theirs):
    assert sorted(ours.keys()) == sorted(theirs.keys())
    assert len(ours) == len(theirs)
    for name in theirs:
        assert type(ours[name]) is type(theirs[name]), name
        assert _values(ours, name) == _values(theirs, name), name
    assert dict(ours.experiment_identifiers()) == dict(theirs.experiment_identifiers())


def _compare(frames, tmp_path, text=""):
    """Numbers of spots on the frames, which are the same for both."""
    engine = _engine(tmp_path, text)
    numbers = []
    for frame in frames:
        experiments = import_models(frame, engine.shared_params, tmp_path / "link", opened=engine.opened_file)
        ours = engine.spot_finder.find(experiments, read_pixels(experiments[0].imageset))
        assert ours is not None
        alone = import_frame(frame, engine.params(), tmp_path / "link")
        assert (alone[0].detector, alone[0].beam) == (experiments[0].detector, experiments[0].beam)
        assert alone[0].imageset.indices() == experiments[0].imageset.indices()
        assert alone[0].imageset.paths() == experiments[0].imageset.paths()
        _assert_same_table(ours, StepProcessor(engine.params()).find_spots(alone))
        numbers.append(len(ours))
    return numbers


def _frames(folder):
    return [FrameRef(str(path)) for path in sorted(folder.glob("*.cbf*"))]


@pytest.mark.parametrize("detector", ["quads", "eight"])
def test_several_panels_in_one_file(detector, tmp_path):
    folder = tmp_path / "images"
    words = ("-n", 6, "--seed", 4, "--detector", detector, "--blank-fraction", 0.3, "--weak-fraction", 0.3)
    assert command("iota.simulate", folder, *words, cwd=tmp_path).returncode == 0
    (file,) = folder.glob("*.nxs")
    numbers = _compare([FrameRef(str(file), k) for k in range(6)], tmp_path)
    assert min(numbers) < MIN_SPOTS < 100 < max(numbers)


def test_real_frames(thaumatin, tmp_path):
    numbers = _compare(_frames(thaumatin), tmp_path)
    assert sum(n < MIN_SPOTS for n in numbers) == 2  # 0016 and 0018
    assert sum(n > 250 for n in numbers) == 10


EXPERIMENT = Experiment(detector=make_detector("300k"), frames=Frames(blank_fraction=0.3, weak_fraction=0.3), seed=12)


def _made_worse(tmp_path, spoil, n=6, experiment=EXPERIMENT):
    """Simulated frames after ``spoil(counts, rng)``, which changes the counts of all pixels that have a sensor."""
    frames = []
    for index in range(n):
        counts, _ = simulate_frame(experiment, index)
        dark = counts < 0
        spoil(counts, np.random.default_rng(index))
        counts[dark] = -1
        path = tmp_path / f"frame_{index:05d}.cbf"
        write_cbf(path, counts, experiment)
        frames.append(FrameRef(str(path)))
    return frames


def _ice(counts, rng):
    """Powder rings, sharp and grainy, around the beam."""
    y, x = np.mgrid[: counts.shape[0], : counts.shape[1]]
    radius = np.hypot(y - 300, x - 240)
    for place, width, height in ((90, 1.5, 40), (130, 1.0, 120), (170, 3.0, 25), (210, 1.2, 60)):
        ring = height * np.exp(-((radius - place) ** 2) / (2 * width**2))
        counts += rng.poisson(ring * rng.gamma(4.0, 0.25, counts.shape)).astype(np.int32)


def _hot(counts, rng):
    """Hot pixels, alone and in clusters, a hot line, and a block that is overloaded."""
    rows, columns = rng.integers(0, counts.shape[0] - 3, 60), rng.integers(0, counts.shape[1] - 3, 60)
    for k, (j, i) in enumerate(zip(rows, columns, strict=True)):
        counts[j : j + 1 + k % 3, i : i + 1 + k % 2] = rng.integers(50, 2_000_000)
    counts[220, 20:200] += 35
    counts[400:420, 300:330] = EXPERIMENT.detector.saturation


def _shadow(counts, rng):
    """A beamstop and its arm with hard edges, over a strong background."""
    counts += rng.poisson(60.0, counts.shape).astype(np.int32)
    y, x = np.mgrid[: counts.shape[0], : counts.shape[1]]
    counts[np.hypot(y - 300, x - 240) < 30] = 0
    counts[:300, 235:245] //= 10


def test_faint_frames(tmp_path):
    frames = Frames(blank_fraction=0.1, weak_fraction=0.9, weak_scale=(0.01, 0.15))
    numbers = _compare(
        _made_worse(tmp_path, lambda *_: None, 24, dataclasses.replace(EXPERIMENT, frames=frames)), tmp_path
    )
    assert sum(n == 0 for n in numbers) > 2, numbers
    assert sum(0 < n < MIN_SPOTS for n in numbers) > 2, numbers
    assert sum(MIN_SPOTS <= n < 5 * MIN_SPOTS for n in numbers) > 2, numbers


@pytest.mark.parametrize("spoil", [_ice, _hot, _shadow])
def test_frames_that_are_hard(spoil, tmp_path):
    _compare(_made_worse(tmp_path, spoil), tmp_path)


PARAMETERS = {
    "larger window": "spotfinder.threshold.dispersion.kernel_size = 5 4",
    "all pixels of the window": "spotfinder.threshold.dispersion.min_local = 0",
    "sensitive": "spotfinder.threshold.dispersion { sigma_background = 2\n sigma_strong = 1.5\n}",
    "global threshold": "spotfinder.threshold.dispersion.global_threshold = 30",
    "sizes": "spotfinder.filter { min_spot_size = 1\n max_spot_size = 12\n max_separation = 0.7\n}",
    "resolution": "spotfinder.filter { d_min = 2.5\n d_max = 9\n resolution_range = 3 3.5\n}",
    "ice rings": "spotfinder.filter.ice_rings.filter = True",
    "untrusted": "spotfinder.filter { border = 40\n untrusted { polygon = 100 100 300 120 250 400 150 300\n }\n"
    " untrusted { circle = 240 300 80\n }\n}",
    "geometry": "geometry.detector.panel { trusted_range = 1 200\n}",
}


@pytest.mark.parametrize("text", PARAMETERS.values(), ids=PARAMETERS)
def test_parameters_of_all_kinds(text, tmp_path):
    assert max(_compare(_made_worse(tmp_path, _hot, 4), tmp_path, text)) > MIN_SPOTS


def test_a_mask_that_is_given(tmp_path):
    from scitbx.array_family import flex

    rows, columns = EXPERIMENT.detector.shape
    mask = flex.bool(flex.grid(rows, columns), True)
    for j in range(100, 400):
        for i in range(50, 300):
            mask[j, i] = False
    with (tmp_path / "mask.pickle").open("wb") as file:
        pickle.dump((mask,), file)
    frames = _made_worse(tmp_path, _hot, 3)
    with_mask = _compare(frames, tmp_path, f"spotfinder.lookup.mask = {tmp_path / 'mask.pickle'}")
    assert sum(with_mask) < sum(_compare(frames, tmp_path))


def test_a_detector_that_changes_within_a_run(tmp_path):
    other = dataclasses.replace(EXPERIMENT, detector=dataclasses.replace(EXPERIMENT.detector, saturation=250))
    (tmp_path / "other").mkdir()
    a = _made_worse(tmp_path, _hot, 3)
    b = _made_worse(tmp_path / "other", _hot, 3, other)
    _compare([x for pair in zip(a, b, strict=True) for x in pair], tmp_path)


LEFT_TO_THE_BACKEND = {
    "other threshold": "spotfinder.threshold.algorithm = dispersion",
    "gain": "spotfinder.threshold.dispersion.gain = 1.5",
    "estimated threshold": "spotfinder.threshold.dispersion.global_threshold = Auto",
    "region": "spotfinder.region_of_interest = 0 200 0 300",
}


@pytest.mark.parametrize("text", LEFT_TO_THE_BACKEND.values(), ids=LEFT_TO_THE_BACKEND)
def test_what_is_left_to_the_backend(text, tmp_path):
    (frame,) = _made_worse(tmp_path, _hot, 1)
    engine = _engine(tmp_path, text)
    experiments = import_models(frame, engine.shared_params, tmp_path / "link")
    assert engine.spot_finder.find(experiments, read_pixels(experiments[0].imageset)) is None
    assert _screen(engine, frame) == _screen(_engine(tmp_path, text, accelerate=False), frame)


def test_a_mask_that_cannot_be_read_is_told_before_any_frame(tmp_path):
    with pytest.raises(UsageError, match=r"mask .*nowhere.pickle cannot be read"):
        _engine(tmp_path, "spotfinder.lookup.mask = nowhere.pickle")


def _screen(engine, frame):
    report = run_in(engine, Task("screen", frame, Path(frame.path).stem))
    return report if isinstance(report, Screened) else (report.outcome, report.reason, report.n_spots)


@pytest.mark.slow
def test_triage_loses_no_frame_and_passes_no_blank(tmp_path):
    """120 blanks and 120 faint frames of three detectors: what has spots for the backend passes, no blank does."""
    ours, theirs = (_engine(tmp_path, accelerate=on) for on in (True, False))
    n_hits = n_blanks = 0
    for name in ("300k", "1m", "2m"):
        for seed, blank in ((1, 1.0), (2, 0.0)):
            frames = Frames(blank_fraction=blank, weak_fraction=1.0 - blank, weak_scale=(0.004, 0.08))
            experiment = Experiment(detector=make_detector(name), frames=frames, seed=seed)
            for frame in _made_worse(tmp_path, lambda *_: None, 40, experiment):
                report = _screen(ours, frame)
                assert report == _screen(theirs, frame)
                n_hits += isinstance(report, Screened)
                n_blanks += blank == 1.0
                assert blank == 0.0 or report[0] == "failed_triage"
    assert (n_blanks, n_hits > 30) == (120, True)
