"""Writes the log of a run, ``iota.log``."""

from __future__ import annotations

import contextlib
import logging
import time
from pathlib import Path

from iota.crystallography.cells import cell_text
from iota.records import FrameResult

_TIME = "%Y-%m-%d %H:%M:%S"


class RunLog(logging.FileHandler):
    """Receives the program's log messages during a run, and lines on frames, without the 0.1 ms of logging."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8", errors="surrogateescape")
        self.setFormatter(logging.Formatter("%(asctime)s  %(message)s", _TIME))
        self._second, self._time = -1, ""

    def attach(self) -> None:
        """Start logging to the file."""
        root = logging.getLogger("iota")
        root.setLevel(logging.INFO)
        root.propagate = False
        root.addHandler(self)

    def detach(self) -> None:
        """Stop logging, and close the file."""
        logging.getLogger("iota").removeHandler(self)
        self.close()

    def line(self, text: str) -> None:
        """Write a line now. Lines that cannot be written are lost; a full disk is noticed by the ledger."""
        second = int(time.time())
        if second != self._second:
            self._second, self._time = second, time.strftime(_TIME, time.localtime(second))
        if self.stream is None:  # closed
            return
        with contextlib.suppress(OSError), self.lock or contextlib.nullcontext():
            self.stream.write(f"{self._time}  {text}\n")
            self.stream.flush()


def log_line(result: FrameResult) -> str:
    """The line of a frame in the log, with its reason or its lattices."""
    seconds = sum(result.seconds.values())
    spots = "" if result.n_spots is None else f"{result.n_spots} spots  "
    head = f"{result.name}  {result.outcome}  {spots}{seconds:.1f} s"
    if not result.lattices:
        return f"{head}  {result.reason}  [{result.frame}]"
    lattices = "; ".join(
        f"{x.bravais} {x.space_group.replace(' ', '')} {cell_text(x.unit_cell)}, {x.n_integrated} reflections"
        f" ({x.n_strong} strong) to {x.d_min_A:.2f} A"
        for x in result.lattices
    )
    return f"{head}  {lattices}  [{result.frame}; {result.settings}]"
