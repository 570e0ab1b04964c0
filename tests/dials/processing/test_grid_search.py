"""Integration optimisation on weak simulated frames, measured against the defaults and against the truth."""

import contextlib
from pathlib import Path

import msgspec
import pytest
from commands import LYSOZYME, command

from iota.analysis.paired import compare
from iota.engine.backend import parameters as backend
from iota.engine.frame.engine import Engine
from iota.engine.frame.filter import LatticeFilter
from iota.engine.frame.frame import FrameFailedError, FrameWork
from iota.engine.frame.grid import Grid, Point
from iota.engine.frame.grid_search import GridSearch, process
from iota.errors import ParameterError, UsageError
from iota.params import read
from iota.processing.optimise import Optimisation, candidates, judged
from iota.records import FrameRef, Settings, Task
from iota.runs import RunFolder, read_ledger
from iota.simulate.accuracy import orientation_error_deg
from iota.simulate.truth import read_frames

WEAK = 24  # frames with 1 to 30 spots


@pytest.fixture(scope="module")
def weak(tmp_path_factory):
    """Frames so weak that most have fewer spots than triage wants."""
    folder = tmp_path_factory.mktemp("weak") / "images"
    words = ("--flux", 50, "--seed", 7, "--weak-fraction", 0, "--blank-fraction", 0, "--multi-fraction", 0)
    done = command("iota.simulate", folder, "-n", WEAK, *words, cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def default_run(weak):
    return _run(weak, "by_default")


def _run(images, output, *arguments):
    done = command("iota.run", images, "-n", 2, f"output={output}", *LYSOZYME, *arguments, cwd=images.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = RunFolder.open(images.parent / output / "integration" / "001")
    return folder, {r.frame: r for r in read_ledger(folder.ledger)[0]}, done.stdout


def _integrated(results):
    return {frame: r.outcome == "integrated" for frame, r in results.items()}


def _engine(tmp_path, *assignments, **words):
    for name in ("dials", "final", "logs"):
        (tmp_path / name).mkdir(exist_ok=True)
    parameters = read([], [*LYSOZYME, *assignments], is_backend_name=backend.is_backend_name)
    return Engine(backend.target_text(parameters), tmp_path, **words)


def _work(engine, image):
    return FrameWork(engine, Task("process", FrameRef(str(image)), image.stem, (Settings("given"),)))


# -- what is searched


def test_the_grid_is_that_of_the_parameters_and_the_median_is_the_backends_default():
    grid = Grid(area_median=5, area_range=2, height_median=4, height_range=2)
    assert len(grid.points()) == 25
    assert (grid.most_sensitive, grid.median) == (Point(3, 2, 2), Point(5, 4, 4))
    assert len(msgspec.structs.replace(grid, scan_signal=True).points()) == 125
    params = backend.extract(grid.median.phil)
    default = backend.extract("")
    for name in ("sigma_background", "sigma_strong"):
        assert getattr(params.spotfinder.threshold.dispersion, name) == getattr(
            default.spotfinder.threshold.dispersion, name
        )
    assert len(grid.around(Point(3, 2, 2))) == 4
    assert len(grid.around(Point(5, 4, 4))) == 9
    assert Grid(area_median=1, area_range=3, height_median=1, height_range=1).points()[0] == Point(1, 1, 1)


@pytest.mark.parametrize("acceleration", [True, False])
def test_one_spot_finding_for_all_areas_gives_the_spots_of_each(weak, tmp_path, acceleration):
    engine = _engine(tmp_path, grid=Grid(), accelerate=acceleration)
    work = _work(engine, sorted(weak.glob("*.cbf"))[3])
    with contextlib.suppress(FrameFailedError):  # too few spots: what counts is that the image is imported
        work.find_spots()
    search = GridSearch(work, Grid())
    for point in (Point(3, 2, 2), Point(5, 2, 2), Point(4, 3, 3)):
        of_grid = search._spots_at(point)
        alone = work.spots_with(point.phil)
        assert sorted(of_grid["xyzobs.px.value"]) == sorted(alone["xyzobs.px.value"]), point
    assert len(search._spots) == 2


# -- what it brings


@pytest.mark.slow
def test_grid_search_integrates_significantly_more_weak_frames_and_rightly(weak, default_run, capsys):
    _, before, _ = default_run
    _, after, _ = _run(weak, "by_grid", "--ha14")
    comparison = compare(_integrated(before), _integrated(after))
    with capsys.disabled():
        low, high = comparison.interval
        print(
            f"\nweak frames integrated: {comparison.n_before} by default, {comparison.n_after} with --ha14, of"
            f" {comparison.n_frames}; p = {comparison.p:.2g}, 95 % interval of the difference {low:.2f} to {high:.2f}"
        )
    assert comparison.p < 0.05
    assert comparison.interval[0] > 0
    assert _share_true(weak, after) >= 0.8
    for result in after.values():
        chosen = [point for point in result.grid if point.is_chosen]
        assert len(chosen) == (result.outcome == "integrated")
        if chosen:
            assert chosen[0].n_spots == result.n_spots
            area, height = chosen[0].area, chosen[0].height
            assert result.settings.endswith(f"spot area {area}, height {height}, signal {height}")


def _share_true(images, results):
    """Share of integrated lattices whose orientation is the true one within 1 degree."""
    truth = {frame["file"]: frame["lattices"] for frame in read_frames(images)}
    right = [
        orientation_error_deg(result.lattices[0].a_matrix, truth[Path(frame.path).name]) < 1.0
        for frame, result in results.items()
        if result.outcome == "integrated"
    ]
    return sum(right) / len(right)


@pytest.mark.slow
def test_the_smart_search_does_with_fewer_points(weak, tmp_path):
    tried = {}
    for kind in ("brute_force", "smart"):
        engine = _engine(tmp_path, grid=Grid(kind=kind))
        image = sorted(weak.glob("*.cbf"))[6]
        tried[kind] = process(_work(engine, image), engine.grid)
    assert {result.outcome for result in tried.values()} == {"integrated"}
    assert len(tried["smart"].grid) <= len(tried["brute_force"].grid) == 25


def test_the_prefilter_drops_what_does_not_fit_and_says_so(weak, tmp_path):
    image = sorted(weak.glob("*.cbf"))[6]
    small = Grid(area_range=0, area_median=3, height_range=1)
    for prefilter, outcome in (
        (LatticeFilter(point_group="P422", min_reflections=10), "integrated"),
        (LatticeFilter(min_reflections=100000), "failed_filter"),
        (LatticeFilter(unit_cell=(50, 50, 50, 90, 90, 90)), "failed_indexing"),
    ):
        grid = msgspec.structs.replace(small, prefilter=prefilter)
        result = process(_work(_engine(tmp_path, grid=grid), image), grid)
        assert result.outcome == outcome, result
        assert len(result.grid) == 3
    assert any("differs from" in point.reason for point in result.grid)


@pytest.mark.parametrize("criterion", ["epv", "mosaicity", "strong"])
def test_the_best_is_chosen_by_the_criterion(weak, tmp_path, criterion):
    grid = Grid(area_range=1, area_median=4, height_range=1, height_median=3, select_by=criterion)
    engine = _engine(tmp_path, grid=grid)
    result = process(_work(engine, sorted(weak.glob("*.cbf"))[6]), grid)
    assert result.outcome == "integrated"
    (chosen,) = [point for point in result.grid if point.is_chosen]
    most = max(point.n_indexed or 0 for point in result.grid)
    fit = [point for point in result.grid if (point.n_indexed or 0) >= 0.5 * most]
    values = {
        "epv": lambda p: p.epv_per_A3,
        "mosaicity": lambda p: p.half_mosaicity_deg,
        "strong": lambda p: -p.n_indexed,
    }
    assert values[criterion](chosen) == min(map(values[criterion], fit))


# -- on a sample


def _judged(gained, lost, n=40, trials=1):
    frames = [FrameRef(f"/x/{k}") for k in range(n)]
    before = {frame: k < 10 for k, frame in enumerate(frames)}
    better = {frame: lost <= k < 10 + gained for k, frame in enumerate(frames)}
    after = [better, *[before] * (trials - 1)]
    return judged(frames, before, after, [(f"t{k}", f"p{k}") for k in range(trials)], seed=1, confidence=0.95)


def test_a_winner_must_be_significantly_better_after_correction_for_the_number_of_trials():
    assert _judged(8, 0).winner == 0
    assert _judged(5, 0).winner is None
    assert _judged(8, 0, trials=4).winner == 0
    assert _judged(8, 0, trials=9).winner is None  # p = 0.0078, times 9
    assert _judged(0, 9).winner is None
    assert _judged(8, 0).phil == "p0"
    assert "It is used for the run" in _judged(8, 0).sentence()
    assert "is kept" in _judged(1, 0).sentence()


def test_what_is_tried_is_all_combinations_of_what_was_named():
    tried = candidates(["spotfinder.filter.min_spot_size = 2 3", "indexing.stills.rmsd_min_px = 1.5 2.5"], Grid())
    assert [label for label, _ in tried][:2] == [
        "spotfinder.filter.min_spot_size = 2, indexing.stills.rmsd_min_px = 1.5",
        "spotfinder.filter.min_spot_size = 2, indexing.stills.rmsd_min_px = 2.5",
    ]
    assert len(tried) == 4
    assert len(candidates([], Grid())) == 4
    with pytest.raises(ParameterError, match=r"Did you mean spotfinder.filter.min_spot_size\?"):
        candidates(["spotfinder.filter.min_spotsize = 2"], Grid())
    with pytest.raises(ParameterError, match="gives no values to try"):
        candidates(["spotfinder.filter.min_spot_size"], Grid())
    with pytest.raises(UsageError, match="100 combinations"):
        candidates([f"spotfinder.filter.{x} = {' '.join(map(str, range(1, 11)))}" for x in ("d_min", "d_max")], Grid())


@pytest.mark.slow
def test_the_winner_on_a_sample_is_used_for_the_run(weak, default_run, capsys):
    _, before, _ = default_run
    folder, after, shown = _run(weak, "optimised", "cctbx_xfel.optimise.flag_on=True", "optimise.seed=3")
    found = msgspec.json.decode(folder.optimisation.read_bytes(), type=Optimisation)
    with capsys.disabled():
        print(f"\n{found.sentence()}")
    assert found.winner is not None
    assert found.sentence() in shown
    assert found.n_integrated == sum(_integrated(before).values())  # the sample is all of the frames
    assert found.trials[found.winner].p_corrected < 0.05
    assert found.trials[found.winner].comparison.n_after == sum(_integrated(after).values())
    assert "min_spot_size" in folder.target.read_text()
    assert not list(folder.path.glob("**/trial_*"))
