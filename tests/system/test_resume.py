"""Runs that are killed and taken up again."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import LYSOZYME, command
from essence import essence
from running import first_run, n_finished, said, start, wait_until

from iota.runs import read_ledger, read_state
from iota.runs.process import ProcessMark


def _workers_of(folder):
    """Fork server and workers of a run, all in the folder where it was started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"forkserver" in path.read_bytes() and os.readlink(path.parent / "cwd") == str(folder.path.parents[1]):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.slow
def test_a_run_killed_while_it_determines_a_lattice_and_while_it_processes_ends_as_if_undisturbed(
    lysozyme, determined_run, tmp_path
):
    folder = first_run(tmp_path)
    run = start([lysozyme, "-n", 2], tmp_path)
    rng = random.Random(7)
    n_kills = 0
    while True:
        wanted = n_finished(folder) + rng.randint(1, 4)
        wait_until(lambda run=run, n=wanted: run.poll() is not None or n_finished(folder) >= n)
        if run.poll() is not None:
            break
        run.kill()
        run.wait()
        wait_until(lambda: not _workers_of(folder), 60)  # they end what they are at, and then themselves
        if read_state(folder.state).status == "finished":  # it was quicker than the signal
            break
        n_kills += 1
        assert read_state(folder.state).status == "running"
        run = start(["--resume", folder.path], tmp_path)
    assert run.returncode in (0, -signal.SIGKILL), said(tmp_path)
    assert n_kills >= 2
    assert essence(folder) == essence(determined_run)
    for name in ("integrated.lst", "not_integrated.lst", "failed_triage.lst"):
        files = [
            sorted(Path(line).name for line in (x.path / name).read_text().splitlines())
            for x in (folder, determined_run)
        ]
        assert files[0] == files[1]
    assert read_state(folder.state).status == "finished"


@pytest.mark.slow
def test_a_worker_killed_costs_no_frame_and_is_replaced(lysozyme, tmp_path):
    folder = first_run(tmp_path)
    run = start([lysozyme, "-n", 2, *LYSOZYME], tmp_path)
    wait_until(lambda: read_ledger(folder.ledger)[0])
    victim = max(_workers_of(folder))  # the fork server has the lowest number
    os.kill(victim, signal.SIGKILL)
    assert run.wait(300) == 0, said(tmp_path)
    outcomes = [r.outcome for r in read_ledger(folder.ledger)[0]]
    assert len(outcomes) == 12
    assert outcomes.count("crashed") == 0
    assert outcomes.count("integrated") > 4


def test_two_coordinators_cannot_have_one_run(lysozyme, tmp_path):
    folder = first_run(tmp_path)
    run = start([lysozyme, "-n", 1, *LYSOZYME], tmp_path)
    wait_until(lambda: read_ledger(folder.ledger)[0])
    os.kill(max(_workers_of(folder)), signal.SIGSTOP)  # so that the run is not over before it is looked at
    second = command("iota.run", "--resume", 1, cwd=tmp_path)
    assert second.returncode == 2
    assert f"process {run.pid} on" in second.stderr
    run.send_signal(signal.SIGTERM)
    assert run.wait(60) == 130
    assert "iota.run --resume" in said(tmp_path)
    assert read_state(folder.state).status == "aborted"


def test_resuming_what_is_no_run_is_a_sentence(tmp_path):
    done = command("iota.run", "--resume", tmp_path, cwd=tmp_path)
    assert (done.returncode, "not a run folder" in done.stderr) == (2, True)


def test_a_run_that_was_taken_over_while_it_was_stopped_writes_nothing_more(tmp_path):
    script = Path(__file__).with_name("fast_run.py")
    folder = first_run(tmp_path)
    with (tmp_path / "out.txt").open("w") as out:
        run = subprocess.Popen(
            [sys.executable, script, "20000"],
            cwd=tmp_path, stderr=out, env={**os.environ, "PYTHONPATH": str(script.parent)},
        )  # fmt: skip
    wait_until(lambda: n_finished(folder) > 5)
    run.send_signal(signal.SIGSTOP)
    time.sleep(3.5)  # so long that it looks before it writes
    state = read_state(folder.state)
    state.process = ProcessMark("elsewhere", "another boot", 12, 34)
    state.write(folder.state)
    before = (folder.state.read_text(), folder.ledger.read_bytes())
    run.send_signal(signal.SIGCONT)
    assert run.wait(60) == 1
    assert "was taken over by process 12 on elsewhere" in said(tmp_path)
    assert (folder.state.read_text(), folder.ledger.read_bytes()) == before
    assert not (folder.path / "integrated.lst").exists()


