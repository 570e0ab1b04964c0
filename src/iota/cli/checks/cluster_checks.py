"""Checks of ``iota.doctor`` on batch systems, Dask and MPI.

These are not needed on a single machine, so a missing one is not an error.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator

import msgspec

from iota.cli.checks.check import Check
from iota.errors import BackendError
from iota.installation import program
from iota.processes.program import output_of
from iota.processes.starting import python
from iota.requirements.locks import install_command
from iota.workers.queue import numbers_in_queue

_DASK = ("dask-jobqueue", "distributed", "cryptography")
_MPI_SECONDS = 30
# without MPI_Init: a look must not start a process of MPI
_MPI_PROBE = """\
import mpi4py
mpi4py.rc.initialize = False
from mpi4py import MPI
print(MPI.Get_library_version().split(",")[0].splitlines()[0])
"""


class BatchSystem(msgspec.Struct, frozen=True):
    """A batch system by its programs."""

    name: str
    method: str  # of mp.method
    submit: str
    own: str = ""  # a program that no other has, where several are called the same


_SYSTEMS = (
    BatchSystem("Slurm", "slurm", "sbatch"),
    BatchSystem("SGE", "sge", "qsub", "qconf"),
    BatchSystem("PBS or Torque", "pbs", "qsub", "pbsnodes"),
    BatchSystem("LSF", "lsf", "bsub"),
    BatchSystem("HTCondor", "htcondor", "condor_submit"),
)


def cluster_checks() -> Iterator[Check]:
    """Yield the checks of each way to use more than one machine."""
    systems = [system for system in _SYSTEMS if program(system.submit) and program(system.own or system.submit)]
    yield from (_batch(system) for system in systems)
    if not systems:
        found = f"no {', '.join(sorted({system.submit for system in _SYSTEMS}))}"
        yield Check("batch systems", "absent", found, "Only needed on a cluster; runs here use this machine.")
    yield _dask(bool(systems))
    yield _mpi()


def _batch(system: BatchSystem) -> Check:
    found = f"{program(system.submit)}; mp.method={system.method}"
    if system.method == "pbs":
        found += ", for Torque torq"
    try:
        n_jobs = len(numbers_in_queue(system.method))
    except BackendError as error:
        mend = "Runs on this machine will work. To submit jobs, ask the cluster administrator, or use another machine."
        return Check(system.name, "note", f"{found}. {error}", mend)
    return Check(system.name, "good", f"{found}; responding, with {n_jobs} of your jobs in the queue")


def _dask(needed: bool) -> Check:
    name = "Dask for batch systems"
    versions = {package: _version(package) for package in _DASK}
    found = ", ".join(f"{package} {version}" for package, version in versions.items() if version)
    missing = [package for package, version in versions.items() if not version]
    if not missing:
        return Check(name, "good", found)
    mend = f"Needed for jobs: scripts/setup-batch, or {install_command(['cluster'])}"
    if missing == ["cryptography"]:
        mend = f"Without it jobs connect without encryption: {install_command(['cluster'])}"
    return Check(name, "note" if needed else "absent", f"not installed: {', '.join(missing)}", mend)


def _mpi() -> Check:
    path = program("mpirun") or program("mpiexec")
    if path is None:
        mend = "Only needed on a cluster. On Debian: apt-get install openmpi-bin, then scripts/setup-batch."
        return Check("MPI", "absent", "no mpirun, mpiexec", mend)
    version = _version("mpi4py")
    if not version:
        mend = f"mp.method=mpi needs mpi4py: scripts/setup-batch, or {install_command(['mpi'])}"
        return Check("MPI", "note", f"{path}; no mpi4py", mend)
    library = _mpi_library()
    if library.startswith("error: "):
        mend = f"mpi4py and {path} use different MPI libraries, or none is found: see the documentation of mpi4py."
        return Check("MPI", "note", f"{path}; mpi4py {version} does not load ({library[7:]})", mend)
    return Check("MPI", "good", f"{path}; mpi4py {version} with {library}; mp.method=mpi")


def _mpi_library() -> str:
    """What library mpi4py loads; begins with ``error:`` when it loads none."""
    try:
        done = output_of([*python(), "-c", _MPI_PROBE], _MPI_SECONDS)
    except TimeoutError:
        return f"error: no answer within {_MPI_SECONDS} s"
    if done.returncode == 0:
        return done.stdout.strip()
    return "error: " + next(iter(done.stderr.strip().splitlines()[-1:]), f"status {done.returncode}")


def _version(package: str) -> str:
    """Version of a package; empty if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
