"""Workers in jobs of a batch system, which Dask submits, as many as there is work for.

A job holds one Dask worker, and that a pool of processes like the one on this machine: a frame that crashes or hangs
costs that frame only.  A job that is lost costs no frame: those in flight are tried once again elsewhere.
Only ``iota.workers.executors`` imports this module, because Dask is optional.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib.util
import logging
import math
import os
import re
import shlex
import shutil
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import dask
import dask_jobqueue
import distributed
import msgspec
from distributed.deploy.adaptive import Adaptive
from distributed.deploy.spec import ProcessInterface
from distributed.diagnostics.plugin import WorkerPlugin
from distributed.utils import get_ip, get_ip_interface

from iota.engine.worker import EngineConfig
from iota.errors import BackendError, ParameterError
from iota.records import Report, Task
from iota.runs.state import BatchJob
from iota.workers.local import LocalPool

logger = logging.getLogger(__name__)

JOBS_BY_DEFAULT = 4
_KINDS = {"slurm": "SLURM", "lsf": "LSF", "torq": "PBS", "pbs": "PBS", "sge": "SGE", "htcondor": "HTCondor"}
_JOB_NAME = "iota"
_PLUGIN = "iota-frames"
_GB_A_CORE = 4.0
_SCALE_EVERY_S = 1.0
_IDLE_S = 60.0  # a job for which there is no work is given back after this
_AGAIN_S = 20.0  # after a job was refused, as when a queue is full
_LEAVE_S = 5.0  # for a worker to take its leave when its job ends
_LOST_AFTER_S = 1.0  # a worker whose connection is gone does not come back under its name
# what is written into a job script without quotes
_PLAIN_PATH = re.compile(r"[\w@%+=:,./~-]+")


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
                f"Job scripts cannot hold the path {run_folder}: choose an output folder without blanks and quotes."
            )
        directives = tuple(_one_line(text, "mp.extra_directives") for text in mp.extra_directives if text)
        if mp.method == "sge" and mp.cores > 1 and not any(re.search(r"-pe\b", text) for text in directives):
            raise ParameterError(
                "SGE wants to know the parallel environment for mp.cores above 1: add, with the name of yours,"
                f" mp.extra_directives='-pe smp {mp.cores}' (qconf -spl lists them)."
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
    """Find out whether jobs can be submitted here.

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
    program = shlex.split(_cluster_class(options).job_cls.submit_command)[0]
    if shutil.which(program) is None:
        raise BackendError(
            f"mp.method={options.system} needs the command {program}, which is not here: start iota.run on a machine"
            " that can submit jobs, or choose another mp.method."
        )


def script(options: BatchOptions) -> str:
    """The job script that would be submitted; nothing is written or started."""
    with tempfile.TemporaryDirectory() as scratch:  # Dask makes the folder of the logs, which here must not be
        keywords = _keywords(msgspec.structs.replace(options, log_folder=scratch))
        job = _cluster_class(options).job_cls("<address of iota.run>", name="<name>", **keywords)
        return str(job.job_script()).replace(scratch, options.log_folder)


