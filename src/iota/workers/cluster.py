"""Workers in jobs of a batch system (Slurm and others), started through Dask, as many as there is work for.

A job contains one Dask worker with a pool of processes like that of a local run: a frame that crashes or hangs
costs only that frame.  A lost job costs no frame: the frames in progress are tried once more.
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
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import dask
import distributed
from distributed.deploy.adaptive import Adaptive
from distributed.deploy.spec import ProcessInterface
from distributed.diagnostics.plugin import WorkerPlugin
from distributed.utils import get_ip

from iota.engine.frame.config import EngineConfig
from iota.errors import BackendError
from iota.records import Report, Task
from iota.runs.state import BatchJob
from iota.workers.batch import BatchOptions, check, cluster_class, job_keywords, log_name
from iota.workers.local import LocalPool
from iota.workers.queue import numbers_in_queue
from iota.workers.second_try import JobLostError

logger = logging.getLogger(__name__)

_PLUGIN = "iota-frames"
_SCALE_EVERY_S = 1.0
_IDLE_S = 60.0  # a job for which there is no work is given back after this
_AGAIN_S = 20.0  # after a job was refused, as when a queue is full
_LEAVE_S = 5.0  # for a worker to take its leave when its job ends
_LOST_AFTER_S = 1.0  # a worker whose connection is gone does not come back under its name
_ASK_EVERY_S = 15.0  # the batch system, and only while jobs wait in its queue
_TRIES = 3  # jobs that end before they began are submitted again, but not for ever


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
        self._waiting: deque[tuple[Sequence[Task], concurrent.futures.Future[Any]]] = deque()
        self._in_work: dict[concurrent.futures.Future[Any], Any] = {}  # ours -> Dask's
        self._lock = threading.Lock()
        self._stopped = False
        self._over = threading.Event()
        self._n_vanished = 0  # times in a row that jobs were gone before they began
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
        threading.Thread(target=self._look_after_queue, name="queue", daemon=True).start()

    def submit(self, tasks: Sequence[Task]) -> concurrent.futures.Future[list[Report]]:
        """Queue tasks for one process; the future returns reports of the first of them, at least of one."""
        ours: concurrent.futures.Future[list[Report]] = concurrent.futures.Future()
        ours.set_running_or_notify_cancel()
        if self._refused is not None:
            ours.set_exception(self._refused)
            return ours
        with self._lock:
            self._waiting.append((tasks, ours))
        self._feed()
        return ours

    def jobs(self) -> list[BatchJob]:
        """All jobs of this run so far, the oldest first."""
        connected = self._connected()
        current = {name: job for name, job in self._jobs}  # the newest of each name
        for name, job in self._jobs:
            if job.state == "ended":
                continue
            is_there = current[name] is job and not self._stopped
            if is_there and name in connected:
                if job.state == "queued":
                    self._n_vanished = 0
                job.state = "running"
            elif not is_there or job.state == "running" or name not in self._cluster.worker_spec:
                job.state = "ended"
                if not self._stopped:
                    logger.info("Job %s has ended; its unfinished images are processed elsewhere.", job.id)
        return [job for _, job in self._jobs]

    def stop(self) -> None:
        """End all jobs, including queued ones; tasks in progress are discarded."""
        left = ", ".join(job.id for job in self.jobs() if job.state != "ended")
        self._stopped = True
        self._over.set()
        with self._lock:
            self._waiting.clear()
            self._in_work.clear()
        try:
            self._client.close(timeout=10)
            self._cluster.close(timeout=60)
        except (OSError, RuntimeError, TimeoutError, AssertionError) as error:
            logger.warning("Jobs of this run may be left in the queue (%r): %s", error, left or "none")

    def _feed(self) -> int:
        """Give Dask as many bundles as there are processes, and return the number of jobs for which there is work.

        A job that is lost counts against every bundle that Dask has sent to it, begun or not: so it gets none to keep.
        """
        n_processes = len(self._cluster.scheduler.running) * self._options.cores
        with self._lock:
            while self._waiting and len(self._in_work) < n_processes:
                tasks, ours = self._waiting.popleft()
                inner = self._in_work[ours] = self._client.submit(_run_in_pool, tasks, pure=False)
                inner.add_done_callback(lambda _, ours=ours: self._done(ours))
            return math.ceil((len(self._waiting) + len(self._in_work)) / self._options.cores)

    def _done(self, ours: concurrent.futures.Future[Any]) -> None:
        """Pass on the result of a bundle; called in a thread of Dask."""
        with self._lock:
            inner = self._in_work.pop(ours, None)
        if inner is None or ours.done():
            return
        error = inner.exception()
        if isinstance(error, distributed.KilledWorker):
            error = JobLostError("the job it ran in was lost")
        if error is None:
            ours.set_result(inner.result())
        else:
            ours.set_exception(error)
        self._feed()

    def _accepted(self, name: str, job_id: str) -> None:
        logger.info("Job %s was submitted to %s.", job_id, self._options.system)
        log = Path(self._options.log_folder, log_name(self._options.system, name, job_id))
        self._jobs.append((name, BatchJob(id=job_id, method=self._options.system, log=str(log))))

    def _was_refused(self, why: str) -> bool:
        """Stop the run if the batch system accepted none of its jobs; returns whether to try again."""
        if self._jobs or self._stopped:
            logger.warning("A job was rejected by %s: %s", self._options.system, why)
            return not self._stopped
        self._give_up(BackendError(f"{self._options.system} rejected the job: {why} iota.run --dry-run shows the job."))
        return False

    def _connected(self) -> set[Any]:
        """Names of the workers that respond."""
        return {worker["name"] for worker in self._cluster.scheduler_info["workers"].values()}

    def _look_after_queue(self) -> None:
        """Submit jobs again that were removed from the queue, or ended, before they started; in a separate thread."""
        answers = True
        while not self._over.wait(_ASK_EVERY_S):
            waiting = [(name, job) for name, job in self._jobs if job.state == "queued"]
            if not waiting:
                continue
            try:
                there = numbers_in_queue(self._options.system)
            except BackendError as error:
                if answers:
                    logger.warning("Whether jobs are still in the queue is not known: %s", error)
                answers = False
                continue
            answers = True
            connected = self._connected()  # asked for last: what has begun since is no loss
            gone = [(name, job) for name, job in waiting if name not in connected and _number(job) not in there]
            if gone and not self._over.is_set():
                self._vanished(gone)

    def _vanished(self, gone: list[tuple[str, BatchJob]]) -> None:
        """Submit jobs again that vanished before they started, or end the run if this does not help."""
        self._n_vanished += 1
        ids = ", ".join(job.id for _, job in gone)
        if self._n_vanished < _TRIES:
            logger.warning("Removed from the queue before it started, and submitted again: job %s.", ids)
            self._cluster.loop.add_callback(self._forget, [name for name, _ in gone])
        elif self._connected():
            logger.warning(
                "Job %s was removed from the queue before it started. The run continues with the others.", ids
            )
        else:
            last = gone[-1][1]
            self._give_up(
                BackendError(
                    f"Jobs disappeared from the queue of {last.method} {_TRIES} times before they started, most"
                    f" recently job {last.id}: they are being removed, or cannot start; {last.log} may contain the"
                    " reason. Once this is fixed, continue with iota.run --resume."
                )
            )
        for _, job in gone:
            job.state = "ended"

    async def _forget(self, names: list[str]) -> None:
        """Forget the job of a name, so that one is submitted if there is work for it; in Dask's loop."""
        for name in names:
            job = self._cluster.workers.pop(name, None)
            if job is not None:
                await job.close()

    def _give_up(self, error: BackendError) -> None:
        """End the run: none of the remaining tasks is executed."""
        self._refused = error
        with self._lock:
            unfinished = [*self._in_work, *(future for _, future in self._waiting)]
            self._waiting.clear()
            self._in_work.clear()
        for future in unfinished:
            future.set_exception(error)


