"""Makes the report of a run folder, without a server."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

from iota.analysis.grid_tally import GridTally
from iota.analysis.summary import summary_of
from iota.analysis.table.table import RunTable
from iota.charts.run_charts import RunCharts
from iota.engine.questions import COUNT_REFLECTIONS, CountReflections
from iota.errors import RunFolderError
from iota.processes.question import AnsweringProcess, NoAnswerError
from iota.report.content import Source
from iota.report.index_pictures import IndexPictures, WantedPictures, pictures
from iota.runs import RunFolder, read_state

Step = Callable[[str], AbstractContextManager[None]]


def read_source(folder: RunFolder, step: Step, *, count_indices: bool = True) -> Source:
    """Read a run as it stands.

    Args:
        folder: of the run.
        step: shows what is being done.
        count_indices: whether reflections that are not counted yet are read, which takes 10 ms a lattice.

    Raises:
        RunFolderError: the ledger cannot be read.
    """
    table = RunTable(folder)
    with step("Reading the run"):
        table.update()
        table.save()
        state = None
        with suppress(RunFolderError):
            state = read_state(folder.state)
        n_frames = max(table.n_rows, 0 if state is None else state.n_frames)
        summary = summary_of(table, n_frames)
        charts, tally = RunCharts(table), GridTally(table)
        charts.count(n_frames, summary)
        tally.count()
    indices = IndexPictures(sentence="No integrated frames.")
    if summary.n_integrated:
        problem = ""
        if count_indices:
            with step("Counting reflections"):
                problem = _count_reflections(folder)
        with step("Drawing"):
            symbol = summary.consensus.space_group if summary.consensus else ""
            indices = pictures(WantedPictures(folder=str(folder.path), space_group=symbol))
        if problem and not indices.slices:
            indices = IndexPictures(sentence=problem)
    return Source(folder, table, state, summary, charts, indices, tally.tally)


def _count_reflections(folder: RunFolder) -> str:
    """Count reflections that are not counted yet, in a separate process, as DIALS reads them; return any problem."""
    process = AnsweringProcess(COUNT_REFLECTIONS)
    try:
        while not process.ask(CountReflections(str(folder.path)))[0].is_all:
            pass
    except NoAnswerError as error:
        return str(error)
    finally:
        process.end()
    return ""
