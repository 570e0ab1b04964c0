"""Prepares the installed DIALS for use; to be imported before anything of DIALS."""

from __future__ import annotations

import os
import sys
import types
from importlib.util import find_spec

from iota.errors import BackendError

PRELOADED = "iota.engine.frame.preload"  # what a process imports from which those with DIALS are forked


def keep_to_one_thread() -> None:
    """Limit this process, and those that it starts, to one thread each: frames are distributed over processes.

    Libraries look when they are loaded, so call it before numpy is imported, or before the process is started.
    """
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_MAX_THREADS"):
        os.environ.setdefault(variable, "1")


def prepare() -> None:
    """Make the installed DIALS usable in this process.

    Debian's cctbx lacks the compiled module ``xfel_mono_sim_ext``.  DIALS uses nothing that is in it, but every
    candidate lattice of a still fails on importing it; an empty module of that name cures this.  Other installations
    have the module and keep it.

    Raises:
        BackendError: DIALS cannot be imported.
    """
    keep_to_one_thread()
    if find_spec("dials") is None or find_spec("dxtbx") is None:
        raise BackendError("DIALS is not installed for this Python. iota.doctor explains how to fix this.")
    import iota.hdf5  # noqa: F401 - the filters, before dxtbx opens any file; numpy not before the threads are set

    if "xfel_mono_sim_ext" not in sys.modules and find_spec("xfel_mono_sim_ext") is None:
        sys.modules["xfel_mono_sim_ext"] = types.ModuleType("xfel_mono_sim_ext")


def dials_version() -> str:
    """Version of the installed DIALS, e.g. ``DIALS 3.12.1-release``."""
    prepare()
    from dials.util.version import dials_version as version

    return str(version())
