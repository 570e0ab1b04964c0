"""IOTA for scripts and notebooks: open a run, get its frames as tables, follow it live, start one.

It reads run folders and starts the commands that a user would type; no server is needed, and DIALS is not imported.

    from iota.api import open_run, start

    run = open_run(1)                            # run 1 of this folder, or open_run("integration/001")
    frames = run.frames()                        # pandas, one row per frame
    print(run.summary().consensus.unit_cell)

    run = start("/data/images", target_space_group="P43212")
    for new in run.follow():                     # pandas tables of new frames, until the run ends
        print(len(new), run.state.counts)
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import iota.runs.state
from iota.analysis.facts import Fact, lattice_facts, run_facts
from iota.analysis.summary import Summary, summary_of
from iota.analysis.table.selection import Wanted, select_rows
from iota.analysis.table.table import RunTable
from iota.errors import RunFolderError, UsageError
from iota.records import FrameRef, FrameResult
from iota.runs import RunFolder, RunState, read_state
from iota.runs.control import give_order
from iota.web.access.running import RunningServer, running_server
from iota.web.projects.launch import resume_run, start_run, stop_run

if TYPE_CHECKING:
    import pandas as pd  # 0.5 s, and not always needed

__all__ = [
    "Fact",
    "FrameRef",
    "FrameResult",
    "Run",
    "RunState",
    "RunningServer",
    "Summary",
    "open_run",
    "running_server",
    "runs",
    "start",
]

_PREPARED_S = 60.0  # a run without a state for longer than this was killed while it was prepared

Result = TypeVar("Result")


class Run:
    """A run.  Don't create this directly, get it from :func:`open_run`, :func:`runs` or :func:`start`.

    Results are those in the run folder at the time of the call; each call reads only what was added since the last one.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._table = RunTable(folder)

    def __repr__(self) -> str:
        """Return number, folder and progress."""
        return f"<Run {self.number} in {self.folder}: {self._status_text()}>"

    def _status_text(self) -> str:
        try:
            state = self.state
        except RunFolderError:
            return "no state yet"
        return f"{state.status}, {state.n_finished} of {state.n_frames} frames finished"

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self._folder.path

    @property
    def number(self) -> int:
        """Number of the run."""
        return self._folder.number

    @property
    def state(self) -> RunState:
        """Status and progress of the run: ``status``, ``n_frames``, ``n_finished``, ``counts``, ``doing``, ``reason``.

        Raises:
            RunFolderError: it cannot be read.
        """
        return read_state(self._folder.state)

    @property
    def is_at_work(self) -> bool:
        """Whether the run is being processed or is queued; False if it was killed."""
        try:
            return iota.runs.state.is_at_work(self.state)
        except RunFolderError:
            made = self._folder.path.stat().st_mtime if self._folder.path.is_dir() else 0.0
            return time.time() - made < _PREPARED_S

    # -- results

    def _current(self) -> RunTable:
        self._table.update()
        self._table.save()
        return self._table

    def frames(self, *, names: bool = True) -> pd.DataFrame:
        """All finished frames, one row each, in the order they finished.

        Args:
            names: whether to include the columns ``frame`` (path, and #N for image N of a file) and ``name``; without
                them, a million frames take a fifth of the time.

        Returns:
            The columns of ``iota.analysis.table.columns``, whose names end with their units: ``outcome``, ``reason``
            (with … for numbers), ``n_spots``, ``d_min_A``, ``a_A``...; lattice columns refer to the best lattice.
            Renamed columns are also included under their old names: ``mosaicity_deg``.

        Raises:
            RunFolderError: the ledger cannot be read.
        """
        return _data_frames().frames_table(self._current(), names=names)

    def lattices(self) -> pd.DataFrame:
        """All lattices of all frames, one row each; ``row`` is the row of the frame in :meth:`frames`.

        Raises:
            RunFolderError: the ledger cannot be read.
        """
        return _data_frames().lattices_table(self._current())

    def summary(self) -> Summary:
        """Counts, consensus lattice and typical values.

        Raises:
            RunFolderError: the ledger or the state cannot be read.
        """
        table = self._current()
        return summary_of(table, max(self.state.n_frames, table.n_rows))

    def facts(self) -> list[Fact]:
        """Items of the summary, as in log, pages and report: name, label, text, numbers and their unit.

        Raises:
            RunFolderError: the ledger or the state cannot be read.
        """
        summary = self.summary()
        return [*run_facts(summary), *lattice_facts(summary)]

    def record(self, row: int) -> FrameResult:
        """The complete record of one frame.

        Raises:
            IndexError: there is no such row.
            RunFolderError: the ledger cannot be read.
        """
        if row >= self._table.n_rows:
            self._table.update()
        return self._table.record(row)

    def records(self, rows: Sequence[int] | None = None) -> Iterator[FrameResult]:
        """The complete records of all frames, or of some rows, one by one; see :meth:`record`."""
        table = self._current()
        yield from table.records(range(table.n_rows) if rows is None else rows)

    def select(
        self,
        *,
        outcomes: Sequence[str] = (),
        reasons: Sequence[str] = (),
        causes: Sequence[str] = (),
        limits: Sequence[str] = (),
        text: str = "",
        sort: str = "",
    ) -> list[int]:
        """Rows of the frames that meet all conditions.

        Args:
            outcomes: any of these.
            reasons: any of these, as in the column ``reason``.
            causes: any of these codes of causes, as in the reference of outcomes, e.g. ``["no_lattice"]``.
            limits: e.g. ``["d_min_A<2.5", "n_spots>=20"]``.
            text: a part of the frame's path or name.
            sort: a column; preceded by ``-``, the largest values come first.

        Raises:
            UsageError: there is no such outcome, cause or column, or a limit is invalid.
            RunFolderError: the ledger cannot be read.
        """
        wanted = Wanted(outcomes=outcomes, reasons=reasons, causes=causes, limits=limits, text=text, sort=sort)
        return [int(row) for row in select_rows(self._current(), wanted)]

    # -- while it is running

    def follow(self, every_s: float = 0.5) -> Iterator[pd.DataFrame]:
        """Yield tables of frames as they finish, starting with those already finished, until the run has ended.

        Args:
            every_s: interval between checks (s).

        Raises:
            RunFolderError: the run was deleted or replaced while it was followed.
        """
        known, generation = 0, self._table.generation
        while True:
            is_over = not self.is_at_work  # asked first: what it finished at last is read after that
            table = self._current()
            if table.generation != generation:
                raise RunFolderError(f"{self.folder} was replaced while it was followed. Open it again.")
            if table.n_rows > known:
                yield _data_frames().frames_table(table, known)
                known = table.n_rows
            elif is_over:
                return
            else:
                time.sleep(every_s)

    def wait(self, timeout_s: float | None = None) -> RunState:
        """Wait until the run has ended.

        Raises:
            TimeoutError: it has not ended after ``timeout_s``.
        """
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while self.is_at_work:
            if end is not None and time.monotonic() > end:
                raise TimeoutError(f"Run {self.number} is not over after {timeout_s:g} s.")
            time.sleep(0.2)
        return self.state

    def stop(self) -> None:
        """End the run within a second or two; what is finished is kept.

        Raises:
            RunFolderError: the folder cannot be written.
        """
        _waited_for(stop_run(self._folder))

    def finish(self) -> None:
        """Stop looking for new images, and end the run when all are processed (monitor mode).

        Raises:
            RunFolderError: the folder cannot be written.
        """
        give_order(self._folder, "finish")

    def resume(self, retry: Sequence[str] = ()) -> None:
        """Resume a run that was stopped or killed.

        Args:
            retry: outcomes of images that are to be processed again, even in a finished run: ``crashed``,
                ``timed_out``, ``failed_import``.

        Raises:
            UsageError: iota.run refused; the text is its own sentence.
        """
        _waited_for(resume_run(self._folder, retry=retry))


