"""Runs whose workers are jobs of a Slurm that is running here."""

import importlib.util
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import command
from essence import essence

from iota.runs import RunFolder, read_state

WORKERS = ("mp.method=slurm", "mp.interface=lo", "mp.memory=2", "mp.walltime=00:30", "-n", 2)


def slurm_is_here():
    if shutil.which("sinfo") is None:
        return False
    try:
        said = subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True, timeout=10)
    except subprocess.TimeoutExpired:
        return False
    return said.returncode == 0 and any(state in said.stdout for state in ("idle", "mixed"))


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not slurm_is_here(), reason="no Slurm with an idle node is running here (sinfo)"),
    pytest.mark.skipif(
        importlib.util.find_spec("dask_jobqueue") is None,
        reason="dask-jobqueue is not installed: scripts/setup-batch installs it",
    ),
]


def start(arguments, cwd):
    program = Path(sys.executable).with_name("iota.run")
    return subprocess.Popen(
        [program, *map(str, arguments), "--silent"],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def in_queue(number):
    return bool(subprocess.run(["squeue", "-h", "-j", number], capture_output=True, text=True).stdout.strip())


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.2)


def test_run_on_two_nodes_is_as_the_local_one_and_leaves_no_job(lysozyme, learnt_run, tmp_path):
    done = command("iota.run", lysozyme, *WORKERS, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = RunFolder.open(tmp_path / "integration" / "001")
    assert essence(folder) == essence(learnt_run)
    jobs = read_state(folder.state).jobs
    assert len(jobs) == 2
    for job in jobs:
        assert (job.method, job.state) == ("slurm", "ended")
        assert "Start worker" in Path(job.log).read_text()
        wait_until(lambda number=job.id: not in_queue(number), 30)


def test_cancelled_worker_costs_no_frame(lysozyme, learnt_run, tmp_path):
    run = start([lysozyme, *WORKERS], tmp_path)
    folder = RunFolder(tmp_path / "integration" / "001")
    wait_until(lambda: folder.ledger.exists() and folder.ledger.read_bytes().count(b"\n") >= 4, 120)
    running = [job.id for job in read_state(folder.state).jobs if job.state == "running"]
    subprocess.run(["scancel", running[0]], check=True)
    said, _ = run.communicate(timeout=300)
    assert run.returncode == 0, said
    assert essence(folder) == essence(learnt_run)
    assert running[0] in {job.id for job in read_state(folder.state).jobs}
    assert f"Job {running[0]} has ended" in folder.log.read_text()


def test_stopping_the_run_takes_its_jobs_out_of_the_queue(lysozyme, tmp_path):
    run = start([lysozyme, *WORKERS], tmp_path)
    folder = RunFolder(tmp_path / "integration" / "001")
    wait_until(lambda: folder.ledger.exists() and folder.ledger.stat().st_size > 0, 120)
    run.terminate()
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 130, said
    for job in read_state(folder.state).jobs:
        wait_until(lambda number=job.id: not in_queue(number), 30)


def test_job_that_slurm_refuses_ends_the_run_with_its_words(lysozyme, tmp_path):
    done = command("iota.run", lysozyme, *WORKERS, "mp.queue=no_such_queue", "--silent", cwd=tmp_path, timeout=60)
    assert done.returncode == 2
    assert "slurm refused the job" in done.stderr
    assert "invalid partition" in done.stderr
    assert "Traceback" not in done.stderr


def test_whole_run_as_one_job(lysozyme, learnt_run, tmp_path):
    done = command(
        "iota.run", lysozyme, "mp.method=custom", 'mp.submit_command=sbatch -n 1 --wrap "<iota_command>"', cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Submitted as job" in done.stdout
    folder = RunFolder.open(tmp_path / "integration" / "001")
    wait_until(lambda: read_state(folder.state).status == "finished", 300)
    assert essence(folder) == essence(learnt_run)
    [job] = read_state(folder.state).jobs
    assert job.id in done.stdout
    assert Path(job.log).name == f"slurm-{job.id}.out"
