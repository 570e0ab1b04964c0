"""The Analysis tab: summary, consensus lattice, clusters, resolution, geometry, heat map, report."""

from __future__ import annotations

from nicegui import ui

from iota.analysis.facts import Fact, lattice_facts, run_facts
from iota.charts.drift import drift_charts
from iota.charts.histograms import BEAM, RESOLUTION
from iota.charts.spot_settings import heat_maps
from iota.crystallography.cells import cell_text
from iota.geometry.drift.record import GeometryDrift
from iota.runs.geometry_revisions import Revision, used_pictures
from iota.web.live.heat_maps import grid_tally
from iota.web.live.run_charts import charts_of
from iota.web.live.runs import LiveRun
from iota.web.tabs.charts import picking_bars
from iota.web.tabs.clusters_section import ClustersSection
from iota.web.tabs.export_section import ExportSection
from iota.web.tabs.merging_section import MergingSection
from iota.web.widgets.following import Following
from iota.web.widgets.links import start_link
from iota.web.widgets.scatter import SvgChart
from iota.web.widgets.selection import Selection

TAB = "analysis"
_TITLES = {
    "search": "Geometry found by a search",
    "refinement": "Refined geometry",
    "drift": "Geometries of parts of the run",
}
_EVERY_S = 2.0
_PICTURE = 'alt="Displacements of the detector" fit=contain position="0 0"'


def build(live: LiveRun, selection: Selection) -> None:
    """Make the tab."""
    AnalysisTab(live, selection)


class AnalysisTab:
    """Elements of the tab, which follow the run."""

    def __init__(self, live: LiveRun, selection: Selection) -> None:
        self._live = live
        self._selection = selection
        self._charts = charts_of(live)
        self._tally = grid_tally(live)
        with ui.element("div").classes("iota-two"):
            with ui.column().classes("iota-card gap-1"):
                with ui.row().classes("w-full items-center"):
                    ui.label("Summary").classes("iota-title")
                    ui.space()
                    report = ui.button("Report", icon="print", on_click=self._report).props("outline dense no-caps")
                    report.tooltip("All results on one page, to print or save")
                    with ui.button(icon="download").props("outline dense").tooltip("Save the report"), ui.menu():
                        for kind, words in (("html", "HTML"), ("md", "Markdown")):
                            ui.menu_item(words, on_click=lambda kind=kind: self._save_report(kind))
                self._run = ui.element("dl").classes("iota-facts")
            with ui.column().classes("iota-card gap-1"):
                with ui.row().classes("w-full items-center"):
                    ui.label("Consensus lattice").classes("iota-title")
                    ui.space()
                    self._use = ui.button("Use as target", icon="my_location", on_click=self._use_target)
                    self._use.props("outline dense no-caps")
                    self._use.tooltip("Use this unit cell and space group as the target of a new run")
                self._lattice = ui.element("dl").classes("iota-facts")
                self._no_lattice = ui.label("No integrated frames yet.").classes("iota-muted")
        ClustersSection(selection)
        MergingSection(selection)
        ExportSection(selection)
        with ui.element("div").classes("iota-geometry"):
            with ui.column().classes("iota-card iota-card-tight"):
                self._beam = SvgChart()
            with ui.element("div").classes("iota-charts iota-charts-pairs"):
                self._histograms = {}
                for quantity in (RESOLUTION, *BEAM):
                    with ui.column().classes("iota-card iota-card-tight"):
                        self._histograms[quantity.name] = SvgChart(None, *picking_bars(selection, quantity.name))
        self._drift = ui.element("div").classes("iota-two")
        self._drift.set_visibility(False)
        self._drift_shown: GeometryDrift | None = None
        self._revised = ui.column().classes("w-full gap-3")
        self._revised_shown: list[tuple[Revision, int]] = []
        self._revised.set_visibility(False)
        with ui.column().classes("iota-card gap-1") as self._grid:
            ui.label("Grid search of spot-finding settings").classes("iota-title")
            with ui.element("div").classes("iota-two"):
                self._maps = [SvgChart(chart) for chart in heat_maps({})]
        self._grid.set_visibility(False)
        self._shown: list[list[Fact]] = []
        Following(selection, TAB, self._refresh, _EVERY_S)

    async def _refresh(self) -> None:
        await self._charts.update()
        summary = self._live.summary()
        facts = [run_facts(summary), lattice_facts(summary)]
        if facts != self._shown:
            self._shown = facts
            for place, some in zip((self._run, self._lattice), facts, strict=True):
                show_facts(place, some)
        self._use.set_visibility(bool(facts[1]))
        self._no_lattice.set_visibility(not facts[1])
        self._beam.show(self._charts.beam())
        for name, chart in self._histograms.items():
            chart.show(self._charts.histogram(name))
        self._show_drift(summary.geometry_drift)
        self._show_revisions(used_pictures(self._live.folder, summary.revisions))
        await self._tally.update()
        self._grid.set_visibility(bool(self._tally.tally))
        if self._tally.tally:
            for chart, described in zip(self._maps, heat_maps(self._tally.tally), strict=True):
                chart.show(described)

    def _show_drift(self, drift: GeometryDrift | None) -> None:
        if drift == self._drift_shown:
            return
        self._drift_shown = drift
        self._drift.set_visibility(drift is not None)
        self._drift.clear()
        with self._drift:
            for chart in drift_charts(drift):
                with ui.column().classes("iota-card iota-card-tight"):
                    SvgChart(chart)

    def _show_revisions(self, pictures: list[tuple[Revision, int]]) -> None:
        """Pictures of the displacements of the detector, by geometries of the run itself."""
        if pictures == self._revised_shown:
            return
        self._revised_shown = pictures
        self._revised.set_visibility(bool(pictures))
        self._revised.clear()
        with self._revised:
            for one, number in pictures:
                address = f"/run/{self._selection.run_id}/geometry/{number}.png"
                with ui.column().classes("iota-card gap-1"):
                    ui.label(_TITLES[one.method]).classes("iota-title")
                    ui.label(one.finding)
                    with ui.link(target=address, new_tab=True).classes("w-full"):
                        ui.image(address).props(_PICTURE).classes("iota-picture")
                    ui.label(one.folder).classes("iota-muted iota-path")

    def _use_target(self) -> None:
        consensus = self._live.summary().consensus
        if consensus is not None:
            values = {
                "cctbx_xfel.target_unit_cell": cell_text(consensus.unit_cell),
                "cctbx_xfel.target_space_group": consensus.space_group,
            }
            ui.navigate.to(start_link(self._selection.run_id, values=values))

    def _save_report(self, kind: str) -> None:
        ui.navigate.to(f"/run/{self._selection.run_id}/report.{kind}")

    def _report(self) -> None:
        ui.navigate.to(f"/run/{self._selection.run_id}/report", new_tab=True)


def show_facts(place: ui.element, facts: list[Fact]) -> None:
    """Show names and values in a definition list."""
    place.clear()
    with place:
        for fact in facts:
            with ui.element("dt"):
                ui.label(fact.label)
            with ui.element("dd").classes("iota-number"):
                ui.label(fact.text)
