"""Inspects DIALS and its dependencies, as this Python imports them.

This is done in a separate process, so that a broken installation does not affect anything else.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
import time
from typing import Any

import msgspec

from iota.engine.backend.installation import prepare
from iota.processes.protocol import Tell
from iota.processes.question import NoAnswerError, Question

# Compiled modules that Debian's build of cctbx leaves out.
COMPILED = (
    "xfel_mono_sim_ext",
    "sx_clustering_ext",
    "sx_merging_ext",
    "prime_ext",
    "prime_index_ambiguity_ext",
)
_PACKAGES = ("dials", "dxtbx", "cctbx", "numpy", "scipy", "h5py")


class Package(msgspec.Struct, frozen=True, omit_defaults=True):
    """A Python package as this interpreter imports it; ``error`` says why it does not."""

    version: str = ""
    path: str = ""
    error: str = ""


class Installation(msgspec.Struct, frozen=True):
    """DIALS and its dependencies, as one Python imports them. Get it from :func:`inspect_installation`."""

    packages: dict[str, Package] = {}
    dials_version: str = ""
    stills_process_error: str = ""  # empty when dials.stills_process loads
    stills_process_seconds: float = 0.0
    missing_compiled: list[str] = []
    filters: dict[str, bool] = {}  # kind of compression of HDF5 -> whether data were decoded here
    hdf5plugin: Package = Package(error="not installed")
    has_prime: bool = False
    needs_mono_sim: bool = False  # DIALS up to 3.2x imports xfel.mono_simulation
    in_venv: list[str] = []  # packages of the venv that hide those DIALS was compiled against
    error: str = ""  # why nothing could be found out


INSPECTION = Question(
    f"{__name__}:inspect_here",
    type(None),
    Installation,
    "Loading DIALS",
    seconds=120,  # a cold network file system needs most of it
)


def inspect_installation() -> Installation:
    """Inspect DIALS in a separate process; takes about as long as starting DIALS, 2 s."""
    try:
        return INSPECTION.ask(None)
    except NoAnswerError as error:
        return Installation(error=str(error))


def inspect_here(_: None, tell: Tell) -> Installation:
    """Import DIALS and its dependencies into this process, and report what was found."""
    packages = {name: _package(name) for name in _PACKAGES}
    filters, hdf5plugin = ({}, Package()) if packages["h5py"].error else _filters()
    version = ""
    if not packages["dials"].error:
        version = str(_import("dials.util.version").dials_version()).removeprefix("DIALS ")
    start = time.perf_counter()
    error = _error_of_stills_process()
    return Installation(
        packages=packages,
        dials_version=version,
        stills_process_error=error,
        stills_process_seconds=round(time.perf_counter() - start, 2),
        missing_compiled=[name for name in COMPILED if not _is_there(name)],
        filters=filters,
        hdf5plugin=hdf5plugin,
        has_prime=_is_there("prime"),
        needs_mono_sim=_is_there("xfel.mono_simulation") and not _is_there("serialtbx"),
        in_venv=_hiding(packages),
    )


def _import(name: str) -> Any:
    return importlib.import_module(name)


def _package(name: str) -> Package:
    try:
        module = _import(name)
    except Exception as error:  # noqa: BLE001 - a border: what is broken here is what is asked for
        return Package(error=f"{type(error).__name__}: {error}")
    version = getattr(module, "__version__", "")
    if not version:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            version = ""
    places = list(getattr(module, "__path__", []))
    return Package(str(version), places[0] if places else str(getattr(module, "__file__", "")))


def _error_of_stills_process() -> str:
    try:
        prepare()
        _import("dials.command_line.stills_process")
    except Exception as error:  # noqa: BLE001 - as above
        return f"{type(error).__name__}: {error}"
    return ""


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # ValueError: the engine put an empty module of this name in its place
        return False


def _filters() -> tuple[dict[str, bool], Package]:
    """Decode data of each kind, in the way of all processes that read images."""
    from iota import hdf5, hdf5_filters  # need h5py, which is there, as was just seen

    problem = hdf5.plugin_problem
    try:
        version = "" if problem == "not installed" else importlib.metadata.version("hdf5plugin")
    except importlib.metadata.PackageNotFoundError:
        version = ""
    return {kind.name: hdf5_filters.can_read(kind) for kind in hdf5_filters.KINDS}, Package(version, error=problem)


def _hiding(packages: dict[str, Package]) -> list[str]:
    """Return compiled packages that come from this venv although DIALS does not."""
    if sys.prefix == sys.base_prefix or packages["dials"].path.startswith(sys.prefix):
        return []
    return [name for name in ("numpy", "scipy", "h5py") if packages[name].path.startswith(sys.prefix)]
