"""Asks a batch system which of our jobs are queued or running."""

from __future__ import annotations

import os
import pwd
import re

from iota.errors import BackendError
from iota.processes.program import output_of

_TIME_LIMIT_S = 60.0
_COMMANDS = {  # each lists the jobs of one user, their numbers first
    "slurm": ("squeue", "--noheader", "--format=%i", "--user={user}"),
    "lsf": ("bjobs", "-w"),
    "pbs": ("qstat", "-u", "{user}"),
    "torq": ("qstat", "-u", "{user}"),
    "sge": ("qstat", "-u", "{user}"),
    "htcondor": ("condor_q", "-autoformat", "ClusterId"),
}
_STATE_OF_PBS = 9  # column of qstat -u; Torque keeps completed jobs for a while, PBS finished ones
_NO_JOB = "No unfinished job found"  # bjobs calls this a failure in some releases


def numbers_in_queue(system: str) -> set[str]:
    """Numbers of this user's queued and running jobs, without suffixes (``12`` of ``12.server``).

    Args:
        system: as in ``mp.method``.

    Raises:
        BackendError: the batch system does not answer, so that nothing is known of any job.
    """
    words = [word.format(user=_user()) for word in _COMMANDS[system]]
    try:
        done = output_of(words, _TIME_LIMIT_S)
    except OSError as error:
        raise BackendError(f"{words[0]} cannot be queried for jobs: {error}") from error
    if done.returncode != 0 and _NO_JOB not in done.stderr:
        own_words = " ".join((done.stderr or done.stdout).split())
        raise BackendError(f"{words[0]} did not list the jobs: {own_words}")
    return {found[0] for line in done.stdout.splitlines() if (found := _number(line, system))}


def _number(line: str, system: str) -> re.Match[str] | None:
    """The number of the job in a line; None for headings and finished jobs."""
    columns = line.split()
    if system in ("pbs", "torq") and columns[_STATE_OF_PBS : _STATE_OF_PBS + 1] in (["C"], ["F"]):
        return None
    return re.match(r"\d+", columns[0]) if columns else None


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # known by number only, as in some containers
        return str(os.getuid())
