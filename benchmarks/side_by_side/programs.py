"""The programs that are compared, as whole commands on the same images with the same parameters."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from iota.runs import read_ledger
from iota.simulate import FoundLattice

from . import timing
from .results import read_run, read_stills_process
from .sets import ImageSet
from .timing import Cost

IOTA_RUN = str(Path(sys.executable).with_name("iota.run"))
# stills_process as installed, with the module that Debian's cctbx lacks
STILLS_PROCESS = """\
from iota.engine.backend.installation import prepare
prepare()
from dials.command_line.stills_process import run
run()
"""


@dataclass(frozen=True)
class Done:
    """One command that has run: what it cost, and the folder with its output."""

    cost: Cost
    folder: Path

    @property
    def run(self) -> Path:
        """The run folder, where the command is iota.run."""
        return self.folder / "integration" / "001"

    @property
    def ledger(self) -> Path:
        """The ledger of that run."""
        return self.run / "frames.jsonl"


class StillsProcess:
    """``dials.stills_process`` with the target that iota.run writes, everything else at its defaults."""

    name = "dials.stills_process"

    def run(self, images: Sequence[Path], known: Sequence[str], nproc: int, folder: Path) -> Done:
        _make_empty(folder)
        subprocess.run([IOTA_RUN, "-d", *known], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        command = [sys.executable, "-c", STILLS_PROCESS, "target.phil", f"mp.nproc={nproc}", *map(str, images)]
        cost = timing.run(command, folder)
        if cost.exit_status:
            raise _failed(self.name, folder)
        return Done(cost, folder)

    def found(self, done: Done, images: ImageSet) -> list[FoundLattice]:
        return read_stills_process(done.folder, images)


class IotaRun:
    """``iota.run``."""

    def __init__(self, name: str = "iota.run", *words: str) -> None:
        self.name, self.words = name, words

    def run(self, images: Sequence[Path], known: Sequence[str], nproc: int, folder: Path) -> Done:
        _make_empty(folder)
        ledger = folder / "integration" / "001" / "frames.jsonl"
        command = [IOTA_RUN, "-n", str(nproc), *known, *self.words, *map(str, images)]
        cost = timing.run(command, folder, marks_start=ledger)
        records, _ = read_ledger(ledger)
        if cost.exit_status not in (0, 1) or len(records) != len(images):  # 1: nothing was integrated
            raise _failed(self.name, folder)
        return Done(cost, folder)

    def found(self, done: Done, images: ImageSet) -> list[FoundLattice]:
        return read_run(done.run, images)


Program = StillsProcess | IotaRun


def _make_empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _failed(name: str, folder: Path) -> RuntimeError:
    return RuntimeError(f"{name} failed in {folder}:\n{(folder / 'log.txt').read_text()[-2000:]}")
