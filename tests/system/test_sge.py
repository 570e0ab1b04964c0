"""Runs whose workers are jobs of a Grid Engine that is running here."""

import importlib.util
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from commands import command
from essence import essence

from iota.runs import RunFolder, read_state


def sge_is_here():
    if shutil.which("qhost") is None:
        return False
    try:
        return subprocess.run(["qhost"], capture_output=True, timeout=10).returncode == 0
    except subprocess.TimeoutExpired:
        return False


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sge_is_here(), reason="no Grid Engine is running here (qhost)"),
    pytest.mark.skipif(
        importlib.util.find_spec("dask_jobqueue") is None,
        reason="dask-jobqueue is not installed: scripts/setup-batch installs it",
    ),
]


def test_run_in_jobs_is_as_the_local_one_and_leaves_no_job(lysozyme, learnt_run, tmp_path):
    done = command("iota.run", lysozyme, "mp.method=sge", "mp.interface=lo", "-n", 2, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = RunFolder.open(tmp_path / "integration" / "001")
    assert essence(folder) == essence(learnt_run)
    jobs = read_state(folder.state).jobs
    assert len(jobs) == 2
    for job in jobs:
        assert (job.method, job.state) == ("sge", "ended")
        assert "Start worker" in Path(job.log).read_text()
        deadline = time.monotonic() + 60  # SGE forgets a deleted job when its node has reported
        while subprocess.run(["qstat", "-j", job.id], capture_output=True).returncode == 0:
            assert time.monotonic() < deadline, "the job is still there"
            time.sleep(0.5)
