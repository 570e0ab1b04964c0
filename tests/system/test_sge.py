"""Runs whose workers are jobs of a Grid Engine that is running here."""

import importlib.util
from pathlib import Path

import pytest
from commands import LYSOZYME, command
from essence import essence
from running import first_run, jobs, n_finished, said, start, status, succeeds, wait_until

from iota.runs import read_state

WORKERS = ("mp.method=sge", "mp.interface=lo", "-n", 2)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not succeeds("qhost"), reason="no Grid Engine answers here (qhost): as root, scripts/one-node-cluster start sge"
    ),
    pytest.mark.skipif(
        importlib.util.find_spec("dask_jobqueue") is None,
        reason="dask-jobqueue is not installed: scripts/setup-batch installs it",
    ),
]


def in_queue(number):
    return succeeds("qstat", "-j", number)


def test_run_in_jobs_is_as_the_local_one_and_leaves_no_job(lysozyme, known_run, tmp_path):
    done = command("iota.run", lysozyme, *WORKERS, *LYSOZYME, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = first_run(tmp_path)
    assert essence(folder) == essence(known_run)
    of_run = read_state(folder.state).jobs
    assert len(of_run) == 2
    for job in of_run:
        assert (job.method, job.state) == ("sge", "ended")
        assert "Start worker" in Path(job.log).read_text()
        wait_until(lambda number=job.id: not in_queue(number), 60)  # SGE forgets it when its node has reported


def test_jobs_that_are_deleted_while_they_wait_end_the_run_with_a_sentence(lysozyme, tmp_path):
    folder = first_run(tmp_path)
    run = start([lysozyme, *WORKERS, "-n", 1, "mp.extra_directives=-h", *LYSOZYME], tmp_path)  # held: never begins
    for n_deleted in range(3):
        wait_until(lambda n=n_deleted: len(jobs(folder, "queued")) == 1 and len(jobs(folder, "ended")) == n, 60)
        [number] = jobs(folder, "queued")
        assert succeeds("qdel", number)
    assert run.wait(60) == 2, said(tmp_path)
    assert "disappeared from the queue of sge 3 times before they started" in said(tmp_path)
    assert "Traceback" not in said(tmp_path)
    assert status(folder) == "failed"
    assert n_finished(folder) == 0


def test_whole_run_as_one_job(lysozyme, known_run, tmp_path):
    submit = "mp.submit_command=qsub -b y -j y <iota_command>"
    done = command("iota.run", lysozyme, "mp.method=custom", submit, *LYSOZYME, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = first_run(tmp_path)
    wait_until(lambda: status(folder) == "finished", 300)
    assert essence(folder) == essence(known_run)
