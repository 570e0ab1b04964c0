"""Submits a whole run as one job, with ``mp.submit_command`` for systems that are not built in.

These commands are never passed to a shell by IOTA: they are split into words, which are the arguments of a process.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Any

import msgspec

from iota.atomic_files import atomic_file, write_atomically
from iota.errors import ParameterError, RunFolderError, UsageError
from iota.processes.program import output_of
from iota.processes.starting import own_command
from iota.runs.state import BatchJob

_COMMAND, _SCRIPT, _JOB_ID = "<iota_command>", "<iota_script>", "<job_id>"
_TIME_LIMIT_S = 120.0
_JOB_NUMBER = r"\d+(?:\[\])?(?:\.[\w.-]+)?"
# In this order: LSF; HTCondor, which says first how many jobs; Slurm, SGE; PBS and Torque, whose number has a server
_JOB_IDS = (r"<(\d+)>", r"cluster (\d+)", r"\bjob (\d+)", rf"(?m)^\s*({_JOB_NUMBER})\s*$", r"\b(\d+)\b")
_KILLERS = {
    "sbatch": "scancel",
    "qsub": "qdel",
    "bsub": "bkill",
    "condor_submit": "condor_rm",
    "condor_run": "condor_rm",
}


def is_asked_for(mp: Any) -> bool:
    """Whether the whole run is to be submitted as a job.

    Raises:
        ParameterError: a submit command is asked for and missing.
    """
    if mp.method == "custom" and not mp.submit_command:
        raise ParameterError(
            "mp.method=custom needs mp.submit_command, such as: mp.submit_command='bsub <iota_command>'"
        )
    return bool(mp.submit_command)


def iota_command(run_folder: Path) -> list[str]:
    """Words of the command that processes a prepared run folder, wherever it is started."""
    return [*own_command("iota.run"), "--here", "--resume", str(run_folder)]


def submit_words(mp: Any, command: list[str], run_folder: Path) -> list[str]:
    """Arguments of the process that submits a command.

    A bare ``<iota_command>`` is replaced by the words of the command; within quotes, or as a part of a word, by one
    text that a shell can read. ``<iota_script>`` is the path of a script that runs it, by the same rule.

    Raises:
        ParameterError: the submit command has no placeholder or cannot be read.
    """
    template = str(mp.submit_command)
    if _COMMAND not in template and _SCRIPT not in template:
        raise ParameterError(f"mp.submit_command has no {_COMMAND} (or {_SCRIPT}): put it in place of the command.")
    bare = "\0" + _COMMAND
    words: list[str] = []
    for word in _split(re.sub(rf"(?<!\S){_COMMAND}(?!\S)", lambda _: bare, template), "mp.submit_command"):
        if word == bare:
            words += command
        else:
            text = word.replace(bare, _COMMAND).replace(_COMMAND, shlex.join(command))
            script = str(script_path(run_folder))
            words.append(script if text == _SCRIPT else text.replace(_SCRIPT, shlex.quote(script)))
    return words


def check_own(script: Path) -> None:
    """Check that the script of a run folder belongs to this user, since a command in it is about to be run.

    Raises:
        UsageError: it is somebody else's.
    """
    if script.stat().st_uid != os.geteuid():
        raise UsageError(
            f"{script} belongs to another user, and the commands that it names (mp.submit_command, mp.kill_command) are"
            " run for that user only."
        )


def submit(mp: Any, run_folder: Path) -> BatchJob:
    """Submit the processing of a prepared run folder; the job is kept in ``job.json`` of the folder.

    Raises:
        ParameterError: the submit command cannot be understood.
        UsageError: it fails; the text has its own words.
        RunFolderError: the folder cannot be written.
    """
    words = submit_words(mp, iota_command(run_folder), run_folder)
    logs = run_folder / "logs"
    try:
        logs.mkdir(exist_ok=True)
        if _SCRIPT in mp.submit_command:
            with atomic_file(script_path(run_folder)) as part:
                part.write_text(script_text(run_folder), encoding="utf-8", errors="surrogateescape")
                part.chmod(0o755)
        said = _call(words, "mp.submit_command", logs)
        job = BatchJob(id=job_id(said), method=mp.method, log=str(logs))
        write_atomically(_job_path(run_folder), msgspec.json.format(msgspec.json.encode(job), indent=1).decode() + "\n")
    except OSError as error:
        raise RunFolderError(f"{error.filename or run_folder} cannot be written: {error.strerror}.") from error
    return job


def submitted_job(run_folder: Path) -> BatchJob | None:
    """The job as which a run folder was submitted, None if it was not."""
    try:
        job = msgspec.json.decode(_job_path(run_folder).read_bytes(), type=BatchJob)
    except (OSError, msgspec.DecodeError):
        return None
    logs = sorted(Path(job.log).glob(f"*{job.id.split('.')[0]}*")) if job.log else []
    return msgspec.structs.replace(job, log=str(logs[-1])) if logs else job


def cancel(mp: Any, job: BatchJob) -> None:
    """End a job with ``mp.kill_command``, or with the counterpart of a known submit command.

    Raises:
        UsageError: it fails, or how to end the job is not known.
    """
    if not job.id:
        raise UsageError("The submit command printed no job number, so the job must be ended by hand.")
    if not re.fullmatch(_JOB_NUMBER, job.id):  # an option of the command, for example: job.json may be anybody's
        raise UsageError(f"job.json of the run contains {job.id!r} instead of a job number: end the job by hand.")
    words = [word.replace(_JOB_ID, job.id) for word in _split(_killer(mp), "mp.kill_command")]
    _call(words, "mp.kill_command", None)


def job_id(text: str) -> str:
    """The job number in the output of a submit command; empty if there is none."""
    for pattern in _JOB_IDS:
        found = re.search(pattern, text, re.IGNORECASE)
        if found:
            return found[1]
    return ""


def script_path(run_folder: Path) -> Path:
    """Path of the script for ``<iota_script>``."""
    return run_folder / "job.sh"


def script_text(run_folder: Path) -> str:
    """A job script that processes the run folder."""
    return f"#!/bin/sh\nexec {shlex.join(iota_command(run_folder))}\n"


def _job_path(run_folder: Path) -> Path:
    return run_folder / "job.json"


def _killer(mp: Any) -> str:
    if mp.kill_command:
        if _JOB_ID not in mp.kill_command:
            raise ParameterError(f"mp.kill_command has no {_JOB_ID}: put it in place of the job number.")
        return str(mp.kill_command)
    program = Path(_split(str(mp.submit_command or "?"), "mp.submit_command")[0]).name
    if program not in _KILLERS:
        raise ParameterError(
            f"The command that ends a job of {program} is not known: set mp.kill_command, with {_JOB_ID}."
        )
    return f"{_KILLERS[program]} {_JOB_ID}"


def _split(text: str, name: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ParameterError(f"{name} cannot be read ({error}): check its quotes: {text}") from error
    if not words:
        raise ParameterError(f"{name} is empty.")
    return words


def _call(words: list[str], name: str, folder: Path | None) -> str:
    """Run a command; returns what it printed."""
    # the command may be a program in Python, which imports what lies beside it
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONHOME", "PYTHONSAFEPATH")}
    try:
        done = output_of(words, _TIME_LIMIT_S, folder=folder, environment=environment)
    except FileNotFoundError as error:
        raise UsageError(f"{name} cannot be started: there is no program {words[0]}.") from error
    except OSError as error:
        raise UsageError(f"{name} failed ({error}). Try it by hand: {shlex.join(words)}") from error
    if done.returncode != 0:
        own_words = " ".join((done.stderr or done.stdout).split()) or f"exit status {done.returncode}"
        raise UsageError(f"{name} failed: {own_words}. Try it by hand: {shlex.join(words)}")
    return done.stdout + done.stderr
