"""Accelerated indexing, prediction and integration of hits, against DIALS' own and against the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import LYSOZYME, command
from scipy.spatial import cKDTree

from iota.engine.backend import parameters as backend
from iota.engine.backend.frame_log import frame_log
from iota.engine.frame.engine import Engine
from iota.engine.frame.frame import FrameFailedError, FrameWork, StepProcessor
from iota.engine.frame.tasks import run_in
from iota.engine.stills import indexing, still_indexer
from iota.engine.stills.still_foreground import mark_foreground
from iota.engine.stills.still_prediction import predict_still
from iota.params import read
from iota.records import FrameRef, Settings, Task
from iota.simulate import read_frames
from iota.simulate.accuracy import orientation_error_deg

GIVEN = Settings("given")
TRUE_DEG = 0.3


def _engine(tmp_path, *assignments, **words):
    for name in ("dials", "final", "logs"):
        (tmp_path / name).mkdir(exist_ok=True, parents=True)
    parameters = read([], list(assignments), is_backend_name=backend.is_backend_name)
    return Engine(backend.target_text(parameters), tmp_path, **words)


def _simulate(folder, *words):
    done = command("iota.simulate", folder, "--blank-fraction", 0, "--weak-fraction", 0, *words, cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return folder


def _found(engine, path):
    """Frame in work with its spots, or None when triage ends it."""
    work = FrameWork(engine, Task("process", FrameRef(str(path)), Path(path).stem))
    with frame_log():
        try:
            work.find_spots()
        except FrameFailedError:
            return None
    return work


def _lattices(engine, work, fast):
    """What indexing gives: experiments and spots, or None."""
    params = engine.params()
    indexer = still_indexer.index_still if fast else lambda p, e, s: StepProcessor(p).index(e, s)
    with frame_log():
        try:
            return indexer(params, indexing._independent(work.experiments), work.spots.copy())
        except Exception:  # noqa: BLE001 - DIALS raises errors of any class
            return None


KINDS = {
    "lysozyme": ((), LYSOZYME),
    "weak": (("--flux", 250, "--scale-spread", 0.7), LYSOZYME),
    "several lattices": (("--multi-fraction", 1.0), LYSOZYME),
    "centred": (
        ("--cell", "95,42,61,90,108,90", "--space-group", "C2"),
        ("target_unit_cell=95 42 61 90 108 90", "target_space_group=C2"),
    ),
    "near tetragonal": (
        ("--cell", "57,60,93,90,90,90", "--space-group", "P212121"),
        ("target_unit_cell=57 60 93 90 90 90", "target_space_group=P212121"),
    ),
    "cell off by 1 %": ((), ("target_unit_cell=80 80 38.4 90 90 90", "target_space_group=P43212")),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_as_many_true_lattices_as_dials_finds(kind, tmp_path):
    words, known = KINDS[kind]
    folder = _simulate(
        tmp_path / "images",
        "-n",
        8,
        "--seed",
        12,
        *(() if "--multi-fraction" in words else ("--multi-fraction", 0)),
        *words,
    )
    engine = _engine(tmp_path, *known)
    errors = {True: [], False: []}
    spots = {True: 0, False: 0}
    for truth in read_frames(folder):
        work = _found(engine, folder / truth["file"])
        if work is None:
            continue
        for fast in (True, False):
            lattices = _lattices(engine, work, fast)
            if lattices is not None:
                matrix = np.reshape(lattices[0][0].crystal.get_A(), (3, 3))
                errors[fast].append(orientation_error_deg(matrix, truth["lattices"]))
                spots[fast] += len(lattices[1])
    true = {fast: [e for e in errors[fast] if e < TRUE_DEG] for fast in errors}
    assert len(true[False]) >= 6  # or there is nothing to compare
    assert len(true[True]) >= len(true[False])
    assert len(errors[True]) - len(true[True]) <= len(errors[False]) - len(true[False])  # wrong ones
    assert np.median(true[True]) < 1.15 * np.median(true[False])
    assert spots[True] > 0.97 * spots[False]


@pytest.mark.slow
def test_a_frame_with_one_lattice_ends_at_the_numbers_of_dials(tmp_path):
    folder = _simulate(tmp_path / "images", "-n", 4, "--seed", 7, "--multi-fraction", 0)
    engine = _engine(tmp_path, *LYSOZYME)
    same = 0
    for path in sorted(folder.glob("*.cbf")):
        work = _found(engine, path)
        (ours, our_spots), (theirs, their_spots) = (_lattices(engine, work, fast) for fast in (True, False))
        assert sorted(our_spots.keys()) == sorted(their_spots.keys())
        crystal, expected = ours[0].crystal, theirs[0].crystal
        np.testing.assert_allclose(
            crystal.get_unit_cell().parameters(), expected.get_unit_cell().parameters(), rtol=5e-4
        )
        assert str(crystal.get_space_group().info()) == str(expected.get_space_group().info())
        if len(our_spots) == len(their_spots):  # the same spots were rejected
            same += 1
            np.testing.assert_allclose(
                crystal.get_unit_cell().parameters(), expected.get_unit_cell().parameters(), rtol=1e-5
            )
            np.testing.assert_allclose(
                crystal.get_cell_parameter_sd(), expected.get_cell_parameter_sd(), rtol=0.02, atol=1e-6
            )
            ours_mm, theirs_mm = (np.array(list(table["xyzcal.mm"])) for table in (our_spots, their_spots))
            np.testing.assert_allclose(ours_mm, theirs_mm, atol=1e-4)
            assert crystal.get_domain_size_ang() == pytest.approx(expected.get_domain_size_ang(), rel=0.01)
    assert same >= 2


@pytest.mark.slow
def test_predictions_and_masks_are_those_of_dials(tmp_path):
    from dials.algorithms.profile_model.factory import ProfileModelFactory
    from dials.array_family import flex

    folder = _simulate(tmp_path / "images", "-n", 2, "--seed", 9, "--detector", "quads", "--mosaic", 0.2)
    engine = _engine(tmp_path, *LYSOZYME)
    (file,) = folder.glob("*.nxs")
    pixels = differing = 0
    for index in range(2):
        work = FrameWork(engine, Task("process", FrameRef(str(file), index), f"x{index}"))
        with frame_log():
            work.find_spots()
            found = work.index(GIVEN)
            processor = StepProcessor(engine.params())
            reference, _ = processor.process_reference(found.reflections)
            experiments = ProfileModelFactory.create(processor.params, found.experiments, reference)
        (experiment,) = experiments
        expected = flex.reflection_table.from_predictions(experiment)
        ours = predict_still(experiment, None)
        assert len(expected) > 100
        assert sorted(ours.keys()) == sorted(expected.keys())
        for name in expected:
            assert list(ours[name]) == list(expected[name]), name
        masks = []
        for quick in (True, False):
            table = expected.copy()
            table["id"] = flex.int(len(table), 0)
            table.compute_bbox(experiments)
            table["shoebox"] = flex.shoebox(table["panel"], table["bbox"], allocate=True)
            if quick:
                radius_rad = experiment.profile.n_sigma() * experiment.profile.sigma_b(deg=False)
                mark_foreground(table, experiment.detector, radius_rad)
            else:
                table.compute_mask(experiments)
            masks.append([np.array(box.mask) for box in table["shoebox"]])
        for one, other in zip(*masks, strict=True):
            assert one.shape == other.shape
            pixels += one.size
            differing += np.count_nonzero(one != other)
    assert pixels > 20_000
    assert differing <= 2e-4 * pixels


@pytest.mark.slow
def test_a_frame_is_integrated_as_without_acceleration(tmp_path):
    from dials.array_family import flex

    folder = _simulate(tmp_path / "images", "-n", 4, "--seed", 5, "--multi-fraction", 0)
    engines = {on: _engine(tmp_path / str(on), *LYSOZYME, accelerate=on) for on in (True, False)}
    shares, correlations = [], []
    for path in sorted(folder.glob("*.cbf")):
        result = {
            on: run_in(engine, Task("process", FrameRef(str(path)), path.stem, (GIVEN,)))
            for on, engine in engines.items()
        }
        assert result[True].outcome == result[False].outcome == "integrated"
        assert result[True].n_spots == result[False].n_spots
        assert result[True].lattices[0].d_min_A == pytest.approx(result[False].lattices[0].d_min_A, abs=0.1)
        tables = [
            flex.reflection_table.from_file(str(engines[on].run_folder / result[on].files["reflections"]))
            for on in (True, False)
        ]
        # indices may be those of an equivalent setting: reflections are the same where their positions are
        positions = [np.array(list(table["xyzcal.px"]))[:, :2] for table in tables]
        distance, partner = cKDTree(positions[1]).query(positions[0])
        same = distance < 0.5
        shares.append(same.sum() / max(map(len, tables)))
        ours, theirs = (table["intensity.sum.value"].as_numpy_array() for table in tables)
        correlations.append(np.corrcoef(ours[same], theirs[partner[same]])[0, 1])
    # one spot more or less among the outliers changes the mosaicity, and with it which weak reflections are predicted
    assert min(shares) > 0.85
    assert np.mean(shares) > 0.95
    assert min(correlations) > 0.9999


@pytest.mark.parametrize(
    "assignment",
    [
        "refinement.parameterisation.crystal.fix=cell",
        "refinement.reflections.outlier.algorithm=tukey",
        "indexing.stills.refine_all_candidates=False",
        "indexing.stills.indexer=sequences",
        "indexing.refinement_protocol.mode=repredict_only",
        "indexing.method=low_res_spot_match",
    ],
)
def test_what_is_not_done_here_is_left_to_dials(assignment, tmp_path):
    words = (assignment, "indexing.stills.method_list=None") if "method=" in assignment else (assignment,)
    engine = _engine(tmp_path, *LYSOZYME, *words)
    assert not still_indexer.supports(engine.params(), backend.changed(engine.target))
    plain = _engine(tmp_path, *LYSOZYME, "indexing.stills.rmsd_min_px=1.5", "prediction.d_min=2")
    assert still_indexer.supports(plain.params(), backend.changed(plain.target))


@pytest.mark.slow
def test_real_frames_lose_nothing(thaumatin, tmp_path):
    known = ("target_unit_cell=58.4 58.4 152.2 90 90 90", "target_space_group=P41212")
    engine = _engine(tmp_path, *known)
    kept = []
    for path in sorted(thaumatin.glob("*.bz2")):
        result = run_in(engine, Task("process", FrameRef(str(path)), path.name.split(".")[0], (GIVEN,)))
        if result.outcome == "integrated":
            kept.append(result.lattices[0])
        else:
            assert result.outcome == "failed_triage", result.reason
    assert len(kept) == 10
    assert all(1000 < lattice.n_integrated < 2800 for lattice in kept)  # DIALS itself: 1295 to 2717
    np.testing.assert_allclose([lattice.unit_cell[0] for lattice in kept], 58.5, rtol=0.006)
    np.testing.assert_allclose([lattice.unit_cell[2] for lattice in kept], 152.3, rtol=0.003)
