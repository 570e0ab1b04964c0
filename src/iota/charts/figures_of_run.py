"""Files with the charts of a run, and of merged intensities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from iota.analysis.grid_tally import GridTally
from iota.analysis.intensities.merged import CurvePoint, Shell
from iota.analysis.summary import Summary
from iota.analysis.table.table import RunTable
from iota.charts.drift import drift_charts
from iota.charts.files import Sheet, write_sheet
from iota.charts.histograms import CELL, DISTANCE, RESOLUTION
from iota.charts.merging import by_resolution, multiplicity, over_lattices, strength
from iota.charts.run_charts import RunCharts
from iota.charts.spot_settings import heat_maps


def write_run_figures(table: RunTable, summary: Summary, folder: Path) -> list[str]:
    """Write the charts of a run; returns their names, none when nothing was integrated.

    Raises:
        OSError: the folder cannot be written.
        RunFolderError: the ledger cannot be read.
    """
    charts, tally = RunCharts(table), GridTally(table)
    charts.count(summary.n_frames, summary)
    tally.count()
    cells = [charts.histogram(quantity.name) for quantity in CELL]
    sheets = [
        Sheet(name="resolution", title="Resolution of integrated lattices", charts=[charts.histogram(RESOLUTION.name)]),
        Sheet(name="unit_cells", title=f"Unit cells of {charts.n_lattices} lattices", charts=cells, in_a_row=3),
        Sheet(name="beam_centre", charts=[charts.beam(), charts.histogram(DISTANCE.name)], in_a_row=2),
        Sheet(name="drift", charts=drift_charts(summary.geometry_drift), in_a_row=2),
        Sheet(name="spotfinding_heatmap", charts=heat_maps(tally.tally), in_a_row=2),
    ]
    sheets = [sheet for sheet in sheets if sheet.charts and not any(chart.empty for chart in sheet.charts)]
    if sheets:
        folder.mkdir(parents=True, exist_ok=True)
    for sheet in sheets:
        write_sheet(sheet, folder)
    return [sheet.name for sheet in sheets]


def write_merging_figure(shells: Sequence[Shell], curve: Sequence[CurvePoint], folder: Path) -> None:
    """Write quality by resolution and over lattices, ``merging.png`` and ``merging.pdf``.

    Raises:
        OSError: the folder cannot be written.
    """
    charts = [by_resolution(shells), over_lattices(curve), strength(shells), multiplicity(shells)]
    write_sheet(Sheet(name="merging", charts=charts, in_a_row=2), folder)
