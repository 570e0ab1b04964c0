"""Runs whose workers are jobs of a Slurm that is running here."""

import importlib.util
import subprocess
from pathlib import Path

import pytest
from commands import LYSOZYME, THAUMATIN, command
from essence import essence
from running import first_run, jobs, n_finished, said, start, status, succeeds, wait_until

from iota.runs import read_state

WORKERS = ("mp.method=slurm", "mp.interface=lo", "mp.memory=2", "mp.walltime=00:30", "-n", 2)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not succeeds("sinfo"), reason="no Slurm answers here (sinfo): as root, scripts/one-node-cluster start slurm"
    ),
    pytest.mark.skipif(
        importlib.util.find_spec("dask_jobqueue") is None,
        reason="dask-jobqueue is not installed: scripts/setup-batch installs it",
    ),
]


def in_queue(number):
    asked = subprocess.run(["squeue", "-h", "-j", number], capture_output=True, text=True)
    return bool(asked.stdout.strip())


def test_run_on_two_nodes_is_as_the_local_one_and_leaves_no_job(lysozyme, determined_run, tmp_path):
    done = command("iota.run", lysozyme, *WORKERS, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = first_run(tmp_path)
    assert essence(folder) == essence(determined_run)
    of_run = read_state(folder.state).jobs
    assert len(of_run) == 2
    for job in of_run:
        assert (job.method, job.state) == ("slurm", "ended")
        assert "Start worker" in Path(job.log).read_text()
        wait_until(lambda number=job.id: not in_queue(number), 30)


def cancel_one_in_the_middle(run, folder, after_n_frames):
    """Cancel a job that works; returns its number."""
    wait_until(lambda: n_finished(folder) >= after_n_frames and jobs(folder, "running"))
    victim = jobs(folder, "running")[0]
    assert run.poll() is None
    subprocess.run(["scancel", victim], check=True)
    return victim


def test_cancelled_worker_costs_no_frame(lysozyme, known_run, tmp_path):
    folder = first_run(tmp_path)
    run = start([lysozyme, *WORKERS, *LYSOZYME], tmp_path)
    victim = cancel_one_in_the_middle(run, folder, 3)
    assert run.wait(300) == 0, said(tmp_path)
    assert essence(folder) == essence(known_run)
    assert victim in jobs(folder, "ended")
    assert f"Job {victim} has ended" in folder.log.read_text()


def test_real_stills_with_a_worker_cancelled_are_as_locally(thaumatin, known_thaumatin_run, tmp_path):
    folder = first_run(tmp_path)
    run = start([thaumatin, *WORKERS, *THAUMATIN], tmp_path)
    cancel_one_in_the_middle(run, folder, 4)
    assert run.wait(600) == 0, said(tmp_path)
    assert essence(folder) == essence(known_thaumatin_run)
    assert read_state(folder.state).counts == {"integrated": 10, "failed_triage": 2}


@pytest.fixture
def busy_node():
    """A job that has all cores of the node, so that others wait; its number."""
    done = subprocess.run(
        ["sbatch", "--parsable", "--exclusive", "--output=/dev/null", "--wrap", "exec sleep 900"],
        capture_output=True,
        text=True,
        check=True,
    )
    number = done.stdout.strip()
    yield number
    subprocess.run(["scancel", number], check=False)


def test_job_taken_out_of_the_queue_before_it_begins_is_submitted_again(lysozyme, known_run, busy_node, tmp_path):
    folder = first_run(tmp_path)
    run = start([lysozyme, *WORKERS, *LYSOZYME], tmp_path)
    wait_until(lambda: len(jobs(folder, "queued")) == 2)
    victims = jobs(folder, "queued")
    subprocess.run(["scancel", *victims], check=True)
    wait_until(lambda: len(jobs(folder, "queued")) == 2 and jobs(folder, "ended") == victims, 60)
    assert n_finished(folder) == 0
    subprocess.run(["scancel", busy_node], check=True)
    assert run.wait(300) == 0, said(tmp_path)
    assert essence(folder) == essence(known_run)
    assert f"submitted again: job {victims[0]}, {victims[1]}" in folder.log.read_text()


def test_stopping_the_run_takes_its_jobs_out_of_the_queue(lysozyme, tmp_path):
    folder = first_run(tmp_path)
    run = start([lysozyme, *WORKERS, *LYSOZYME], tmp_path)
    wait_until(lambda: n_finished(folder))
    run.terminate()
    assert run.wait(60) == 130, said(tmp_path)
    for number in jobs(folder, "queued", "running", "ended"):
        wait_until(lambda number=number: not in_queue(number), 30)


def test_job_that_slurm_refuses_ends_the_run_with_its_words(lysozyme, tmp_path):
    done = command("iota.run", lysozyme, *WORKERS, "mp.queue=no_such_queue", "--silent", cwd=tmp_path, timeout=60)
    assert done.returncode == 2
    assert "slurm rejected the job" in done.stderr
    assert "invalid partition" in done.stderr
    assert "Traceback" not in done.stderr


def test_whole_run_as_one_job(lysozyme, known_run, tmp_path):
    submit = 'mp.submit_command=sbatch -n 1 --wrap "<iota_command>"'
    done = command("iota.run", lysozyme, "mp.method=custom", submit, *LYSOZYME, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Submitted as job" in done.stdout
    folder = first_run(tmp_path)
    wait_until(lambda: status(folder) == "finished", 300)
    assert essence(folder) == essence(known_run)
    [job] = read_state(folder.state).jobs
    assert job.id in done.stdout
    assert Path(job.log).name == f"slurm-{job.id}.out"
