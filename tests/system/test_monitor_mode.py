"""Monitor mode on images that arrive while the run goes on."""

import os
import shutil
import subprocess
import sys
import time

import pytest
from commands import LYSOZYME, THAUMATIN, command
from essence import essence
from running import first_run, n_finished, said, start, status, wait_until

from iota.inputs.watching.seen import identity_of
from iota.runs import read_ledger, read_state


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


COPY_IN_PIECES = """
import os, sys, time
from pathlib import Path
*sources, folder, n_pieces, pause_s = sys.argv[1:]
for source in sources:
    data = Path(source).read_bytes()
    step = len(data) // int(n_pieces) + 1
    with Path(folder, Path(source).name).open("wb") as file:
        for start in range(0, len(data), step):
            file.write(data[start : start + step])
            file.flush()
            os.fsync(file.fileno())
            time.sleep(float(pause_s))
"""


@pytest.mark.slow
def test_images_that_arrive_in_pieces_are_processed_once_each(lysozyme, known_run, tmp_path):
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    folder = first_run(tmp_path)
    run = start(
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
    wait_until(lambda: status(folder) == "watching")
    complete = {}
    outcomes = {name: outcome for name, (outcome, *_) in essence(known_run).items()}
    images = sorted(lysozyme.glob("*.cbf"))
    blanks = [image for image in images if outcomes[image.stem] == "failed_triage"]
    hits = [image for image in images if image not in blanks]
    # blanks first, and twice: they take no time to speak of, so that no queue builds up, and workers start with them
    arriving = [(x, x.name) for x in blanks] + [(x, f"again_{x.name}") for x in blanks] + [(x, x.name) for x in hits]
    for k, (image, name) in enumerate(arriving):
        target = incoming / (f"later_{k % 2}" if k > 5 else ".") / name
        target.parent.mkdir(exist_ok=True)
        complete[target.stem] = _copy_in_pieces(image, target)
        time.sleep(1.0)
    assert run.wait(200) == 0, said(tmp_path)
    results, _ = read_ledger(folder.ledger)
    assert sorted(r.name for r in results) == sorted(complete)
    assert not [r.reason for r in results if r.outcome == "failed_import"]
    assert [r.outcome for r in results].count("integrated") > 4
    assert (folder.path / "input.lst").read_text().count("\n") == len(complete)
    waits = [r.finished - sum(r.seconds.values()) - complete[r.name] for r in results if r.outcome == "failed_triage"]
    assert waits
    assert min(waits) < 1.0


@pytest.mark.slow
def test_images_renamed_before_they_are_read_are_processed_once_under_their_new_names(lysozyme, tmp_path):
    images = sorted(lysozyme.glob("*.cbf"))[:8]
    incoming = tmp_path / "incoming"
    (incoming / "sorted").mkdir(parents=True)
    folder = first_run(tmp_path)
    run = start(["incoming", "--watch", "-n", 1, *LYSOZYME], tmp_path)
    wait_until(lambda: status(folder) == "watching")
    for image in images:
        shutil.copy(image, incoming)
    wait_until(lambda: (folder.path / "input.lst").read_text().count("\n") == len(images), every=0.02)
    for k, image in enumerate(images):
        (incoming / image.name).rename(incoming / ("sorted" if k % 2 else ".") / f"new_{image.name}")
    wait_until(lambda: n_finished(folder) >= len(images))
    assert command("iota.run", "--finish", 1, cwd=tmp_path).returncode == 0
    assert run.wait(60) == 0, said(tmp_path)
    results, _ = read_ledger(folder.ledger)
    assert sorted(r.frame.path.rpartition("/")[2].removeprefix("new_") for r in results) == [i.name for i in images]
    assert sum("/new_" in r.frame.path for r in results) > 1
    assert not [r.reason for r in results if r.outcome == "failed_import"]
    assert sorted((folder.path / "input.lst").read_text().split("\n")[:-1]) == sorted(str(r.frame) for r in results)
    assert read_state(folder.state).n_frames == len(images)
    assert [r.file for r in results] == [identity_of(os.stat(r.frame.path))[1] for r in results if r.file is not None]


@pytest.mark.slow
def test_finish_ends_watching_and_resume_takes_it_up_again(lysozyme, tmp_path):
    images = sorted(lysozyme.glob("*.cbf"))
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    shutil.copy(images[0], incoming)
    folder = first_run(tmp_path)
    run = start(["incoming", "--watch", "-n", 1, *LYSOZYME], tmp_path)
    wait_until(lambda: n_finished(folder) == 1)
    run.kill()
    run.wait()
    shutil.copy(images[1], incoming)
    run = start(["--resume", 1], tmp_path)
    wait_until(lambda: n_finished(folder) == 2)
    assert run.poll() is None
    assert command("iota.run", "--finish", folder.path, cwd=tmp_path).returncode == 0
    assert run.wait(30) in (0, 1)
    assert read_state(folder.state).status == "finished"
    assert sorted(r.name for r in read_ledger(folder.ledger)[0]) == [images[0].stem, images[1].stem]


@pytest.mark.slow
def test_stop_and_go(lysozyme, tmp_path):
    images = sorted(lysozyme.glob("*.cbf"))
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    folder = first_run(tmp_path)
    run = start(["incoming", "--watch", "-n", 1, *LYSOZYME], tmp_path)
    for k in range(2):
        wait_until(lambda: status(folder) == "watching")
        shutil.copy(images[2 * k], incoming)
        wait_until(lambda n=2 * k + 1: n_finished(folder) == n)
        assert command("iota.run", "--stop", 1, cwd=tmp_path).returncode == 0
        assert run.wait(30) == 130
        assert status(folder) == "aborted"
        assert "iota.run --resume" in said(tmp_path)
        shutil.copy(images[2 * k + 1], incoming)  # while nobody watches
        run = start(["--resume", 1], tmp_path)
        wait_until(lambda n=2 * k + 2: n_finished(folder) == n)
    assert command("iota.run", "--finish", 1, cwd=tmp_path).returncode == 0
    assert run.wait(30) in (0, 1)
    assert status(folder) == "finished"
    assert sorted(r.name for r in read_ledger(folder.ledger)[0]) == [image.stem for image in images[:4]]


@pytest.mark.slow
def test_real_stills_that_another_process_copies_slowly_are_processed_once_each(
    thaumatin, known_thaumatin_run, tmp_path
):
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    folder = first_run(tmp_path)
    run = start(["incoming", "--watch", "-n", 2, *THAUMATIN], tmp_path)
    wait_until(lambda: status(folder) == "watching")
    images = sorted(thaumatin.glob("*.cbf.bz2"))
    # 8 pieces 0.4 s apart are 3 s a file: pauses longer than those in which a file counts as stable are among them
    copying = subprocess.Popen([sys.executable, "-c", COPY_IN_PIECES, *images, incoming, "8", "0.4"])
    n_before_the_end = 0
    while copying.poll() is None:
        n_before_the_end = n_finished(folder)
        time.sleep(0.2)
    assert copying.returncode == 0
    assert n_before_the_end > 0, "nothing was processed while files arrived"
    wait_until(lambda: n_finished(folder) >= len(images), 300)
    assert command("iota.run", "--finish", 1, cwd=tmp_path).returncode == 0
    assert run.wait(60) == 0, said(tmp_path)
    assert status(folder) == "finished"
    assert essence(folder) == essence(known_thaumatin_run)
    assert (folder.path / "input.lst").read_text().split() == [str(incoming / image.name) for image in images]


def test_monitor_mode_does_not_go_with_a_random_sample(tmp_path):
    done = command("iota.run", ".", "--watch", "--random", 3, cwd=tmp_path)
    assert (done.returncode, "omit range and random sample" in done.stderr) == (2, True)


@pytest.mark.slow
def test_a_finished_run_can_look_for_new_images(lysozyme, tmp_path):
    images = sorted(lysozyme.glob("*.cbf"))
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    shutil.copy(images[0], incoming)
    folder = first_run(tmp_path)
    assert command("iota.run", "incoming", "-n", 1, *LYSOZYME, cwd=tmp_path).returncode in (0, 1)
    run = start(["--resume", 1, "--watch"], tmp_path)
    wait_until(lambda: status(folder) == "watching")
    shutil.copy(images[1], incoming)
    wait_until(lambda: n_finished(folder) == 2)
    assert command("iota.run", "--finish", 1, cwd=tmp_path).returncode == 0
    assert run.wait(30) in (0, 1), said(tmp_path)
    assert sorted(r.name for r in read_ledger(folder.ledger)[0]) == [images[0].stem, images[1].stem]
    assert command("iota.run", "incoming", "--random", 1, *LYSOZYME, cwd=tmp_path).returncode in (0, 1)
    refused = command("iota.run", "--resume", 2, "--watch", cwd=tmp_path)
    assert (refused.returncode, "omit range and random sample" in refused.stderr) == (2, True)
