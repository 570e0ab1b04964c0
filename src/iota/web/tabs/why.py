"""The tab Why it failed: failures by stage and reason, with examples and hints."""

from __future__ import annotations

import asyncio

from nicegui import ui

from iota.analysis.cells.proportions import percent
from iota.analysis.failures import Failure, Key, failures, rows_of_failure
from iota.charts.colours import OUTCOME_COLOURS
from iota.records import OUTCOME_WORDS
from iota.web.live.run_charts import charts_of
from iota.web.live.runs import LiveRun
from iota.web.tabs.charts import choose_outcome
from iota.web.widgets.following import Following
from iota.web.widgets.links import start_link
from iota.web.widgets.open_frame import open_frame
from iota.web.widgets.scatter import SvgChart
from iota.web.widgets.selection import Selection
from iota.web.widgets.selection_bar import view_list

TAB = "why"
_MAX_REASONS = 40  # that are shown; the rarest are many when sentences quote file names


def build(live: LiveRun, selection: Selection) -> None:
    """Make the tab."""
    WhyTab(live, selection)


class WhyTab:
    """Elements of the tab, which follow the run."""

    def __init__(self, live: LiveRun, selection: Selection) -> None:
        self._live = live
        self._selection = selection
        self._charts = charts_of(live)
        self._shown: list[Key] | None = None  # keys of failures, from top to bottom
        self._labels: dict[Key, tuple[ui.label, ui.label]] = {}  # number and share
        self._last_example: dict[Key, int] = {}
        with ui.element("div").classes("iota-why"):
            with ui.column().classes("iota-card gap-1"):
                ui.label("Frames surviving each stage").classes("iota-title")
                self._funnel = SvgChart(self._charts.funnel(), self._pick, self._open)
                ui.label("Click a loss to select its frames.").classes("iota-muted")
            with ui.column().classes("iota-card gap-1"):
                ui.label("Reasons").classes("iota-title")
                self._list = ui.element("div").classes("iota-failures")
        Following(selection, TAB, self._refresh)

    def _pick(self, name: str) -> None:
        choose_outcome(self._selection, name)

    async def _open(self, name: str) -> None:
        choose_outcome(self._selection, name)
        await view_list(self._selection)

    async def _refresh(self) -> None:
        await self._charts.update()
        self._funnel.show(self._charts.funnel())
        found = await asyncio.to_thread(failures, self._live.table)
        if self._shown is not None and {f.key for f in found} == set(self._shown):
            for failure in found:
                self._show_number(failure)
            return
        self._shown = [failure.key for failure in found]
        self._labels.clear()
        self._list.clear()
        with self._list:
            if not found:
                ui.label(
                    "All finished frames are integrated." if self._live.table.n_rows else "No frames finished yet."
                ).classes("iota-muted")
            for failure in found[:_MAX_REASONS]:
                self._failure(failure)
            n_more = len(found) - _MAX_REASONS
            if n_more > 0:
                reasons = "reason" if n_more == 1 else "reasons"
                ui.label(f"and {n_more} more {reasons}; see the Frames tab.").classes("iota-muted")

    def _failure(self, failure: Failure) -> None:
        with ui.element("div").classes("iota-failure"):
            number = ui.label().classes("iota-failure-number iota-number")
            with ui.column().classes("gap-0 iota-failure-words"):
                with ui.row().classes("items-center gap-2 no-wrap"):
                    ui.element("div").classes("iota-dot").style(f"background:{OUTCOME_COLOURS[failure.outcome]}")
                    self._labels[failure.key] = (number, ui.label().classes("iota-muted"))
                    self._show_number(failure)
                ui.label(failure.reason or "No reason recorded.").classes("iota-path")
                hint = failure.hint
                if hint is not None:
                    with ui.element("div").classes("iota-hint"):
                        ui.icon("lightbulb", size="15px").classes("iota-muted")
                        ui.label(hint.sentence)
                        if hint.setting:
                            link = start_link(self._selection.run_id, setting=hint.setting)
                            ui.link("Open the setting", link).tooltip(hint.setting)
            with ui.row().classes("gap-1 no-wrap"):
                example = ui.button("Example", icon="visibility", on_click=lambda: self._example(failure))
                example.props("outline dense no-caps").tooltip("Open one of these frames; click again for the next")
                choose = ui.button("Select", icon="checklist", on_click=lambda: self._choose(failure))
                choose.props("outline dense no-caps").tooltip("Select all frames with this failure")

    def _show_number(self, failure: Failure) -> None:
        if failure.key in self._labels:  # the rarest are not shown
            number, share = self._labels[failure.key]
            number.set_text(str(failure.n))
            part = percent(failure.n, self._live.table.n_rows)
            share.set_text(f"{OUTCOME_WORDS[failure.outcome]}, {part} of finished frames")

    def _choose(self, failure: Failure) -> None:
        rows = rows_of_failure(self._live.table, failure)
        self._selection.choose_rows(rows, f"{OUTCOME_WORDS[failure.outcome]}: {failure.reason}".rstrip(".: "))

    async def _example(self, failure: Failure) -> None:
        rows = rows_of_failure(self._live.table, failure)
        number = self._last_example.get(failure.key, -1) + 1
        self._last_example[failure.key] = number
        self._choose(failure)
        await open_frame(self._selection, int(rows[number % len(rows)]))
