"""Runs that mpirun starts."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from commands import LYSOZYME, command
from essence import essence
from running import first_run, n_finished, said, start, status, wait_until

MPIEXEC = shutil.which("mpiexec")
OPTIONS = ["-n", "3"]
if MPIEXEC and re.search(
    "Open MPI|OpenRTE|PRRTE", subprocess.run([MPIEXEC, "--version"], capture_output=True, text=True).stdout
):
    OPTIONS = ["--allow-run-as-root", "--oversubscribe", *OPTIONS]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        MPIEXEC is None or importlib.util.find_spec("mpi4py") is None,
        reason="there is no mpiexec or no mpi4py here: scripts/setup-batch installs them",
    ),
]


def start_ranks(arguments, cwd):
    return start([*arguments, "--silent"], cwd, before=[MPIEXEC, *OPTIONS])


def served_by(mpiexec):
    """Processes that mpiexec has started, the one with the highest rank last."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if int((path / "stat").read_text().rsplit(")", 1)[1].split()[1]) == mpiexec.pid:
                rank = dict(x.split(b"=", 1) for x in (path / "environ").read_bytes().split(b"\0") if b"=" in x)
                found[int(rank[b"OMPI_COMM_WORLD_RANK"])] = int(path.name)
        except (OSError, KeyError):
            continue
    return [found[rank] for rank in sorted(found)]


def test_mpi_run_is_as_the_local_one(lysozyme, determined_run, tmp_path):
    run = start_ranks([lysozyme, "mp.method=mpi"], tmp_path)
    assert run.wait(300) == 0, said(tmp_path)
    assert essence(first_run(tmp_path)) == essence(determined_run)
    assert [path.name for path in (tmp_path / "integration").iterdir()] == ["001"]  # one coordinator


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["nowhere", "mp.method=mpi"], "No images were found"), (["{images}"], "add mp.method=mpi")],
)
def test_a_mistake_ends_all_processes_with_one_sentence(arguments, words, lysozyme, tmp_path):
    run = start_ranks([argument.format(images=lysozyme) for argument in arguments], tmp_path)
    assert run.wait(60) == 2, said(tmp_path)
    assert said(tmp_path).count(words) == 1
    assert not (tmp_path / "integration").exists()


def test_without_mpirun_it_says_how(lysozyme, tmp_path):
    done = command("iota.run", lysozyme, "mp.method=mpi", "--silent", cwd=tmp_path, timeout=60)
    assert done.returncode == 2
    assert "mpirun -n" in done.stderr


@pytest.mark.skipif("--oversubscribe" not in OPTIONS, reason="only Open MPI's processes are told apart by rank here")
def test_a_run_that_lost_a_process_is_resumed(lysozyme, known_run, tmp_path):
    folder = first_run(tmp_path)
    run = start_ranks([lysozyme, "mp.method=mpi", *LYSOZYME], tmp_path)
    wait_until(lambda: run.poll() is not None or n_finished(folder) >= 1, every=0.01)
    assert run.poll() is None, said(tmp_path)
    os.kill(served_by(run)[-1], signal.SIGKILL)
    assert run.wait(60) != 0
    assert "--resume" in said(tmp_path)
    assert status(folder) == "aborted"
    again = start_ranks(["--resume", folder.path], tmp_path)
    assert again.wait(300) == 0, said(tmp_path)
    assert essence(folder) == essence(known_run)