class ClusterWorkers:
    """Processes in jobs of a batch system."""

    def __init__(self, options: BatchOptions, config: EngineConfig, time_limit_s: float) -> None:
        """Open a scheduler for jobs to connect to; jobs are submitted when there is work.

        Raises:
            BackendError: the batch system is not there.
            ParameterError: there is no such network interface.
        """
        self._options = options
        self.n_processes = options.n_jobs * options.cores
        self._jobs: list[tuple[str, BatchJob]] = []  # with the names of their workers, of which a new job can take over
        self._refused: BackendError | None = None
        self._waiting: deque[tuple[Task, concurrent.futures.Future[Any]]] = deque()
        self._in_work: dict[concurrent.futures.Future[Any], Any] = {}  # ours -> Dask's
        self._lock = threading.Lock()
        self._stopped = False
        self._cluster = _open_cluster(options, self._accepted, self._was_refused)
        self._client = distributed.Client(self._cluster)
        self._client.register_plugin(_FramePool(config, options.cores, time_limit_s), name=_PLUGIN)
        self._cluster.adapt(
            Adaptive=_AdaptToWork,
            n_jobs_wanted=self._feed,
            interval=f"{_SCALE_EVERY_S} s",
            wait_count=round(_IDLE_S / _SCALE_EVERY_S),
            minimum=0,
            maximum=options.n_jobs,
        )

    def submit(self, task: Task) -> concurrent.futures.Future[Any]:
        """Queue a task; the future gives the worker's report."""
        ours: concurrent.futures.Future[Any] = concurrent.futures.Future()
        ours.set_running_or_notify_cancel()
        if self._refused is not None:
            ours.set_exception(self._refused)
            return ours
        with self._lock:
            self._waiting.append((task, ours))
        self._feed()
        return ours

    def jobs(self) -> list[BatchJob]:
        """All jobs of this run so far, the oldest first."""
        connected = {worker["name"] for worker in self._cluster.scheduler_info["workers"].values()}
        current = {name: job for name, job in self._jobs}  # the newest of each name
        for name, job in self._jobs:
            if job.state == "ended":
                continue
            is_there = current[name] is job and not self._stopped
            if is_there and name in connected:
                job.state = "running"
            elif not is_there or job.state == "running" or name not in self._cluster.workers:
                job.state = "ended"
                if not self._stopped:
                    logger.info("Job %s has ended; what it had not finished goes on elsewhere.", job.id)
        return [job for _, job in self._jobs]

    def stop(self) -> None:
        """End all jobs, also those that wait in the queue; what they were doing is dropped."""
        left = ", ".join(job.id for job in self.jobs() if job.state != "ended")
        self._stopped = True
        with self._lock:
            self._waiting.clear()
            self._in_work.clear()
        try:
            self._client.close(timeout=10)
            self._cluster.close(timeout=60)
        except (OSError, RuntimeError, TimeoutError, AssertionError) as error:
            logger.warning("Jobs of this run may be left in the queue (%r): %s", error, left or "none")

    def _feed(self) -> int:
        """Give Dask as many tasks as there are processes now, and return for how many jobs there is work.

        A job that is lost counts against every task that Dask has sent to it, begun or not: so it gets none to keep.
        """
        n_processes = len(self._cluster.scheduler.running) * self._options.cores
        with self._lock:
            while self._waiting and len(self._in_work) < n_processes:
                task, ours = self._waiting.popleft()
                inner = self._in_work[ours] = self._client.submit(_run_in_pool, task, pure=False)
                inner.add_done_callback(lambda _, ours=ours: self._done(ours))
            return math.ceil((len(self._waiting) + len(self._in_work)) / self._options.cores)

    def _done(self, ours: concurrent.futures.Future[Any]) -> None:
        """Pass the end of a task on; called in a thread of Dask's."""
        with self._lock:
            inner = self._in_work.pop(ours, None)
        if inner is None or ours.done():
            return
        error = inner.exception()
        if isinstance(error, distributed.KilledWorker):
            error = RuntimeError("the job it ran in was lost, and so was the one in which it was tried again")
        if error is None:
            ours.set_result(inner.result())
        else:
            ours.set_exception(error)
        self._feed()

    def _accepted(self, name: str, job_id: str) -> None:
        logger.info("Job %s was submitted to %s.", job_id, self._options.system)
        log = Path(self._options.log_folder, _log_name(self._options.system, name, job_id))
        self._jobs.append((name, BatchJob(id=job_id, method=self._options.system, log=str(log))))

    def _was_refused(self, why: str) -> bool:
        """Stop the run when the batch system took none of its jobs; returns whether to try again."""
        if self._jobs or self._stopped:
            logger.warning("A job was refused by %s: %s", self._options.system, why)
            return not self._stopped
        self._refused = BackendError(f"{self._options.system} refused the job: {why} iota.run --dry-run shows the job.")
        with self._lock:
            unfinished = [*self._in_work, *(future for _, future in self._waiting)]
            self._waiting.clear()
            self._in_work.clear()
        for future in unfinished:
            future.set_exception(self._refused)
        return False


class _AdaptToWork(Adaptive):  # type: ignore[misc]
    """As many jobs as there are tasks for; Dask's own rule needs to know how long tasks take."""

    def __init__(self, cluster: Any, n_jobs_wanted: Callable[[], int], **keywords: Any) -> None:
        self._n_jobs_wanted = n_jobs_wanted
        super().__init__(cluster, **keywords)

    async def target(self) -> int:
        return await asyncio.to_thread(self._n_jobs_wanted)


class _FramePool(WorkerPlugin):  # type: ignore[misc]
    """Opens the pool of processes in a job, and closes it when the job ends."""

    def __init__(self, config: EngineConfig, n_processes: int, time_limit_s: float) -> None:
        self.config = config
        self.n_processes = n_processes
        self.time_limit_s = time_limit_s

    def setup(self, worker: Any) -> None:
        self.pool = LocalPool(self.n_processes, self.config, self.time_limit_s)
        self.is_closing = False

    def teardown(self, worker: Any) -> None:
        self.is_closing = True
        self.pool.stop()
        # a Dask worker that closes while it is cancelled may wait for ever (distributed 2026.8), and the job with it
        last_resort = threading.Timer(_LEAVE_S, os._exit, [0])
        last_resort.daemon = True
        last_resort.start()


