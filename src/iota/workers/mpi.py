"""Workers started by ``mpirun``: rank 0 is the coordinator, each other rank processes frames.

Every rank runs its frames in a separate process, so that a frame that crashes or hangs costs only that frame. As usual
with MPI, the death of one rank ends all of them; the run can be resumed.
"""

from __future__ import annotations

import concurrent.futures
import logging
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from iota.errors import BackendError, UsageError
from iota.requirements.locks import install_command
from iota.workers.local import LocalPool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iota.engine.frame.config import EngineConfig
    from iota.records import Report, Task
    from iota.runs.state import BatchJob

logger = logging.getLogger(__name__)

_RANKS = ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "MV2_COMM_WORLD_RANK")
_END_LAST_S = 5.0  # unless killed before, as by Open MPI after 1 s
_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE")


def n_ranks() -> int:
    """Number of processes started by MPI, 1 without MPI."""
    return max(_environment_number(_SIZES), 1)


def is_serving_rank() -> bool:
    """Whether this process was started by MPI and is not the first."""
    return _environment_number(_RANKS) > 0


def serve() -> int:
    """Run tasks for the first process until it ends; returns the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the first process
    signal.signal(signal.SIGTERM, _end_last)
    try:
        communicator, executor = _mpi()
    except BackendError:
        return 0  # the first process says so
    with executor(communicator, root=0):
        pass  # here tasks are run
    if _pool is not None:
        _pool.stop()
    return 0


def _end_last(*_: object) -> None:
    """Let the first process finish its output: Open MPI kills it as soon as another one has followed its SIGTERM."""
    time.sleep(_END_LAST_S)
    os._exit(128 + signal.SIGTERM)


def release(exit_status: int) -> None:
    """Release the other processes when the first one ends, for whatever reason; does nothing without MPI.

    Where they still work on frames that nobody waits for, they are ended at once.
    """
    if is_serving_rank() or (n_ranks() == 1 and not _served):
        return
    try:
        communicator, executor = _mpi()
    except BackendError:
        return
    if _unfinished:
        sys.stdout.flush()
        sys.stderr.flush()
        communicator.Abort(exit_status)
    elif not _served:
        with executor(communicator, root=0):
            pass


def check() -> None:
    """Check whether there are other processes to serve this one.

    Raises:
        UsageError: there is none.
        BackendError: mpi4py or its library is missing.
    """
    if _mpi()[0].size < 2:
        raise UsageError(
            "mp.method=mpi needs iota.run to be started by MPI with at least 2 processes, e.g."
            " mpirun -n 9 iota.run ... mp.method=mpi (one coordinates, eight process images)."
        )


class MpiWorkers:
    """Processes that ``mpirun`` started, all but the first."""

    def __init__(self, config: EngineConfig, time_limit_s: float) -> None:
        """Send the configuration to the other processes.

        Raises:
            UsageError: there is no other process.
            BackendError: mpi4py or its library is missing.
        """
        global _served
        check()
        communicator, executor = _mpi()
        self.n_processes = communicator.size - 1
        _served = True
        self._in_work: set[concurrent.futures.Future[Any]] = set()
        self._context = executor(communicator, root=0, initializer=_start_pool, initargs=(config, time_limit_s))
        self._executor = self._context.__enter__()

    def submit(self, tasks: Sequence[Task]) -> concurrent.futures.Future[list[Report]]:
        """Queue tasks for one worker; the future returns reports of the first of them, at least of one."""
        future: concurrent.futures.Future[list[Report]] = self._executor.submit(_run_in_pool, tasks)
        self._in_work.add(future)
        future.add_done_callback(self._in_work.discard)
        return future

    def jobs(self) -> list[BatchJob]:
        """Jobs of a batch system: none of ours."""
        return []

    def stop(self) -> None:
        """End all workers, or let :func:`release` end them if they are busy."""
        global _unfinished
        if self._in_work:
            _unfinished = True
            self._executor.shutdown(wait=False, cancel_futures=True)
        else:
            self._context.__exit__(None, None, None)


_served = False  # the other processes were given workers' tasks
_unfinished = False  # and some of these are not done
_pool: LocalPool | None = None


def _start_pool(config: EngineConfig, time_limit_s: float) -> None:
    """Make this process a worker; called once in each."""
    global _pool
    _pool = LocalPool(1, config, time_limit_s)


def _run_in_pool(tasks: Sequence[Task]) -> list[Report]:
    if _pool is None:
        raise RuntimeError("the MPI process has not been set up")
    return _pool.submit(tasks).result()


def _mpi() -> tuple[Any, type[Any]]:
    """The communicator of all processes, and the executor for it."""
    try:
        from mpi4py import MPI
        from mpi4py.futures import MPICommExecutor
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py finds no MPI library
        reason = str(error).strip().split("\n")[0]
        raise BackendError(
            f"mp.method=mpi needs mpi4py and an MPI library ({reason}). Install MPI (on Debian: openmpi-bin), then"
            f" {install_command(['mpi'])}"
        ) from error
    return MPI.COMM_WORLD, MPICommExecutor


def _environment_number(names: tuple[str, ...]) -> int:
    return next((int(os.environ[name]) for name in names if os.environ.get(name, "").isdigit()), 0)
