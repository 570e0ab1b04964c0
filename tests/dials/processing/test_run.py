"""Whole runs, as a person would start them."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from commands import LYSOZYME, command

from iota.engine.frame.engine import Engine
from iota.engine.frame.frame import FrameWork, process
from iota.records import OUTCOMES, FrameRef, Task
from iota.runs import RunFolder, read_ledger, read_state


def _ledger(folder):
    return {result.name: result for result in read_ledger(folder.ledger)[0]}


def _what(result):
    """What must not depend on when and where a frame was processed."""
    lattices = [(x.space_group, x.unit_cell, x.a_matrix, x.n_integrated, x.d_min_A) for x in result.lattices]
    return result.outcome, result.reason, result.settings, result.n_spots, lattices


def test_a_first_run_determines_the_lattice_of_an_unknown_crystal(determined_run, lysozyme):
    results = _ledger(determined_run)
    assert len(results) == 12
    integrated = [r for r in results.values() if r.outcome == "integrated"]
    hits = [r for r in results.values() if r.outcome != "failed_triage"]
    assert len(integrated) >= 0.8 * len(hits) > 4
    for result in integrated:
        assert result.settings.startswith("determined lattice 1: tP")
        assert result.lattices[0].unit_cell == pytest.approx((79.2, 79.2, 38.1, 90, 90, 90), rel=0.01)


def test_the_run_folder_holds_what_the_manual_promises(determined_run):
    results = _ledger(determined_run)
    path = determined_run.path
    for outcome in OUTCOMES:
        listed = (path / f"{outcome}.lst").read_text().splitlines()
        assert sorted(listed) == sorted(str(r.frame) for r in results.values() if r.outcome == outcome)
    assert len((path / "input.lst").read_text().splitlines()) == 12
    state = read_state(determined_run.state)
    assert (state.status, state.n_finished, sum(state.counts.values())) == ("finished", 12, 12)
    log = determined_run.log.read_text()
    assert all(result.name in log for result in results.values())
    assert "SUMMARY" in log


def test_blanks_leave_a_record_and_no_files(determined_run):
    blanks = [r for r in _ledger(determined_run).values() if r.outcome == "failed_triage"]
    assert blanks
    for result in blanks:
        assert result.files == {}
        assert list(determined_run.path.glob(f"*/*{result.name}*")) == []


def test_dials_and_cctbx_open_what_was_written(determined_run):
    result = next(r for r in _ledger(determined_run).values() if r.outcome == "integrated")
    files = [determined_run.path / result.files[what] for what in ("experiments", "reflections")]
    shown = subprocess.run(
        [sys.executable, "-m", "dials.command_line.show", *files], capture_output=True, text=True, check=True
    ).stdout
    assert "Space group: P 4 2 2" in shown
    assert (
        f"Number of reflections: {result.lattices[0].n_integrated}" in shown.replace("  ", " ")
        or "intensity.sum" in shown
    )
    with (determined_run.path / result.lattices[0].files["pickle"]).open("rb") as file:
        frame = pickle.load(file)
    assert frame["observations"][0].size() == result.lattices[0].n_integrated
    assert frame["observations"][0].unit_cell().parameters() == pytest.approx(result.lattices[0].unit_cell, abs=1e-3)
    assert frame["pointgroup"] == "P 4 2 2"


def test_logs_of_frames_are_their_own(determined_run):
    for result in _ledger(determined_run).values():
        if result.outcome == "integrated":
            text = (determined_run.path / result.files["log"]).read_text()
            assert text.count("Finding Strong Spots") == 1
            assert "Integrating Reflections" in text


@pytest.mark.slow
def test_order_and_number_of_workers_change_nothing(determined_run, lysozyme, tmp_path):
    images = sorted(lysozyme.glob("*.cbf"), reverse=True)
    done = command("iota.run", *images, "-n", 1, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    other = _ledger(RunFolder.open(tmp_path / "integration" / "001"))
    assert {name: _what(r) for name, r in other.items()} == {
        name: _what(r) for name, r in _ledger(determined_run).items()
    }


@pytest.mark.slow
def test_the_script_of_a_run_repeats_it_from_anywhere(lysozyme, tmp_path):
    images = sorted(lysozyme.glob("*.cbf"))[:6]
    first = command(
        "iota.run", *images, "-n", 2, "--random", 3, "output=out", *LYSOZYME, "indexing.max_cell=150", cwd=tmp_path
    )
    assert first.returncode == 0, first.stderr
    runs = tmp_path / "out" / "integration"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    again = command("iota.run", runs / "001" / "iota_r1.param", cwd=elsewhere)
    assert again.returncode == 0, again.stderr
    assert (runs / "002" / "target.phil").read_text() == (runs / "001" / "target.phil").read_text()
    assert "max_cell = 150" in (runs / "002" / "target.phil").read_text()
    results = [_ledger(RunFolder.open(runs / number)) for number in ("001", "002")]
    assert len(results[0]) == 3
    first_time, second_time = ({name: _what(r) for name, r in x.items()} for x in results)
    assert first_time == second_time


@pytest.fixture
def bad_company(lysozyme, tmp_path):
    """Two good images of one name in two folders, two whose names do not end in a number, and all sorts of bad ones."""
    good = [p for p in sorted(lysozyme.glob("*.cbf")) if p.stat().st_size][:12]
    for k, name in enumerate(("a/img_1.cbf", "b/img_1.cbf", "nodigit.cbf", "late_1a.cbf")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(good[k], tmp_path / name)
    (tmp_path / "cut_2.cbf").write_bytes(good[0].read_bytes()[:200_000])
    (tmp_path / "empty_3.cbf").touch()
    (tmp_path / "text_4.cbf").write_text("not an image\n")
    (tmp_path / "folder_5.cbf").mkdir()
    return tmp_path


def test_bad_images_have_a_sentence_each_and_good_ones_are_processed(bad_company):
    done = command(
        "iota.run",
        "a",
        "b",
        "nodigit.cbf",
        "late_1a.cbf",
        "cut_2.cbf",
        "empty_3.cbf",
        "text_4.cbf",
        "missing_6.cbf",
        "nowhere",
        "-n",
        2,
        *LYSOZYME,
        cwd=bad_company,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nowhere" in done.stderr
    results = _ledger(RunFolder.open(bad_company / "integration" / "001"))
    reasons = {name: r.reason for name, r in results.items() if r.outcome == "failed_import"}
    assert reasons == {
        "cut_2": "The file is damaged or cut short: its pixels cannot be read.",
        "empty_3": "The file is empty.",
        "text_4": "DIALS does not recognise this file as a diffraction image.",
        "missing_6": "There is no such file.",
    }
    assert {name for name in results if name not in reasons} == {"a_img_1", "b_img_1", "nodigit", "late_1a"}
    integrated = [r for r in results.values() if r.outcome == "integrated"]
    assert len(integrated) >= 2
    assert len({r.lattices[0].files["pickle"] for r in integrated}) == len(integrated)


@pytest.mark.parametrize("hidden", ["file", "folder"])
def test_an_unreadable_file_is_said_to_be_so(lysozyme, hidden):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "inner"
        folder.mkdir()
        image = folder / "secret_1.cbf"
        shutil.copy(next(lysozyme.glob("*.cbf")), image)
        (image if hidden == "file" else folder).chmod(0)
        Path(name).chmod(0o755)
        child = os.fork()
        if child == 0:  # root reads everything: become nobody, in a process of our own
            try:
                if os.getuid() == 0:
                    os.setuid(65534)
                with FrameWork(Engine("", Path(name)), Task("process", FrameRef(str(image)), "secret_1")) as work:
                    result = process(work)
                os._exit(0 if result.reason == "The file may not be read; check its permissions." else 1)
            finally:  # never back into the tests
                os._exit(2)
        assert os.waitpid(child, 0)[1] == 0


def test_nothing_usable_is_a_sentence_with_status_2(tmp_path):
    for arguments, sentence in (
        ([], "No images were given"),
        (["nowhere"], "No images were found in the input"),
        (["mp.n_procesors=2"], "Did you mean mp.n_processors"),
        (["x.cbf", "indexing.max_cel=3"], "no parameter named"),
        (["x.cbf", "--range", "a"], "not a range"),
        (["x.cbf", "cctbx_xfel.target=missing.phil"], "cannot be read"),
    ):
        done = command("iota.run", *arguments, cwd=tmp_path)
        assert done.returncode == 2, (arguments, done.stdout, done.stderr)
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "integration").exists()


def test_a_run_without_diffraction_ends_with_status_1_and_has_its_lists(lysozyme, determined_run, tmp_path):
    blank = next(r.frame.path for r in _ledger(determined_run).values() if r.outcome == "failed_triage")
    done = command("iota.run", blank, "-n", 1, cwd=tmp_path)
    assert done.returncode == 1
    assert "minimum_Bragg_peaks" in done.stdout
    assert (tmp_path / "integration/001/failed_triage.lst").read_text() == f"{blank}\n"


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_done(lysozyme, tmp_path):
    program = Path(sys.executable).with_name("iota.run")
    images = tmp_path / "images"  # more than are processed before the signal
    images.mkdir()
    for path in lysozyme.glob("*.cbf"):
        for number in range(20):
            (images / f"{path.stem}_{number}.cbf").hardlink_to(path)
    run = subprocess.Popen(
        [program, images, "-n", "2", *LYSOZYME],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    folder = tmp_path / "integration" / "001"
    deadline = time.monotonic() + 120
    while (time.monotonic() < deadline and not (folder / "frames.jsonl").exists()) or not read_ledger(
        folder / "frames.jsonl"
    )[0]:
        time.sleep(0.2)
        assert run.poll() is None, run.communicate()
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    assert "Traceback" not in err
    results = _ledger(RunFolder.open(folder))
    state = read_state(folder / "state.json")
    assert (state.status, state.n_finished) == ("aborted", len(results))
    assert 0 < len(results) < 240
    assert "not processed" in out
    assert (folder / "not_integrated.lst").exists()


def test_silent_prints_nothing(tmp_path, lysozyme):
    done = command("iota.run", next(lysozyme.glob("*.cbf")), "--silent", "-n", 1, *LYSOZYME, cwd=tmp_path)
    assert done.returncode in (0, 1)
    assert done.stdout == done.stderr == ""


@pytest.mark.slow
def test_real_thaumatin_with_nothing_known(thaumatin, tmp_path):
    done = command("iota.run", thaumatin, "-n", 2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    results = _ledger(RunFolder.open(tmp_path / "integration" / "001"))
    assert {n for n, r in results.items() if r.outcome == "failed_triage"} == {"thau_3_2_0016", "thau_3_2_0018"}
    integrated = [r for r in results.values() if r.outcome == "integrated"]
    assert len(integrated) >= 9
    for result in integrated:
        assert result.lattices[0].bravais == "tP"
        assert result.lattices[0].unit_cell == pytest.approx((58.4, 58.4, 152.2, 90, 90, 90), rel=0.01)


@pytest.mark.slow
def test_real_thaumatin_with_a_known_cell(known_thaumatin_run):
    outcomes = [r.outcome for r in _ledger(known_thaumatin_run).values()]
    assert (outcomes.count("integrated"), outcomes.count("failed_triage")) == (10, 2)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        LYSOZYME,
        [
            *LYSOZYME,
            "image_import.convert_images=True",
            "image_import.beamstop=0.5",
            "optimise.flag_on=True",
            "optimise.n_frames=6",
            "optimise.parameter=spotfinder.filter.min_spot_size = 2 3",
            "clustering.flag_on=True",
            "analysis.charts=True",
        ],
    ],
    ids=["nothing known", "known cell", "all that asks DIALS"],
)
def test_the_coordinator_does_without_dials(arguments, lysozyme, tmp_path):
    """Its start would take two seconds longer; a process of those that have DIALS answers what it has to know."""
    script = (
        "import sys; from iota.cli.start import run; run();"
        " print([name for name in sys.modules if name.partition('.')[0] in ('dials', 'dxtbx')], file=sys.stderr)"
    )
    for words in ([lysozyme, "-n", 2, "--range", "1-6", *arguments], ["--resume", 1]):
        done = subprocess.run(
            [sys.executable, "-c", script, *map(str, words)], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert done.stderr == "[]\n"
        assert "integrated" in done.stdout
    assert read_state(tmp_path / "integration" / "001" / "state.json").status == "finished"
