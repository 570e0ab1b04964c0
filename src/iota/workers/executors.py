"""Chooses the workers of a run: local, MPI or batch system."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, Protocol

from iota.engine.frame.config import EngineConfig
from iota.errors import BackendError, UsageError
from iota.requirements.locks import install_command
from iota.runs.state import BatchJob
from iota.workers import mpi, submit
from iota.workers.cores import default_processes
from iota.workers.local import LocalPool
from iota.workers.protocol import Workers

BATCH_SYSTEMS = ("slurm", "lsf", "torq", "pbs", "sge", "htcondor")


class RunWorkers(Workers, Protocol):
    """Workers of one run."""

    def jobs(self) -> list[BatchJob]:
        """Jobs of a batch system that the workers run in; none on this machine."""

    def stop(self) -> None:
        """End all workers; tasks in progress are discarded."""


class LocalWorkers(LocalPool):
    """Processes of this machine."""

    def jobs(self) -> list[BatchJob]:
        """Jobs of a batch system: none."""
        return []


def check_workers(mp: Any, run_folder: Path) -> None:
    """Check whether such workers are available, before anything is written for them.

    Raises:
        UsageError: the parameters do not fit one another, or how the command was started.
        BackendError: an optional package or the batch system is missing.
    """
    if submit.is_asked_for(mp):
        submit.submit_words(mp, submit.iota_command(run_folder), run_folder)
    elif mp.method == "mpi":
        mpi.check()
    elif mpi.n_ranks() > 1:
        raise UsageError(f"MPI has started this command {mpi.n_ranks()} times: add mp.method=mpi, or omit mpirun.")
    if mp.method in BATCH_SYSTEMS:
        batch, _ = _with_dask()
        batch.check(batch.BatchOptions.of(mp, run_folder))


def make_workers(mp: Any, config: EngineConfig) -> RunWorkers:
    """Workers as specified by the ``mp`` scope of the parameters.

    Raises:
        UsageError: the parameters do not fit one another, or how the command was started.
        BackendError: an optional package or the batch system is missing.
    """
    if mp.method == "mpi":
        return mpi.MpiWorkers(config, mp.frame_timeout)
    if mp.method in BATCH_SYSTEMS:
        batch, cluster = _with_dask()
        options = batch.BatchOptions.of(mp, Path(config.run_folder))
        return cluster.ClusterWorkers(options, config, mp.frame_timeout)  # type: ignore[no-any-return]
    return LocalWorkers(mp.n_processors or default_processes(), config, mp.frame_timeout)


def job_script_text(mp: Any, run_folder: Path) -> str:
    """Description of what would be submitted or started for a run; nothing is written or started.

    Raises:
        UsageError: the parameters do not fit one another.
        BackendError: an optional package is missing.
    """
    parts = []
    if submit.is_asked_for(mp):
        words = submit.submit_words(mp, submit.iota_command(run_folder), run_folder)
        parts.append(f"# The whole run would be submitted with\n{shlex.join(words)}\n")
        if "<iota_script>" in mp.submit_command:
            parts.append(f"# {submit.script_path(run_folder)}\n{submit.script_text(run_folder)}")
    if mp.method in BATCH_SYSTEMS:
        batch, _ = _with_dask()
        options = batch.BatchOptions.of(mp, run_folder)
        parts.append(f"# Up to {options.n_jobs} jobs like this, as required\n{batch.script(options)}")
    elif mp.method == "mpi":
        parts.append("# All processes started by mpirun except the first would process images\n")
    elif not parts:
        parts.append(f"# {mp.n_processors or default_processes()} processes on this machine, no jobs\n")
    return "\n".join(parts)


def _with_dask() -> tuple[Any, Any]:
    """Import the modules for batch systems, ``batch`` and ``cluster``; they need optional packages."""
    try:
        from iota.workers import batch, cluster  # need dask, an optional package
    except ImportError as error:
        raise BackendError(
            f"Batch systems need dask-jobqueue, which cannot be imported ({error}). Choose mp.method=multiprocessing,"
            f" or install it: {install_command(['cluster'])}"
        ) from error
    return batch, cluster