class _AdaptToWork(Adaptive):  # type: ignore[misc]
    """As many jobs as there are tasks for; Dask's own rule requires the duration of tasks."""

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


def _run_in_pool(tasks: Sequence[Task]) -> list[Report]:
    """Run a bundle of tasks in the current job."""
    frame_pool = distributed.get_worker().plugins[_PLUGIN]
    try:
        return cast("list[Report]", frame_pool.pool.submit(tasks).result())
    except BaseException:
        if frame_pool.is_closing:  # the job ends before the frame did, which is not the frame's fault
            raise distributed.Reschedule from None
        raise


def _open_cluster(options: BatchOptions, accepted: Callable[[str, str], None], refused: Callable[[str], bool]) -> Any:
    check(options)
    of_system = cluster_class(options)

    class ReportingJob(of_system.job_cls):  # type: ignore[misc, name-defined]
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
        {"distributed.scheduler.allowed-failures": 0, "distributed.deploy.lost-worker-timeout": f"{_LOST_AFTER_S} s"}
    )
    where = {"interface": options.interface} if options.interface else {"host": get_ip()}
    keywords = job_keywords(options)
    Path(options.log_folder).mkdir(parents=True, exist_ok=True)
    return of_system(
        job_cls=ReportingJob,
        scheduler_options={"dashboard_address": None, **where},
        security=_security(),
        shared_temp_directory=options.log_folder,
        **keywords,
    )


def _security() -> Any:
    """Keys for this run, so that nobody else on the network can connect; None if they cannot be made."""
    if importlib.util.find_spec("cryptography") is None:
        logger.warning("Workers connect without encryption: install the package cryptography.")
        return None
    return distributed.Security.temporary()


def _number(job: BatchJob) -> str:
    """Number of a job without the suffix added by some systems."""
    found = re.match(r"\d+", job.id)
    return found[0] if found else job.id


def _own_words(error: Exception) -> str:
    """Output of a submit command, without what Dask adds to it."""
    found = re.search(r"stderr:\n(.+)", str(error), re.DOTALL)
    return " ".join((found[1] if found else str(error)).split()).rstrip(".") + "."