def _run_in_pool(task: Task) -> Report:
    """Run a task in the job that this is called in."""
    frame_pool = distributed.get_worker().plugins[_PLUGIN]
    try:
        return cast("Report", frame_pool.pool.submit(task).result())
    except BaseException:
        if frame_pool.is_closing:  # the job ends before the frame did, which is not the frame's fault
            raise distributed.Reschedule from None
        raise


def _open_cluster(options: BatchOptions, accepted: Callable[[str, str], None], refused: Callable[[str], bool]) -> Any:
    check(options)
    cluster_class = _cluster_class(options)

    class ReportingJob(cluster_class.job_cls):  # type: ignore[misc, name-defined]
        async def start(self) -> None:
            while True:
                try:
                    await super().start()
                    accepted(str(self.name), str(self.job_id))
                    return
                except (OSError, RuntimeError, ValueError) as error:
                    if not refused(_own_words(error)):
                        await ProcessInterface.start(self)  # there is no job, and will be none
                        return
                await asyncio.sleep(_AGAIN_S)

    dask.config.set(
        {"distributed.scheduler.allowed-failures": 1, "distributed.deploy.lost-worker-timeout": f"{_LOST_AFTER_S} s"}
    )
    where = {"interface": options.interface} if options.interface else {"host": get_ip()}
    keywords = _keywords(options)
    Path(options.log_folder).mkdir(parents=True, exist_ok=True)
    return cluster_class(
        job_cls=ReportingJob,
        scheduler_options={"dashboard_address": None, **where},
        security=_security(),
        shared_temp_directory=options.log_folder,
        **keywords,
    )


def _keywords(options: BatchOptions) -> dict[str, Any]:
    """What dask-jobqueue wants to know."""
    keywords: dict[str, Any] = {
        "cores": options.cores,
        "processes": 1,
        "nanny": False,
        "memory": f"{options.memory_GB} GiB",  # what batch systems mean by G
        "job_name": _JOB_NAME,
        "log_directory": options.log_folder,
        "python": shlex.quote(sys.executable),
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
        raise ParameterError("HTCondor has no queues: leave mp.queue out, and use mp.extra_directives instead.")
    if any("=" not in text for text in options.directives):
        raise ParameterError("For HTCondor each of mp.extra_directives is name = value, as in a submit file.")
    pairs = (text.split("=", 1) for text in options.directives)
    keywords["job_extra_directives"] = {name.strip(): value.strip() for name, value in pairs}
    keywords["disk"] = "1 GB"
    keywords.pop("queue")
    keywords.pop("walltime", None)


def _cluster_class(options: BatchOptions) -> Any:
    return getattr(dask_jobqueue, f"{_KINDS[options.system]}Cluster")


def _security() -> Any:
    """Keys for this run, so that nobody else on the network can connect; None where they cannot be made."""
    if importlib.util.find_spec("cryptography") is None:
        logger.warning("Workers connect without encryption: install the package cryptography.")
        return None
    return distributed.Security.temporary()


def _log_name(system: str, worker: str, job_id: str) -> str:
    """What the batch system calls the log of a job."""
    number = job_id.split(".")[0]
    return {
        "slurm": f"{_JOB_NAME}-{number}.err",
        "lsf": f"{worker}-{number}.err",
        "sge": f"{_JOB_NAME}.o{number}",
        "htcondor": f"worker-{job_id}.err",
    }.get(system, f"{_JOB_NAME}.e{number}")


def _own_words(error: Exception) -> str:
    """What a submit command said, without what Dask says about it."""
    found = re.search(r"stderr:\n(.+)", str(error), re.DOTALL)
    return " ".join((found[1] if found else str(error)).split()).rstrip(".") + "."


def _one_line(text: str, name: str) -> str:
    if not str(text).isprintable():
        raise ParameterError(f"{name} holds a line break or another character that no job script can have.")
    return str(text)


def _seconds(walltime: str) -> int:
    """Seconds of HH:MM or HH:MM:SS."""
    found = re.fullmatch(r"(\d+):([0-5]\d)(?::([0-5]\d))?", str(walltime).strip())
    seconds = int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3] or 0) if found else 0
    if seconds < 120:
        raise ParameterError(f"mp.walltime cannot be {walltime}: write hours and minutes, such as 04:00.")
    return seconds
