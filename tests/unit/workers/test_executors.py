"""Which workers a run gets, what would be submitted for them, and the whole run as one job."""

import builtins
import json
import os
import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from iota.cli.run import main
from iota.errors import BackendError, ParameterError, UsageError
from iota.params import defaults, read
from iota.runs import RunFolder, RunState
from iota.workers import mpi, submit
from iota.workers.executors import check_workers, job_script_text

OF_MPI = ("OMPI_", "PMI", "MV2_")


def mp(*assignments):
    return read(assignments=[f"mp.{text}" for text in assignments]).values.mp


@pytest.fixture
def no_mpi(monkeypatch):
    for name in [name for name in os.environ if name.startswith(OF_MPI)]:
        monkeypatch.delenv(name)


@pytest.fixture
def recorder(tmp_path, monkeypatch):
    """Programs that write down their arguments and the script they are given, and answer as the real ones do."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")

    def make(name, answer, exit_status=0):
        path = folder / name
        path.write_text(
            f"#!{sys.executable}\nimport json, os, sys\n"
            f"json.dump([sys.argv[1:], os.getcwd()], open({str(tmp_path / name)!r} + '.json', 'w'))\n"
            f"print({answer!r}, file=sys.stderr if {exit_status} else sys.stdout)\nsys.exit({exit_status})\n"
        )
        path.chmod(0o755)
        return lambda: json.loads((tmp_path / f"{name}.json").read_text())

    return make


@pytest.fixture
def run_folder(tmp_path):
    path = tmp_path / "a run" / "integration" / "001"
    path.mkdir(parents=True)
    return path


def test_defaults_are_the_cores_of_this_machine(tmp_path, no_mpi):
    values = defaults().values.mp
    assert values.method == "multiprocessing"
    check_workers(values, tmp_path)
    assert "on this machine, no job" in job_script_text(values, tmp_path)


# -- the whole run as one job


@pytest.mark.parametrize(
    ("printed", "number"),
    [
        ("Submitted batch job 4711\n", "4711"),
        ("4711;cluster\n", "4711"),
        ("Job <4711> is submitted to queue <mx>.\n", "4711"),
        ('Your job 4711 ("iota.run") has been submitted\n', "4711"),
        ("4711.server.example.org\n", "4711.server.example.org"),
        ("4711[].pbs\n", "4711[].pbs"),
        ("Submitting job(s).\n1 job(s) submitted to cluster 4711.\n", "4711"),
        ("thank you\n", ""),
    ],
)
def test_number_of_the_job_is_found(printed, number):
    assert submit.job_id(printed) == number


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("bsub -q mx <iota_command>", ["bsub", "-q", "mx", "iota.run", "--resume", "/a b"]),
        ('sbatch --wrap "<iota_command>"', ["sbatch", "--wrap", "iota.run --resume '/a b'"]),
        ("sbatch --wrap=<iota_command>", ["sbatch", "--wrap=iota.run --resume '/a b'"]),
        ("ssh node 'nice <iota_command> &'", ["ssh", "node", "nice iota.run --resume '/a b' &"]),
        ("qsub <iota_script>", ["qsub", "/a b/job.sh"]),
        ("rec $(id) ; `id` <iota_command>", ["rec", "$(id)", ";", "`id`", "iota.run", "--resume", "/a b"]),
    ],
)
def test_placeholder_becomes_words_or_one_argument_and_no_shell_reads_it(template, expected):
    values = SimpleNamespace(submit_command=template)
    assert submit.submit_words(values, ["iota.run", "--resume", "/a b"], Path("/a b")) == expected


@pytest.mark.parametrize(
    ("template", "words"),
    [("sbatch --wrap iota", "has no <iota_command>"), ('sbatch --wrap "<iota_command>', "check its quotes")],
)
def test_submit_command_that_cannot_work_is_refused(template, words, tmp_path):
    with pytest.raises(ParameterError, match=words):
        submit.submit_words(SimpleNamespace(submit_command=template), ["iota.run"], tmp_path)


def test_custom_needs_a_command(tmp_path):
    with pytest.raises(ParameterError, match=r"mp\.submit_command"):
        check_workers(mp("method=custom"), tmp_path)


def test_quotes_of_the_command_line_arrive(tmp_path):
    values = mp("method=custom", 'submit_command=sbatch --wrap "<iota_command>"')
    assert submit.submit_words(values, ["a", "b"], tmp_path) == ["sbatch", "--wrap", "a b"]


def test_run_is_submitted_and_its_job_kept(recorder, run_folder):
    recorded = recorder("bsub", "Job <4711> is submitted to queue <mx>.")
    job = submit.submit(mp("method=custom", "submit_command=bsub -q mx <iota_command>"), run_folder)
    (*options, program, here, resume, folder), where = recorded()
    assert (options, here, resume, folder) == (["-q", "mx"], "--here", "--resume", str(run_folder))
    assert program.endswith("iota.run") or program == "iota.cli.start"
    assert where == str(run_folder / "logs")
    assert (job.id, job.method, job.state) == ("4711", "custom", "queued")
    (run_folder / "logs" / "slurm-4711.out").touch()
    assert submit.submitted_job(run_folder).log == str(run_folder / "logs" / "slurm-4711.out")


def test_script_is_written_for_systems_that_want_one(recorder, run_folder):
    recorded = recorder("qsub", "4711.server")
    assert submit.submit(mp("method=custom", "submit_command=qsub <iota_script>"), run_folder).id == "4711.server"
    [path], _ = recorded()
    assert (run_folder / "job.sh").samefile(path)
    assert f"--resume '{run_folder}'" in (run_folder / "job.sh").read_text()
    assert (run_folder / "job.sh").stat().st_mode & stat.S_IXUSR


def test_what_a_submit_command_says_when_it_fails_is_passed_on(recorder, run_folder):
    recorder("bsub", "mx: No such queue. Job not submitted.", exit_status=255)
    with pytest.raises(UsageError, match="mx: No such queue"):
        submit.submit(mp("method=custom", "submit_command=bsub -q mx <iota_command>"), run_folder)
    with pytest.raises(UsageError, match="there is no program nosuchprogram"):
        submit.submit(mp("method=custom", "submit_command=nosuchprogram <iota_command>"), run_folder)
    assert submit.submitted_job(run_folder) is None


@pytest.mark.parametrize(
    ("assignments", "program", "expected"),
    [
        (["submit_command=bsub <iota_command>"], "bkill", ["4711"]),
        (["submit_command=x <iota_command>", "kill_command=stop -f job=<job_id>"], "stop", ["-f", "job=4711"]),
    ],
)
def test_job_is_cancelled(assignments, program, expected, recorder):
    recorded = recorder(program, "Job is being terminated")
    submit.cancel(mp("method=custom", *assignments), submit.BatchJob(id="4711", method="custom"))
    assert recorded()[0] == expected


def test_cancelling_without_a_known_command_says_what_is_missing():
    values = mp("method=custom", "submit_command=x <iota_command>")
    with pytest.raises(ParameterError, match=r"set mp\.kill_command"):
        submit.cancel(values, submit.BatchJob(id="4711", method="custom"))


@pytest.mark.parametrize("number", ["--user=me", "4711 --all", "$(id)", "-1"])
def test_only_a_number_is_taken_for_that_of_a_job(number, recorder, tmp_path):
    recorder("bkill", "Job is being terminated")
    with pytest.raises(UsageError, match="instead of a job number"):
        submit.cancel(
            mp("method=custom", "submit_command=bsub <iota_command>"), submit.BatchJob(id=number, method="custom")
        )
    assert not (tmp_path / "bkill.json").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_commands_in_the_script_of_somebody_elses_run_are_not_run(tmp_path, recorder, capsys):
    folder = RunFolder.create(tmp_path / "somebody")
    folder.write_info([], {})
    folder.script.write_text(
        "mp.method = custom\nmp.submit_command = bsub <iota_command>\nmp.kill_command = bkill <job_id>\n"
    )
    RunState(status="queued", n_frames=1).write(folder.state)
    (folder.path / "job.json").write_text('{"id": "4711", "method": "custom"}')
    recorder("bkill", "Job is being terminated")
    os.chown(folder.script, 12345, -1)
    assert main(["--stop", str(folder.path)]) == 2
    assert "belongs to another user" in capsys.readouterr().err
    assert not (tmp_path / "bkill.json").exists()
    os.chown(folder.script, os.geteuid(), -1)
    assert main(["--stop", str(folder.path)]) == 0
    assert (tmp_path / "bkill.json").exists()


def test_dry_run_shows_the_command(tmp_path):
    values = mp("method=custom", 'submit_command=sbatch --wrap "<iota_command>"')
    text = job_script_text(values, tmp_path / "integration" / "001")
    assert "sbatch --wrap" in text
    assert "--here --resume" in text
    assert not (tmp_path / "integration").exists()


# -- MPI


def test_mpi_knows_its_place(no_mpi, monkeypatch):
    assert (mpi.n_ranks(), mpi.is_serving_rank()) == (1, False)
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "3")
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "0")
    assert (mpi.n_ranks(), mpi.is_serving_rank()) == (3, False)
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "2")
    assert mpi.is_serving_rank()


def test_mpirun_without_the_method_is_said(no_mpi, monkeypatch, tmp_path):
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "3")
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "0")
    with pytest.raises(UsageError, match=r"add mp\.method=mpi"):
        check_workers(defaults().values.mp, tmp_path)


@pytest.mark.parametrize("error", [ImportError("no module"), RuntimeError("cannot load MPI library\ntried: libmpi.so")])
def test_missing_mpi_is_a_sentence(error, no_mpi, monkeypatch, tmp_path):
    def missing(name, *args, **kwargs):
        if name.startswith("mpi4py"):
            raise error
        return real(name, *args, **kwargs)

    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(BackendError, match=r"pip install --require-hashes .*mpi\.lock"):
        check_workers(mp("method=mpi"), tmp_path)
