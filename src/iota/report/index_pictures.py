"""Makes charts of measured reflections; for pages in a separate process, since cctbx would block the server."""

from __future__ import annotations

from pathlib import Path

import msgspec

from iota.analysis.intensities.index_chart import IndexChart, run_index_chart
from iota.charts.indices import colour_bar, completeness_chart, largest_multiplicity, slice_chart
from iota.charts.svg import svg
from iota.crystallography.cells import cell_text
from iota.errors import IotaError
from iota.processes.protocol import Tell
from iota.processes.question import Question
from iota.runs.miller_counts import read_miller_counts


class WantedPictures(msgspec.Struct, kw_only=True):
    """Which chart is wanted."""

    folder: str  # of the run
    space_group: str = ""  # as a person wrote it; empty is P 1


class IndexPictures(msgspec.Struct, kw_only=True):
    """The chart as SVG, or a sentence on why there is none."""

    sentence: str = ""
    slices: list[str] = []
    colours: str = ""
    completeness: str = ""
    words: str = ""  # what is shown


def pictures(question: WantedPictures, tell: Tell | None = None) -> IndexPictures:
    """Make the chart."""
    try:
        chart = run_index_chart(Path(question.folder), question.space_group or None)
    except IotaError as error:
        return IndexPictures(sentence=str(error))
    if chart is None:
        return IndexPictures(sentence=_why_none(Path(question.folder)))
    largest = largest_multiplicity(chart)
    return IndexPictures(
        slices=[svg(slice_chart(part, largest)) for part in chart.slices],
        colours=svg(colour_bar(largest)),
        completeness=svg(completeness_chart(chart)),
        words=_words(chart),
    )


def _why_none(folder: Path) -> str:
    found = read_miller_counts(folder)
    if found is not None and found.n_missing:
        return (
            f"The reflections of {found.n_missing} integrated frames cannot be read; their files may have been removed."
        )
    return "No reflections counted yet."


def _words(chart: IndexChart) -> str:
    lattices = "lattice" if chart.n_lattices == 1 else "lattices"
    words = f"{chart.space_group}, cell {cell_text(chart.unit_cell, 1)} (Å, °), {chart.n_lattices} {lattices}"
    if chart.n_other_lattices:
        words += f"; {chart.n_other_lattices} with other cells or space groups are excluded"
    if chart.n_missing:
        words += f"; the reflections of {chart.n_missing} frames cannot be read"
    if chart.is_cut:
        words += f"; limited to {chart.d_min_A:.2f} Å because this cell has very many reflections"
    return words


INDEX_PICTURES = Question(
    f"{__name__}:{pictures.__name__}", WantedPictures, IndexPictures, "Drawing this chart", seconds=120, nice=5
)
