"""The job scripts for each batch system, and what cannot be written into one."""

import sys

import pytest

pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed: pip install 'iota-sx[cluster]'")

from iota.errors import BackendError, ParameterError
from iota.params import read
from iota.workers.batch import BatchOptions, script
from iota.workers.executors import check_workers, job_script_text

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def mp(*assignments):
    return read(assignments=[f"mp.{text}" for text in assignments]).values.mp


def job(tmp_path, *assignments):
    return script(BatchOptions.of(mp(*assignments), tmp_path / "001"))


ALL = ("n_processors=8", "cores=2", "memory=6", "queue=mx", "walltime=04:30", "interface=ib0")


@pytest.mark.parametrize(
    ("method", "lines"),
    [
        ("slurm", ["#SBATCH -p mx", "#SBATCH --cpus-per-task=2", "#SBATCH --mem=6G", "#SBATCH -t 04:30:00"]),
        ("lsf", ["#BSUB -q mx", "#BSUB -n 2", "#BSUB -W 04:30", '#BSUB -R "span[hosts=1]"']),
        ("pbs", ["#PBS -q mx", "#PBS -l select=1:ncpus=2:mem=6144MB", "#PBS -l walltime=04:30:00"]),
        ("torq", ["#PBS -q mx", "#PBS -l nodes=1:ppn=2,mem=6000mb", "#PBS -l walltime=04:30:00"]),
    ],
)
def test_job_script_asks_for_what_was_said(method, lines, tmp_path):
    text = job(tmp_path, f"method={method}", *ALL, "extra_directives=--one", "extra_directives=--two x")
    for line in lines:
        assert line in text.splitlines()
    mark = {"slurm": "#SBATCH", "lsf": "#BSUB"}.get(method, "#PBS")
    assert f"{mark} --one\n{mark} --two x\n" in text
    assert f"{sys.executable} -P -m distributed.cli.dask_worker" in text
    assert "--nthreads 2 " in text
    assert "--no-nanny" in text
    assert "--interface ib0" in text
    assert "--lifetime 15600s" in text  # ten minutes before the four hours and a half are over
    assert not (tmp_path / "001").exists()


def test_job_script_of_sge(tmp_path):
    text = job(tmp_path, "method=sge", *ALL, "extra_directives=-pe smp 2")
    assert {"#$ -q mx", "#$ -l h_rt=04:30:00", "#$ -pe smp 2"} <= set(text.splitlines())
    with pytest.raises(ParameterError, match="-pe smp 2"):
        job(tmp_path, "method=sge", "cores=2")


def test_job_script_of_condor(tmp_path):
    text = job(tmp_path, "method=htcondor", "cores=2", "memory=6", 'extra_directives=+Group = "mx"')
    assert "RequestCpus = MY.DaskWorkerCores" in text
    assert "MY.DaskWorkerCores = 2" in text
    assert '+Group = "mx"' in text
    with pytest.raises(ParameterError, match="HTCondor has no queues"):
        job(tmp_path, "method=htcondor", "queue=mx")


@pytest.mark.parametrize(("n_processors", "cores", "n_jobs"), [(0, 1, 4), (0, 16, 4), (8, 1, 8), (8, 3, 3), (1, 16, 1)])
def test_number_of_jobs(n_processors, cores, n_jobs, tmp_path):
    options = BatchOptions.of(mp("method=slurm", f"n_processors={n_processors}", f"cores={cores}"), tmp_path)
    assert options.n_jobs == n_jobs


@pytest.mark.parametrize("walltime", ["soon", "4", "00:01", "10:75"])
def test_wrong_walltime_is_refused(walltime, tmp_path):
    with pytest.raises(ParameterError, match=r"mp\.walltime cannot be"):
        job(tmp_path, "method=slurm", f"walltime={walltime}")


def test_nothing_smuggles_a_line_into_a_job_script(tmp_path):
    values = mp("method=slurm")
    values.queue = "mx\ntouch /tmp/x"
    with pytest.raises(ParameterError, match="line break"):
        BatchOptions.of(values, tmp_path)
    with pytest.raises(ParameterError, match="only letters, digits and"):
        BatchOptions.of(mp("method=slurm"), tmp_path / "a b")


def test_batch_system_that_is_not_here(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackendError, match="needs the command bsub"):
        check_workers(mp("method=lsf"), tmp_path)


def test_dry_run_shows_the_script_and_how_many(tmp_path):
    text = job_script_text(mp("method=slurm", "n_processors=6", "cores=2"), tmp_path / "001")
    assert "Up to 3 jobs" in text
    assert "#SBATCH -J iota" in text
    assert str(tmp_path / "001" / "logs" / "jobs") in text
