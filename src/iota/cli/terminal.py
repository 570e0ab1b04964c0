"""Shows the progress of a run on a terminal, or as plain lines."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn
from rich.text import Text

import iota
from iota.records import NOT_HITS, Outcome
from iota.runs.determination import DeterminedLattice

_LOGO = """\
   IIIIII            OOOOOOO        TTTTTTTTTT          A
     II             O       O           TT             A A
     II             O       O           TT            A   A
     II             O       O           TT           A     A
     II             O       O           TT          AAAAAAAAA
   IIIIII            OOOOOOO            TT         A         A"""

_LINE_WIDTH = 78
_PLAIN_EVERY_S = 15.0


def plain_console(**words: Any) -> Console:
    """A console that prints texts unchanged: names of folders may look like rich's markup."""
    return Console(highlight=False, markup=False, emoji=False, **words)


class Terminal:
    """Shows the progress of a run; with ``silent``, only errors."""

    def __init__(self, console: Console | None = None, *, silent: bool = False) -> None:
        self.console = console or plain_console(quiet=silent)
        self.errors = plain_console(stderr=True)
        self._silent = silent

    def logo(self) -> None:
        """Print the logo with the version."""
        self.console.print(Text(_LOGO, style="bold cyan"))
        self.console.print(Text(f"{'v' + iota.__version__:>{_LINE_WIDTH}}", style="dim"))
        self.console.print()

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Print a timed line, ``what -- DONE .... 0.30s``, when the step is over."""
        start = time.perf_counter()
        if self.console.is_terminal:
            with self.console.status(Text(f"{what} ...")):
                yield
        else:
            yield
        spent = f"{time.perf_counter() - start:.2f}s"
        head = f" {what} -- DONE "
        self.console.print(head + "." * max(3, _LINE_WIDTH - len(head) - len(spent) - 1) + " " + spent)

    def note(self, text: str) -> None:
        """Print a line of information."""
        self.console.print(f" {text}", markup=False, soft_wrap=True)

    def warning(self, text: str) -> None:
        """Print a warning, unless the terminal is silent."""
        if self._silent:
            return
        self.errors.print(Text(" ! " + text, style="yellow"), soft_wrap=True)

    @contextlib.contextmanager
    def processing(self, n_frames: int) -> Iterator[ProcessingDisplay]:
        """Show progress while the context lasts."""
        if self.console.is_terminal and not self.console.quiet:
            with Progress(
                TextColumn(" [bold]PROCESSING:[/] {task.percentage:>3.0f}%"),
                SpinnerColumn("line"),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[text]}", markup=False),
                console=self.console,
                transient=True,
            ) as progress:
                yield ProcessingDisplay(self, n_frames, progress)
        else:
            yield ProcessingDisplay(self, n_frames, None)


class ProcessingDisplay:
    """Progress of one run: frames done, rate, hits, indexed frames, time left.  Get it from ``Terminal.processing``."""

    def __init__(self, terminal: Terminal, n_frames: int, progress: Progress | None) -> None:
        self._terminal = terminal
        self._n_frames = n_frames
        self._progress = progress
        self._task: TaskID | None = progress.add_task("", total=n_frames, text="starting workers") if progress else None
        self._last_line = time.monotonic()
        self._steady_from = (self._last_line, 0)  # time and finished frames from which the rate is counted
        self._last_shown = ""

    def determined(self, lattice: DeterminedLattice) -> None:
        """Show that a lattice was determined."""
        self._terminal.note(
            f"Lattice {lattice.number} determined: {lattice.label.partition(': ')[2]} ({lattice.space_group}),"
            f" found in {len(lattice.agreeing)} of {lattice.n_scouted} frames; used for all frames."
        )

    def note(self, text: str) -> None:
        """Show a line of information."""
        self._terminal.note(text)

    def progress(self, n_finished: int, n_frames: int, n_waiting: int, counts: dict[Outcome, int], doing: str) -> None:
        """Show the progress of the run."""
        self._n_frames = n_frames  # grows in monitor mode
        text = self._text(n_finished, n_waiting, counts, doing)
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=n_finished, total=n_frames, text=text)
        elif time.monotonic() - self._last_line >= _PLAIN_EVERY_S and text != self._last_shown:
            self._last_line, self._last_shown = time.monotonic(), text
            self._terminal.note(f"PROCESSING: {text}")

    def _text(self, n_finished: int, n_waiting: int, counts: dict[Outcome, int], doing: str) -> str:
        hits = n_finished + n_waiting - sum(counts.get(outcome, 0) for outcome in NOT_HITS)
        parts = [f"{n_finished}/{self._n_frames}, {hits} hits, {counts.get('integrated', 0)} integrated"]
        now = time.monotonic()
        if doing:
            parts.append(doing)
            self._steady_from = (now, n_finished)  # determination says nothing about how fast the rest will be
        elif self._steady_from[1] < n_finished < self._n_frames:
            rate = (n_finished - self._steady_from[1]) / (now - self._steady_from[0])
            parts.append(f"{rate:.1f}/s" if rate >= 1 else f"{60 * rate:.1f}/min")
            parts.append(f"est. {_duration((self._n_frames - n_finished) / rate)}")
        return ", ".join(parts)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
