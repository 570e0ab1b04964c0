"""Runs other merging programs, if installed: PRIME and xia2.ssx_reduce."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from iota.analysis.intensities.prime import prime_script
from iota.analysis.summary import Summary
from iota.engine.merging import scaling as dials
from iota.errors import BackendError, UsageError
from iota.merging.merge_folders import MergeFolder
from iota.merging.prime_pickles import check_integration_pickle
from iota.processes.program import run_program
from iota.records import FrameResult
from iota.runs import RunFolder
from iota.workers.cores import default_processes

Chosen = Sequence[tuple[FrameResult, int]]  # a frame, and which of its lattices


def check_engine(engine: str) -> None:
    """Check that an engine can run.

    Raises:
        BackendError: it cannot; says why and what to do.
    """
    if engine == "prime":
        if importlib.util.find_spec("prime") is None:
            raise BackendError(
                "PRIME is not installed here. It comes with Phenix; merging.engine=dials does not need it."
            )
        if importlib.util.find_spec("prime_ext") is None:
            raise BackendError(
                "PRIME is installed but lacks its compiled module prime_ext, as in Debian's cctbx, so it cannot merge."
                " Use the prime.phil of the run with a complete PRIME, or merging.engine=dials here."
            )
    if engine == "xia2" and shutil.which("xia2.ssx_reduce") is None:
        raise BackendError(
            "xia2.ssx_reduce is not on the PATH. It comes with CCP4 and with xia2 of conda-forge;"
            " merging.engine=dials does not need it."
        )


def prime_command(
    run: RunFolder, folder: Path, chosen: Chosen, summary: Summary, crystal: tuple[str, float]
) -> list[str]:
    """Write ``pickles.lst`` and ``prime.phil`` for lattices of a run, and return the command that merges them.

    Args:
        run: folder of the run.
        folder: of the merge.
        chosen: lattices.
        summary: of their frames.
        crystal: space group and resolution limit (A).

    Raises:
        UsageError: the run has no integration pickles, or one of them is something else.
    """
    pickles = [result.lattices[k].files.get("pickle") for result, k in chosen]
    if None in pickles or summary.consensus is None:
        raise UsageError("PRIME reads integration pickles, but this run wrote none: use merging.engine=dials.")
    paths = [run.path / str(pickle) for pickle in pickles]
    for path in paths:
        check_integration_pickle(path)
    run.write_text(folder / "pickles.lst", "".join(f"{path}\n" for path in paths))
    space_group, d_min_A = crystal
    consensus = msgspec.structs.replace(summary.consensus, space_group=space_group)
    asked = msgspec.structs.replace(summary, consensus=consensus, d_min_A=(d_min_A, d_min_A, d_min_A))
    script = prime_script(asked, None, folder / "pickles.lst", Path("prime"), default_processes())
    run.write_text(folder / "prime.phil", str(script))
    return ["prime.run", str(folder / "prime.phil")]


def xia2_command(run: RunFolder, folder: Path, chosen: Chosen, crystal: tuple[str, float]) -> list[str]:
    """Write lattices of a run to ``lattices/integrated.expt`` and ``.refl``, and return the command that merges them.

    Args:
        run: folder of the run.
        folder: in which the command is to be run.
        chosen: lattices.
        crystal: space group and resolution limit (A).

    Raises:
        BackendError: a file of the run cannot be read.
    """
    space_group, d_min_A = crystal
    place = folder / "lattices"
    place.mkdir()
    dials.combine([dials.source(run.path, result, k) for result, k in chosen], space_group, place)
    for ending in ("expt", "refl"):  # xia2 looks for files of this name
        (place / f"combined.{ending}").rename(place / f"integrated.{ending}")
    group = space_group.replace(" ", "")
    return ["xia2.ssx_reduce", "directory=lattices", f"space_group={group}", f"d_min={d_min_A:.2f}"]


def run_command(command: Sequence[str], folder: MergeFolder, engine: str) -> None:
    """Run one of these commands in the work folder of the merge, with its output in a log beside its script.

    Raises:
        BackendError: it cannot be started, or wrote no MTZ file.
    """
    log = folder.path / f"{engine}.log"
    run_program(command, folder=folder.work, log=log)
    if not list(folder.work.rglob("*.mtz")):
        raise BackendError(f"{command[0]} wrote no MTZ file; see {log}.")