def open_run(run: int | str | os.PathLike[str], project: str | os.PathLike[str] = ".") -> Run:
    """Open a run.

    Args:
        run: its number, or its folder.
        project: folder that contains ``integration/NNN``, if a number is given.

    Raises:
        RunFolderError: there is no such run.
    """
    text = str(run) if isinstance(run, int) else os.fspath(run)
    return Run(RunFolder.find(text, Path(project)))


def runs(project: str | os.PathLike[str] = ".") -> list[Run]:
    """All runs of a project, in the order of their numbers; empty if there is no such folder."""
    found = sorted(Path(project).absolute().glob("integration/*/run.json"), key=lambda path: path.parent.name.zfill(9))
    return [Run(RunFolder(path.parent)) for path in found if path.parent.name.isdigit()]


def start(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
    *,
    project: str | os.PathLike[str] = ".",
    script: str | os.PathLike[str] | None = None,
    **parameters: object,
) -> Run:
    """Start ``iota.run`` in a separate process, which continues when this one ends.

    Args:
        paths: one or several images, folders, wildcards or lists, optionally with a CrystFEL geometry.
        project: where ``integration/NNN`` is made.
        script: an IOTA script, whose values the parameters override.
        parameters: as on the command line, by their short names, or by their full names as follows:
            ``start(path, target_space_group="P43212", **{"mp.n_processors": 4})``.

    Returns:
        The run, as soon as its folder is there.

    Raises:
        UsageError: iota.run refused; the text is its own sentence.
    """
    several = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    arguments = [os.path.abspath(Path(path).expanduser()) for path in several]  # noqa: PTH100 - links stay as typed
    arguments += [f"{name}={_phil_text(value)}" for name, value in parameters.items()]
    text = ""
    if script is not None:
        try:
            text = Path(script).read_text(encoding="utf-8")
        except OSError as error:
            raise UsageError(f"The script {os.fspath(script)} cannot be read: {error.strerror}.") from error
    return Run(_waited_for(start_run(text, "", Path(project).absolute(), arguments)))


def _phil_text(value: object) -> str:
    """A value as it is written on the command line."""
    if isinstance(value, (list, tuple)):
        return " ".join(_phil_text(one) for one in value)
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def _waited_for(work: Coroutine[Any, Any, Result]) -> Result:
    """The result of a coroutine, also in a notebook, where an event loop is already running."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()


def _data_frames() -> ModuleType:
    from iota.analysis.table import data_frames  # imports pandas, 0.4 s: not where a run is only started

    return data_frames
