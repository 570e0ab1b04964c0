"""Monitor mode on images that arrive while the run goes on."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import LYSOZYME, command

from iota.runs import RunFolder, read_ledger, read_state

IOTA_RUN = Path(sys.executable).with_name("iota.run")


def _start(arguments, cwd):
    with (cwd / "out.txt").open("w") as out:
        return subprocess.Popen(
            [IOTA_RUN, *map(str, arguments)], cwd=cwd, stdout=out, stderr=subprocess.STDOUT, text=True
        )


def _wait_until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def _copy_in_pieces(source, target, n_pieces=6, pause_s=0.15):
    """Write like a slow network file system; returns when the file was complete (s since the epoch)."""
    data = source.read_bytes()
    step = len(data) // n_pieces + 1
    with target.open("wb") as file:
        for start in range(0, len(data), step):
            file.write(data[start : start + step])
            file.flush()
            os.fsync(file.fileno())
            time.sleep(pause_s)
    return time.time()


@pytest.mark.slow
def test_images_that_arrive_in_pieces_are_processed_once_each(lysozyme, tmp_path):
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    folder = RunFolder(tmp_path / "integration" / "001")
    run = _start(
        [
            "incoming",
            "--watch",
            "-n",
            2,
            "gui.monitor_mode_timeout=True",
            "gui.monitor_mode_timeout_length=8",
            *LYSOZYME,
        ],
        tmp_path,
    )
    _wait_until(lambda: folder.state.exists() and read_state(folder.state).status == "watching")
    time.sleep(4)  # let the workers start, so that their start does not count as latency
    complete = {}
    for k, image in enumerate(sorted(lysozyme.glob("*.cbf"))):
        target = incoming / (f"later_{k % 2}" if k > 5 else ".") / image.name
        target.parent.mkdir(exist_ok=True)
        complete[image.stem] = _copy_in_pieces(image, target)
        time.sleep(1.0)
    assert run.wait(200) == 0, (tmp_path / "out.txt").read_text()
    results, _ = read_ledger(folder.ledger)
    assert sorted(r.name for r in results) == sorted(complete)
    assert not [r.reason for r in results if r.outcome == "failed_import"]
    assert [r.outcome for r in results].count("integrated") > 4
    assert (folder.path / "input.lst").read_text().count("\n") == len(complete)
    # blanks take no time to speak of, so that no queue builds up before them
    waits = [r.finished - sum(r.seconds.values()) - complete[r.name] for r in results if r.outcome == "failed_triage"]
    assert waits
    assert min(waits) < 1.0


@pytest.mark.slow
def test_finish_ends_watching_and_resume_takes_it_up_again(lysozyme, tmp_path):
    images = sorted(lysozyme.glob("*.cbf"))
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    shutil.copy(images[0], incoming)
    folder = RunFolder(tmp_path / "integration" / "001")
    run = _start(["incoming", "--watch", "-n", 1, *LYSOZYME], tmp_path)
    _wait_until(lambda: len(read_ledger(folder.ledger)[0]) == 1)
    run.kill()
    run.wait()
    shutil.copy(images[1], incoming)
    run = _start(["--resume", 1], tmp_path)
    _wait_until(lambda: len(read_ledger(folder.ledger)[0]) == 2)
    assert run.poll() is None
    assert command("iota.run", "--finish", folder.path, cwd=tmp_path).returncode == 0
    assert run.wait(30) in (0, 1)
    assert read_state(folder.state).status == "finished"
    assert sorted(r.name for r in read_ledger(folder.ledger)[0]) == [images[0].stem, images[1].stem]


def test_stop_ends_a_run_from_outside(lysozyme, tmp_path):
    (tmp_path / "incoming").mkdir()
    folder = RunFolder(tmp_path / "integration" / "001")
    run = _start(["incoming", "--watch", "-n", 1, *LYSOZYME], tmp_path)
    _wait_until(lambda: folder.state.exists() and read_state(folder.state).status == "watching")
    time.sleep(1)
    assert command("iota.run", "--stop", 1, cwd=tmp_path).returncode == 0
    assert run.wait(30) == 130
    assert read_state(folder.state).status == "aborted"


def test_monitor_mode_does_not_go_with_a_random_sample(tmp_path):
    done = command("iota.run", ".", "--watch", "--random", 3, cwd=tmp_path)
    assert (done.returncode, "leave range and random sample out" in done.stderr) == (2, True)
