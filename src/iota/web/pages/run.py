"""The page of a run: status, controls, tabs."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from fastapi import Request
from nicegui import events, ui

from iota.errors import UsageError
from iota.records import CAN_RETRY, NOT_HITS, OUTCOME_WORDS, Outcome
from iota.runs import RunFolder, RunState
from iota.runs.control import give_order, read_order
from iota.web.live.runs import LiveRun, live_runs
from iota.web.projects.launch import ended, resume_run, stop_run
from iota.web.site import Site
from iota.web.tabs import analysis, charts, frames, log, settings, why
from iota.web.widgets import scatter, selection_bar
from iota.web.widgets.layout import duration, frame, sentences
from iota.web.widgets.selection import Selection

# name in addresses, name for people, icon, what makes it
_TABS: list[tuple[str, str, str, Callable[[LiveRun, Selection], None]]] = [
    ("charts", "Charts", "insights", charts.build),
    ("frames", "Frames", "table_rows", frames.build),
    ("why", "Why it failed", "troubleshoot", why.build),
    ("log", "Log", "article", log.build),
    ("analysis", "Analysis", "science", analysis.build),
    ("settings", "Settings", "tune", settings.build),
]
_RATE_OVER_S = 20.0  # frames per second are those of so long
_KILLED = "The process of this run no longer exists. Finished frames are kept; Resume processes the remaining frames."
_WORDS = {
    "queued": "queued",
    "running": "running",
    "watching": "watching for images",
    "finished": "finished",
    "aborted": "stopped",
    "failed": "failed",
}


def register(site: Site) -> None:
    """Make the page."""

    @ui.page("/run/{run_id}")
    async def run_page(request: Request, run_id: str, tab: str = "charts") -> None:
        try:
            folder = site.projects.folder(run_id)
        except UsageError as error:
            with frame(request, "No such run"):
                ui.label(str(error)).classes("iota-card")
                ui.button("All runs", on_click=lambda: ui.navigate.to("/runs")).props("outline")
            return
        live = live_runs.get(folder)
        selection = Selection(live, run_id)
        with frame(request, f"Run {folder.number}", "/runs"):
            scatter.add_style()
            _Header(site, run_id, live).build()
            selection_bar.build(selection)
            _build_tabs(live, selection, tab)


def _build_tabs(live: LiveRun, selection: Selection, first: str) -> None:
    """Tabs; one is made when it is first opened, so that the page is there at once, and then kept."""
    builders = {name: build for name, _, _, build in _TABS}
    first = first if first in builders else _TABS[0][0]
    made: set[str] = set()
    with ui.tabs().props("dense align=left inline-label no-caps").classes("w-full") as tabs:
        for name, label, icon, _ in _TABS:
            ui.tab(name, label=label, icon=icon)
    panels = ui.tab_panels(tabs, animated=False, keep_alive=True).classes("w-full bg-transparent")
    with panels:
        places = {name: ui.tab_panel(name).classes("p-0 gap-3") for name in builders}

    def show(name: str) -> None:
        selection.enter(name)
        if name not in made:
            made.add(name)
            with places[name], sentences():
                builders[name](live, selection)

    tabs.set_value(first)
    show(first)

    def changed(event: events.ValueChangeEventArguments[Any]) -> None:
        show(event.value)
        ui.run_javascript(f"history.replaceState(null, '', '?tab={event.value}')")

    panels.on_value_change(changed)


class _Header:
    """Name, progress and what can be done."""

    def __init__(self, site: Site, run_id: str, live: LiveRun) -> None:
        self._site, self._run_id, self._live = site, run_id, live
        self._folder: RunFolder = live.folder
        self._finished: deque[tuple[float, int]] = deque()  # time, finished frames
        self._retry_items: dict[Outcome, ui.item] = {}
        self._retried: dict[Outcome, ui.item_label] = {}  # their texts

    def build(self) -> None:
        """Make it."""
        entry = self._site.projects.entry(self._folder)
        with ui.column().classes("iota-card gap-2"):
            with ui.row().classes("w-full items-center gap-3"):
                ui.label(f"Run {self._folder.number}").classes("text-h6")
                self._status = ui.badge().props("outline")
                ui.label(entry.description).classes("iota-title")
                ui.space()
                self._monitor = ui.switch("Monitor mode")  # it follows the run; only a click orders something
                self._monitor.on("update:model-value", lambda event: self._monitor_clicked(event.args), [None])
                self._monitor.tooltip("Keep looking for new images in the inputs of this run")
                self._stop = ui.button("Stop", icon="stop", color="negative", on_click=self._stop_run).props("outline")
                self._resume = ui.button("Resume", icon="play_arrow", on_click=self._resume_run).props("unelevated")
                self._retry = ui.dropdown_button("Process again", icon="refresh", auto_close=True).props("outline")
                with self._retry:
                    for outcome in CAN_RETRY:
                        item = ui.item(on_click=lambda _, outcome=outcome: self._retry_images(outcome))
                        with item, ui.item_section():
                            self._retried[outcome] = ui.item_label()
                        self._retry_items[outcome] = item
                self._again = ui.button("Set up again", icon="replay", on_click=self._set_up_again).props("outline")
                self._again.tooltip("Open the start page with the settings of this run")
            self._bar = ui.linear_progress(0, show_value=False, size="8px").props("rounded instant-feedback")
            with ui.row().classes("w-full items-center gap-6 iota-number"):
                self._count, self._hits = ui.label(), ui.label()
                self._rate, self._left = ui.label(), ui.label()
                self._doing = ui.label().classes("iota-muted")
                ui.space()
                ui.label(str(self._folder.path)).classes("iota-muted iota-path")
            self._reason = ui.label().classes("iota-bad")
        self._show()
        self._live.subscribe(self._show)
        ui.context.client.on_delete(lambda: self._live.unsubscribe(self._show))

    def _show(self) -> None:
        state = self._live.state
        if state is None:
            self._status.set_text("being prepared")
            return
        at_work = self._live.is_at_work
        was_killed = not at_work and state.status in ("running", "watching")
        self._status.set_text("killed" if was_killed else _WORDS[state.status])
        bad = was_killed or state.status in ("failed", "aborted")
        self._status.props(f"color={'negative' if bad else 'positive' if state.status == 'finished' else 'primary'}")
        reason = self._live.problem or (_KILLED if was_killed else state.reason)
        self._reason.set_text(reason)
        self._reason.set_visibility(bool(reason))
        is_read = self._live.table.is_complete and not at_work  # the ledger is the truth; a state may be old
        n_finished = self._live.table.n_rows if is_read else max(state.n_finished, self._live.table.n_rows)
        n_frames = self._live.n_frames
        self._bar.set_value(n_finished / n_frames if n_frames else 0)
        n_hits, n_integrated = self._hits_of(state, is_read=is_read)
        self._count.set_text(f"{n_finished:,} of {n_frames:,} frames")
        waiting = f", {state.n_waiting:,} queued" if state.n_waiting else ""  # for the lattice, or for a worker
        self._hits.set_text(f"{n_hits:,} hits, {n_integrated:,} integrated{waiting}")
        self._tell_rate(state, n_finished, at_work)
        table = self._live.table
        is_reading = not table.is_complete and table.progress < 0.99
        reading = f"reading the ledger, {100 * table.progress:.0f} %" if is_reading else ""
        self._doing.set_text(reading or (state.doing if at_work else ""))
        self._stop.set_visibility(at_work)
        self._resume.set_visibility(not at_work and state.status != "finished")
        self._show_retry(at_work=at_work)
        self._monitor.set_visibility(state.status != "queued")
        if self._monitor.enabled:  # what was clicked is done
            is_watching = at_work and state.status == "watching" and read_order(self._folder) != "finish"
            self._monitor.set_value(is_watching)

    def _show_retry(self, *, at_work: bool) -> None:
        """Offer to process images again whose outcome was no fault of theirs, perhaps."""
        counts = self._live.summary().counts
        for outcome, item in self._retry_items.items():
            self._retried[outcome].set_text(f"{counts.get(outcome, 0):,} {OUTCOME_WORDS[outcome]}")
            item.set_visibility(bool(counts.get(outcome)))
        self._retry.set_visibility(not at_work and any(counts.get(outcome) for outcome in CAN_RETRY))

    def _hits_of(self, state: RunState, *, is_read: bool) -> tuple[int, int]:
        """Hits and integrated frames: of the ledger, or of the state while less of the ledger is read."""
        summary, n_in_state = self._live.summary(), sum(state.counts.values())
        if is_read or summary.n_finished >= n_in_state:
            return summary.n_hits, summary.n_integrated
        n_hits = n_in_state - sum(state.counts.get(outcome, 0) for outcome in NOT_HITS)
        return n_hits, state.counts.get("integrated", 0)

    def _tell_rate(self, state: RunState, n_finished: int, at_work: bool) -> None:
        now = time.monotonic()
        self._finished.append((now, n_finished))
        while len(self._finished) > 2 and now - self._finished[0][0] > _RATE_OVER_S:
            self._finished.popleft()
        since, n_before = self._finished[0]
        rate = (n_finished - n_before) / (now - since) if now - since > 1 else 0.0
        n_left = state.n_frames - n_finished
        self._rate.set_text(f"{rate:.1f} frames/s" if at_work and rate else "")
        self._left.set_text(f"about {duration(n_left / rate)} left" if at_work and rate and n_left > 0 else "")

    async def _stop_run(self) -> None:
        with sentences():
            await stop_run(self._folder)
            ui.notify("The run will end within a second or two; finished frames are kept.")

    async def _resume_run(self) -> None:
        with sentences():
            await resume_run(self._folder)

    async def _retry_images(self, outcome: Outcome) -> None:
        with sentences():
            await resume_run(self._folder, retry=[outcome])

    async def _monitor_clicked(self, is_on: bool) -> None:
        self._monitor.set_enabled(False)
        with sentences():
            if is_on:
                if self._live.is_at_work:  # frames in work are begun anew
                    await stop_run(self._folder)
                    await ended(self._folder)
                await resume_run(self._folder, watch=True)
            else:
                give_order(self._folder, "finish")
                ui.notify("Monitor mode is off; the run ends once the queued images are processed.")
        self._monitor.set_enabled(True)

    def _set_up_again(self) -> None:
        ui.navigate.to(f"/?recover={self._run_id}")
