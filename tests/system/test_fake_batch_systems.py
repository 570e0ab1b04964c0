"""Runs in jobs of LSF, PBS, Torque and HTCondor that are played by a stand-in, which runs them on this machine."""

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import LYSOZYME, command
from essence import essence
from running import first_run, jobs, n_finished, said, start, status, wait_until

from iota.runs import read_state

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("dask_jobqueue") is None,
        reason="dask-jobqueue is not installed: scripts/setup-batch installs it",
    ),
]
PROGRAMS = ("bsub", "bjobs", "bkill", "qsub", "qstat", "qdel", "condor_submit", "condor_q", "condor_rm")


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """Folder of a batch system with every stand-in's command on the PATH."""
    programs, place = tmp_path / "bin", tmp_path / "queue"
    programs.mkdir()
    place.mkdir()
    source = Path(__file__).with_name("fake_batch_system.py").read_text()
    for name in PROGRAMS:
        (programs / name).write_text(f"#!{sys.executable}\n{source}")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    monkeypatch.setenv("STAND_IN_QUEUE", str(place))
    return place


def calls(queue, program):
    """Arguments and script of each call of a program."""
    lines = (queue / "calls.jsonl").read_text().splitlines()
    return [(arguments, script) for name, arguments, script in map(json.loads, lines) if name == program]


@pytest.mark.parametrize(
    ("method", "submit", "cancel", "lines"),
    [
        ("lsf", "bsub", "bkill", ["#BSUB -q mx", "#BSUB -n 1", "#BSUB -W 00:30", "#BSUB --one more"]),
        ("pbs", "qsub", "qdel", ["#PBS -q mx", "#PBS -l select=1:ncpus=1:mem=2048MB", "#PBS --one more"]),
        ("torq", "qsub", "qdel", ["#PBS -q mx", "#PBS -l nodes=1:ppn=1,mem=2000mb", "#PBS --one more"]),
        ("htcondor", "condor_submit", "condor_rm", ["RequestCpus = MY.DaskWorkerCores", "+Group = mx"]),
    ],
)
def test_run_in_jobs_is_as_the_local_one(method, submit, cancel, lines, queue, lysozyme, known_run, tmp_path):
    options = ["mp.interface=lo", "mp.memory=2", "-n", 2]
    if method == "htcondor":
        options += ["mp.extra_directives=+Group = mx"]
    else:
        options += ["mp.queue=mx", "mp.walltime=00:30", "mp.extra_directives=--one more"]
    images = sorted(lysozyme.glob("*.cbf"))[:5]
    done = command("iota.run", *images, f"mp.method={method}", *options, *LYSOZYME, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = first_run(tmp_path)
    locally = essence(known_run)
    assert essence(folder) == {image.stem: locally[image.stem] for image in images}
    submitted = calls(queue, submit)
    assert len(submitted) == 2
    for _, script in submitted:
        assert set(lines) <= set(script.splitlines())
    ids = [job.id for job in read_state(folder.state).jobs]
    assert sorted(ids) == {"htcondor": ["1.0", "2.0"]}.get(method, ["1", "2"])
    assert {arguments[-1] for arguments, _ in calls(queue, cancel)} == set(ids)  # Dask asks for it twice
    assert not list(queue.glob("*.pid")), "a job is left in the queue"


def test_job_that_is_taken_out_of_the_queue_is_submitted_again(queue, lysozyme, tmp_path):
    (queue / "full").touch()
    folder = first_run(tmp_path)
    run = start([lysozyme, "mp.method=lsf", "mp.interface=lo", "-n", 1, *LYSOZYME], tmp_path)
    wait_until(lambda: len(jobs(folder, "queued")) == 1)
    [first] = jobs(folder, "queued")
    wait_until(lambda: calls(queue, "bjobs"), 60)
    time.sleep(2)
    assert jobs(folder, "queued") == [first], "the queue has it still"
    subprocess.run(["bkill", first], check=True)
    wait_until(lambda: jobs(folder, "ended") == [first] and len(jobs(folder, "queued")) == 1, 60)
    assert n_finished(folder) == 0
    assert command("iota.run", "--stop", folder.path, cwd=tmp_path).returncode == 0
    assert run.wait(60) == 130, said(tmp_path)
    assert status(folder) == "aborted"
    assert not list(queue.glob("*.pid")), "a job is left in the queue"