def test_crashed_images_of_a_finished_run_are_processed_again_when_asked(tmp_path):
    script = Path(__file__).with_name("fast_run.py")
    environment = {**os.environ, "PYTHONPATH": str(script.parent)}

    def run(*words):
        subprocess.run([sys.executable, script, "40", *words], cwd=tmp_path, env=environment, check=True, timeout=200)
        return {result.name: result for result in read_ledger(folder.ledger)[0]}

    folder = first_run(tmp_path)
    first = run()
    text = folder.ledger.read_text()
    good = next(line for line in text.splitlines() if '"slow_3"' in line)
    folder.ledger.write_text(text.replace(good, good.replace("integrated", "crashed")))  # as if it had been killed
    again = run("crashed")
    assert len(read_ledger(folder.ledger)[0]) == len(again) == 40
    assert {name: result.outcome for name, result in again.items()} == {n: r.outcome for n, r in first.items()}
    newer = {name for name, result in again.items() if result != first[name]}
    assert newer == {"slow_3", "segfault_7", "segfault_36"}
    assert sorted((folder.path / "crashed.lst").read_text().split()) == [
        "/data/segfault_36.cbf",
        "/data/segfault_7.cbf",
    ]
    assert read_state(folder.state).counts["crashed"] == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--resume", 1, "--retry", "integrated"], "--retry integrated: it accepts crashed, timed_out, failed_import"),
        (["--resume", 1, "--retry", ""], "it accepts crashed, timed_out, failed_import, joined by commas"),
        (["--retry", "crashed", "images"], "--retry can only be used with --resume"),
    ],
)
def test_what_cannot_be_processed_again_is_a_sentence(tmp_path, words, sentence):
    done = command("iota.run", *words, cwd=tmp_path)
    assert (done.returncode, sentence in " ".join(done.stderr.split())) == (2, True), done.stderr


@pytest.mark.parametrize("comes_back", [False, True], ids=["moved", "replaced"])
def test_a_run_whose_folder_is_moved_away_ends_and_writes_nothing_in_its_place(tmp_path, comes_back):
    folder, away = first_run(tmp_path), tmp_path / "away"
    run = _start_fast(tmp_path, 120)
    wait_until(lambda: n_finished(folder) > 20)
    folder.path.rename(away)
    if comes_back:  # in part, as by a copy that somebody begins
        (folder.path / "dials").mkdir(parents=True)
        folder.ledger.touch()
    assert run.wait(60) == 1
    assert "001 was renamed, deleted or replaced during the run" in (tmp_path / "stderr.txt").read_text()
    assert [path.name for path in folder.path.rglob("*")] == (["frames.jsonl", "dials"] if comes_back else [])
    assert not comes_back or folder.ledger.stat().st_size == 0
    assert folder.path.exists() == comes_back
    shutil.rmtree(folder.path, ignore_errors=True)
    away.rename(folder.path)
    assert _start_fast(tmp_path, 120).wait(200) == 0
    assert len(essence(folder)) == 120


def _start_fast(folder, n_frames):
    """Start or resume a run of made-up frames."""
    script = Path(__file__).with_name("fast_run.py")
    folder.mkdir(exist_ok=True)
    with (folder / "stderr.txt").open("w") as errors:
        return subprocess.Popen(
            [sys.executable, script, str(n_frames)],
            cwd=folder,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": str(script.parent)},
        )


@pytest.mark.slow
def test_kill_9_at_twenty_random_moments_loses_and_doubles_nothing(tmp_path):
    n_frames, rng = 700, random.Random(20)
    undisturbed = _start_fast(tmp_path / "undisturbed", n_frames)
    assert undisturbed.wait(200) == 0
    folder = first_run(tmp_path / "killed")
    n_kills = 0
    while n_kills < 20:
        run = _start_fast(tmp_path / "killed", n_frames)
        n_before = n_finished(folder)
        wait_until(lambda run=run, n=n_before: run.poll() is not None or n_finished(folder) > n)
        time.sleep(rng.uniform(0, 0.5))
        if run.poll() is not None:
            break
        run.kill()
        run.wait()
        n_kills += 1
    assert n_kills == 20, (tmp_path / "killed" / "stderr.txt").read_text()
    assert _start_fast(tmp_path / "killed", n_frames).wait(200) == 0
    assert essence(folder) == essence(first_run(tmp_path / "undisturbed"))
    assert len(essence(folder)) == n_frames
    for name in ("integrated.lst", "failed_triage.lst", "crashed.lst", "not_integrated.lst", "input.lst"):
        assert (folder.path / name).read_text() == (tmp_path / "undisturbed/integration/001" / name).read_text()
