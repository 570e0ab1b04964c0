"""The Charts tab: frames over time, outcomes, rates, cells, measured reflections."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import ui

from iota.analysis.table.columns import COLUMNS
from iota.charts.histograms import CELL, QUANTITIES, RESOLUTION, WILSON
from iota.records import OUTCOME_WORDS, OUTCOMES
from iota.web.live.run_charts import charts_of, rows_between, rows_of_outcome
from iota.web.live.runs import LiveRun
from iota.web.tabs.index_section import IndexSection
from iota.web.widgets.following import Following
from iota.web.widgets.scatter import Box, GrowingScatter, SvgChart
from iota.web.widgets.selection import Selection
from iota.web.widgets.selection_bar import view_list

TAB = "charts"
_WIDTHS = {WILSON.name: 240.0, RESOLUTION.name: 240.0}  # of histograms that stand beside a wide chart (px)
_CHOICES = (
    "d_min_A", "n_strong", "n_integrated", "n_spots", "spots_d_min_A", "n_indexed", "rmsd_px", "wilson_b_A2",
    "half_mosaicity_deg", "domain_size_A", "a_A", "b_A", "c_A", "beam_fast_px", "beam_slow_px", "seconds",
)  # fmt: skip


def build(live: LiveRun, selection: Selection) -> None:
    """Make the tab."""
    ChartsTab(live, selection)


class ChartsTab:
    """Elements of the tab, which follow the run."""

    def __init__(self, live: LiveRun, selection: Selection) -> None:
        self._live = live
        self._selection = selection
        self._charts = charts_of(live)
        self._columns = ["d_min_A", "n_strong"]
        with ui.column().classes("iota-card gap-1"):
            self._choices()
            self._place = ui.element("div").classes("w-full")
            self._make_scatter()
        with ui.column().classes("iota-card gap-1"):
            ui.label("Outcomes").classes("iota-title")
            self._outcomes = SvgChart(self._charts.outcome_bar(), self._pick_outcome, self._open_outcome)
        with ui.element("div").classes("iota-charts-twelve"):
            with ui.column().classes("iota-card iota-card-tight iota-six"):
                self._rates = SvgChart(self._charts.rates())
            self._histograms = {q.name: self._histogram(q.name, "iota-three") for q in (WILSON, RESOLUTION)}
            self._histograms |= {q.name: self._histogram(q.name, "iota-four") for q in CELL}
        IndexSection(selection, TAB)
        selection.on_frame(lambda: self._scatter.mark_frame(selection.frame))
        selection.on_rows(lambda: self._scatter.select(selection.rows))
        live.subscribe(self._pull)
        ui.context.client.on_delete(lambda: live.unsubscribe(self._pull))
        Following(selection, TAB, self._refresh)

    def _histogram(self, name: str, width: str) -> SvgChart:
        with ui.column().classes(f"iota-card iota-card-tight {width}"):
            return SvgChart(None, *picking_bars(self._selection, name))

    def _choices(self) -> None:
        options = {name: COLUMNS[name].title for name in _CHOICES}
        with ui.row().classes("w-full items-center gap-3"):
            ui.label("Frame by frame").classes("iota-title")
            for k, name in enumerate(self._columns):
                choice = ui.select(options, value=name, on_change=self._chosen(k))
                choice.props(f'dense outlined options-dense aria-label="Chart {k + 1}"').classes("iota-choice")
            ui.space()
            ui.label("Scroll to zoom, drag to move, Shift-drag to select, click to pick a frame").classes(
                "iota-muted gt-sm"
            )

    def _chosen(self, k: int) -> Callable[[object], None]:
        def change(event: object) -> None:
            self._columns[k] = event.value  # type: ignore[attr-defined]
            self._make_scatter()

        return change

    def _make_scatter(self) -> None:
        self._place.clear()
        with self._place:
            self._scatter = GrowingScatter(self._selection.run_id, self._columns)
        self._scatter.on_frame(self._selection.choose_frame)
        self._scatter.on_box(self._choose_box)
        if self._selection.frame is not None:
            self._scatter.mark_frame(self._selection.frame)
        if self._selection.rows is not None:
            self._scatter.select(self._selection.rows)

    def _pull(self) -> None:
        if self._selection.is_shown(TAB):
            self._scatter.pull()

    def _choose_box(self, box: Box) -> None:
        column = COLUMNS[box.column]
        rows = box.rows(self._live.table.column(box.column))
        limits = f"{column.text(box.low)} to {column.text(box.high)} {column.unit}".strip()
        self._selection.choose_rows(rows, f"box, {column.label.lower()} {limits}")

    def _pick_outcome(self, name: str) -> None:
        choose_outcome(self._selection, name)

    async def _open_outcome(self, name: str) -> None:
        choose_outcome(self._selection, name)
        await view_list(self._selection)

    async def _refresh(self) -> None:
        await self._charts.update()
        self._scatter.pull()
        self._outcomes.show(self._charts.outcome_bar())
        self._rates.show(self._charts.rates())
        for name, chart in self._histograms.items():
            chart.show(self._charts.histogram(name, _WIDTHS.get(name, 300.0)))


def choose_outcome(selection: Selection, name: str) -> None:
    """Select all frames of an outcome."""
    outcome = next(outcome for outcome in OUTCOMES if outcome == name)
    selection.choose_rows(rows_of_outcome(selection.live.table, outcome), OUTCOME_WORDS[outcome])


def picking_bars(selection: Selection, name: str) -> tuple[Callable[[str], None], Callable[[str], object]]:
    """What a click and a double click on a bar of a histogram do."""
    quantity = QUANTITIES[name]

    def pick(limits: str) -> None:
        low, high = (COLUMNS[name].text(float(word)) for word in limits.split(":"))
        words = f"{quantity.words} {low} to {high} {quantity.unit}".strip()
        selection.choose_rows(rows_between(selection.live.table, name, limits), words)

    async def open_(limits: str) -> None:
        pick(limits)
        await view_list(selection)

    return pick, open_
