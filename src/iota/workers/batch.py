"""Job scripts and resource requests for workers under Slurm, LSF, PBS, Torque, SGE or HTCondor; starts nothing.

Only ``iota.workers.executors`` and ``iota.workers.cluster`` import this module, because Dask is optional.
"""

from __future__ import annotations

import math
import re
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import Any

import dask_jobqueue
import msgspec
from distributed.utils import get_ip_interface

from iota.errors import BackendError, ParameterError
from iota.processes.starting import python

JOBS_BY_DEFAULT = 4
JOB_NAME = "iota"
_KINDS = {"slurm": "SLURM", "lsf": "LSF", "torq": "PBS", "pbs": "PBS", "sge": "SGE", "htcondor": "HTCondor"}
_GB_A_CORE = 4.0
# what is written into a job script without quotes; after % batch systems read what they fill in
_PLAIN_PATH = re.compile(r"[\w@+=:,./~-]+")


class BatchOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of the batch system.  Get it from :meth:`of`."""

    system: str  # as in mp.method
    n_jobs: int  # at most
    cores: int  # a job
    memory_GB: float  # a job
    walltime_s: int | None
    queue: str | None
    directives: tuple[str, ...]
    interface: str | None
    log_folder: str

    @classmethod
    def of(cls, mp: Any, run_folder: Path) -> BatchOptions:
        """Options from the ``mp`` scope of the parameters.

        Raises:
            ParameterError: a value cannot be written into a job script.
        """
        n_processes = mp.n_processors or JOBS_BY_DEFAULT * mp.cores
        log_folder = run_folder / "logs" / "jobs"
        if not _PLAIN_PATH.fullmatch(str(log_folder)):
            raise ParameterError(
                f"Job scripts cannot contain the path {run_folder}: choose an output folder whose path has only"
                " letters, digits and @+=:,.-_."
            )
        directives = tuple(_one_line(text, "mp.extra_directives") for text in mp.extra_directives if text)
        if mp.method == "sge" and mp.cores > 1 and not any(re.search(r"-pe\b", text) for text in directives):
            raise ParameterError(
                "SGE needs a parallel environment if mp.cores is greater than 1: add"
                f" mp.extra_directives='-pe smp {mp.cores}', with the name of yours (qconf -spl lists them)."
            )
        return cls(
            system=mp.method,
            n_jobs=math.ceil(n_processes / mp.cores),
            cores=min(mp.cores, n_processes),
            memory_GB=mp.memory or _GB_A_CORE * mp.cores,
            walltime_s=_seconds(mp.walltime) if mp.walltime else None,
            queue=_one_line(mp.queue, "mp.queue") if mp.queue else None,
            directives=directives,
            interface=_one_line(mp.interface, "mp.interface") if mp.interface else None,
            log_folder=str(log_folder),
        )


def check(options: BatchOptions) -> None:
    """Check whether jobs can be submitted here.

    Raises:
        BackendError: the batch system is not there.
        ParameterError: a value cannot be written into a job script, or there is no such network interface.
    """
    script(options)
    if options.interface:
        try:
            get_ip_interface(options.interface)
        except ValueError as error:
            raise ParameterError(f"mp.interface: {error}.") from error
    program = shlex.split(cluster_class(options).job_cls.submit_command)[0]
    if shutil.which(program) is None:
        raise BackendError(
            f"mp.method={options.system} needs the command {program}, which is not available here: start iota.run on a"
            " machine that can submit jobs, or choose another mp.method."
        )


def script(options: BatchOptions) -> str:
    """The job script that would be submitted; nothing is written or started."""
    with tempfile.TemporaryDirectory() as scratch:  # Dask makes the folder of the logs, which here must not be
        keywords = job_keywords(msgspec.structs.replace(options, log_folder=scratch))
        job = cluster_class(options).job_cls("<address of iota.run>", name="<name>", **keywords)
        return str(job.job_script()).replace(scratch, options.log_folder)


def job_keywords(options: BatchOptions) -> dict[str, Any]:
    """Arguments for dask-jobqueue."""
    keywords: dict[str, Any] = {
        "cores": options.cores,
        "processes": 1,
        "nanny": False,
        "memory": f"{options.memory_GB} GiB",  # what batch systems mean by G
        "job_name": JOB_NAME,
        "log_directory": options.log_folder,
        "python": shlex.join(python()),
        "interface": options.interface,
        "queue": options.queue,
        "job_extra_directives": list(options.directives),
    }
    if options.walltime_s is not None:
        hours, minutes, seconds = options.walltime_s // 3600, options.walltime_s // 60 % 60, options.walltime_s % 60
        keywords["walltime"] = f"{hours:02d}:{minutes:02d}" + ("" if options.system == "lsf" else f":{seconds:02d}")
        # a worker takes its leave before the batch system ends it: its frames go on elsewhere
        leave_s = options.walltime_s - max(30, min(600, options.walltime_s // 10))
        keywords["worker_extra_args"] = ["--lifetime", f"{leave_s}s"]
    if options.system == "torq":
        keywords["resource_spec"] = f"nodes=1:ppn={options.cores},mem={math.ceil(options.memory_GB * 1000)}mb"
    if options.system == "htcondor":
        _for_condor(keywords, options)
    return keywords


def _for_condor(keywords: dict[str, Any], options: BatchOptions) -> None:
    if options.queue:
        raise ParameterError("HTCondor has no queues: omit mp.queue, and use mp.extra_directives instead.")
    if any("=" not in text for text in options.directives):
        raise ParameterError(
            "For HTCondor, each of mp.extra_directives must have the form name = value, as in a submit file."
        )
    pairs = (text.split("=", 1) for text in options.directives)
    keywords["job_extra_directives"] = {name.strip(): value.strip() for name, value in pairs}
    keywords["disk"] = "1 GB"
    keywords.pop("queue")
    keywords.pop("walltime", None)


def cluster_class(options: BatchOptions) -> Any:
    """Dask's class for the batch system."""
    return getattr(dask_jobqueue, f"{_KINDS[options.system]}Cluster")


def log_name(system: str, worker: str, job_id: str) -> str:
    """The file name of the log of a job, as known to the batch system."""
    number = job_id.split(".")[0]
    return {
        "slurm": f"{JOB_NAME}-{number}.err",
        "lsf": f"{worker}-{number}.err",
        "sge": f"{JOB_NAME}.o{number}",
        "htcondor": f"worker-{job_id}.err",
    }.get(system, f"{JOB_NAME}.e{number}")


def _one_line(text: str, name: str) -> str:
    if not str(text).isprintable():
        raise ParameterError(f"{name} contains a line break or another character that is not allowed in job scripts.")
    return str(text)


def _seconds(walltime: str) -> int:
    """Seconds of HH:MM or HH:MM:SS."""
    found = re.fullmatch(r"(\d+):([0-5]\d)(?::([0-5]\d))?", str(walltime).strip())
    seconds = int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3] or 0) if found else 0
    if seconds < 120:
        raise ParameterError(f"mp.walltime cannot be {walltime}: give hours and minutes, e.g. 04:00.")
    return seconds
