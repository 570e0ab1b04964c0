"""Runs that mpirun starts."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from essence import essence

from iota.runs import RunFolder, read_state

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
IOTA_RUN = str(Path(sys.executable).with_name("iota.run"))


def start(arguments, cwd):
    return subprocess.Popen(
        [MPIEXEC, *OPTIONS, IOTA_RUN, *map(str, arguments), "--silent"],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


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


def test_mpi_run_is_as_the_local_one(lysozyme, learnt_run, tmp_path):
    run = start([lysozyme, "mp.method=mpi"], tmp_path)
    said, _ = run.communicate(timeout=300)
    assert run.returncode == 0, said
    assert essence(RunFolder.open(tmp_path / "integration" / "001")) == essence(learnt_run)
    assert [path.name for path in (tmp_path / "integration").iterdir()] == ["001"]  # one coordinator


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["nowhere", "mp.method=mpi"], "nothing to process"), (["{images}"], "add mp.method=mpi")],
)
def test_a_mistake_ends_all_processes_with_one_sentence(arguments, words, lysozyme, tmp_path):
    run = start([argument.format(images=lysozyme) for argument in arguments], tmp_path)
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 2, said
    assert said.count(words) == 1
    assert not (tmp_path / "integration").exists()


def test_without_mpirun_it_says_how(lysozyme, tmp_path):
    done = subprocess.run(
        [IOTA_RUN, str(lysozyme), "mp.method=mpi", "--silent"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "mpirun -n" in done.stderr


@pytest.mark.skipif("--oversubscribe" not in OPTIONS, reason="only Open MPI's processes are told apart by rank here")
def test_a_run_that_lost_a_process_is_resumed(lysozyme, learnt_run, tmp_path):
    run = start([lysozyme, "mp.method=mpi"], tmp_path)
    folder = RunFolder(tmp_path / "integration" / "001")
    deadline = time.monotonic() + 120
    while not (folder.ledger.exists() and folder.ledger.read_bytes().count(b"\n") >= 4):
        assert time.monotonic() < deadline
        assert run.poll() is None, run.communicate()[0]
        time.sleep(0.1)
    os.kill(served_by(run)[-1], signal.SIGKILL)
    said, _ = run.communicate(timeout=60)
    assert run.returncode != 0, said
    assert "--resume" in said
    assert read_state(folder.state).status == "aborted"
    again = start(["--resume", folder.path], tmp_path)
    said, _ = again.communicate(timeout=300)
    assert again.returncode == 0, said
    assert essence(folder) == essence(learnt_run)
