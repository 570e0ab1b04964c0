"""The page that lists all runs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from fastapi import Request
from nicegui import events, ui

from iota.records import NOT_HITS
from iota.web.projects.launch import resume_run, stop_run
from iota.web.projects.projects import RunEntry, write_note
from iota.web.site import Site
from iota.web.widgets.browse import choose_folder
from iota.web.widgets.layout import ago, frame, sentences

_EVERY_S = 2.0
_COLUMNS: list[dict[str, Any]] = [
    {"name": "number", "label": "Run", "field": "number", "sortable": True, "align": "right"},
    {"name": "status", "label": "Status", "field": "status", "sortable": True, "align": "left"},
    {"name": "description", "label": "Description", "field": "description", "sortable": True, "align": "left"},
    {"name": "started", "label": "Started", "field": "started", "align": "left"},
    {"name": "frames", "label": "Frames", "field": "n_finished", "sortable": True, "align": "right"},
    {"name": "hits", "label": "Hits (%)", "field": "hit_rate", "sortable": True, "align": "right"},
    {"name": "integrated", "label": "Integrated (% of hits)", "field": "rate", "sortable": True, "align": "right"},
    {"name": "note", "label": "Note", "field": "note", "align": "left"},
    {"name": "host", "label": "Host", "field": "host", "sortable": True, "align": "left"},
    {"name": "actions", "label": "", "field": "id", "align": "right"},
]
_STATUS_CELL = """
<q-td :props="props">
  <q-badge outline :color="props.row.colour">{{ props.row.status_text }}</q-badge>
</q-td>"""
_FRAMES_CELL = """
<q-td :props="props" class="iota-number">{{ props.row.n_finished }} / {{ props.row.n_frames }}</q-td>"""
_NOTE_CELL = """
<q-td :props="props" class="iota-note" @click.stop>
  <span v-if="props.row.note">{{ props.row.note }}</span><span v-else class="iota-muted">add a note...</span>
  <q-popup-edit v-model="props.row.note" v-slot="scope" buttons label-set="Save" title="Note"
    @save="(text) => $parent.$emit('note', [props.row.id, text])">
    <q-input v-model="scope.value" dense autofocus autogrow @keyup.ctrl.enter="scope.set" />
  </q-popup-edit>
</q-td>"""
_ACTIONS_CELL = """
<q-td :props="props" auto-width>
  <q-btn v-if="props.row.is_at_work" flat dense round icon="stop" aria-label="Stop"
    @click.stop="$parent.$emit('stop', props.row.id)"><q-tooltip>Stop; finished frames are kept</q-tooltip></q-btn>
  <q-btn v-if="props.row.can_resume" flat dense round icon="play_arrow" aria-label="Resume"
    @click.stop="$parent.$emit('resume', props.row.id)"><q-tooltip>Resume where it stopped</q-tooltip></q-btn>
  <q-btn flat dense round icon="tune" aria-label="Recover settings"
    @click.stop="$parent.$emit('settings', props.row.id)"><q-tooltip>Set up again with its settings</q-tooltip></q-btn>
  <q-btn flat dense round icon="open_in_new" aria-label="Open"
    @click.stop="$parent.$emit('open', props.row.id)"><q-tooltip>Open the run</q-tooltip></q-btn>
</q-td>"""
_COLOURS = {"running": "primary", "watching": "primary", "queued": "warning", "finished": "positive"}


def register(site: Site) -> None:
    """Make the page."""

    @ui.page("/runs")
    async def runs_page(request: Request) -> None:
        with frame(request, "Runs", "/runs"):
            await _RunsPage(site).build()


class _RunsPage:
    def __init__(self, site: Site) -> None:
        self._site = site

    async def build(self) -> None:
        with ui.row().classes("w-full items-center"):
            ui.label("Runs").classes("text-h6")
            ui.space()
            ui.button("Other project...", icon="folder_open", on_click=self._add_project).props("outline")
            ui.button("New run", icon="add", on_click=lambda: ui.navigate.to("/")).props("unelevated")
        self._tables = ui.column().classes("w-full gap-3")
        self._shown: dict[Path, ui.table] = {}
        await self._refresh()
        ui.timer(_EVERY_S, self._refresh)

    async def _refresh(self) -> None:
        for project in self._site.projects.folders:
            entries = await asyncio.to_thread(self._site.projects.runs, project)
            if not entries and project != self._site.home:
                continue
            rows = [_row(entry) for entry in entries]
            if project not in self._shown:
                with self._tables:
                    self._shown[project] = self._table(project)
            if self._shown[project].rows != rows:
                self._shown[project].rows = rows

    def _table(self, project: Path) -> ui.table:
        with ui.column().classes("w-full gap-1"):
            ui.label(str(project)).classes("iota-muted iota-path")
            table = ui.table(columns=_COLUMNS, rows=[], row_key="id", pagination=20).classes("w-full iota-table")
            table.props('dense flat no-data-label="No runs yet. Set one up on the start page."')
        table.add_slot("body-cell-status", _STATUS_CELL)
        table.add_slot("body-cell-frames", _FRAMES_CELL)
        table.add_slot("body-cell-note", _NOTE_CELL)
        table.add_slot("body-cell-actions", _ACTIONS_CELL)
        table.on("rowClick", lambda event: _open(event.args[1]["id"]))
        table.on("open", lambda event: _open(event.args))
        table.on("settings", lambda event: ui.navigate.to(f"/?recover={event.args}"))
        table.on("note", self._note)
        table.on("stop", self._stop)
        table.on("resume", self._resume)
        return table

    async def _stop(self, event: events.GenericEventArguments) -> None:
        with sentences():
            await stop_run(self._site.projects.folder(event.args))
            ui.notify("The run will end within a second or two; finished frames are kept.")

    async def _resume(self, event: events.GenericEventArguments) -> None:
        with sentences():
            await resume_run(self._site.projects.folder(event.args))
            _open(event.args)

    def _note(self, event: events.GenericEventArguments) -> None:
        run_id, text = event.args
        with sentences():
            try:
                write_note(self._site.projects.folder(run_id), text)
            finally:
                for table in self._shown.values():
                    table.update()  # the browser shows what was typed, which may not be what is kept

    async def _add_project(self) -> None:
        folder = await choose_folder(str(self._site.home), "Project folder (contains integration/NNN)")
        if folder is not None:
            self._site.projects.add(Path(folder))
            await self._refresh()


def _open(run_id: str) -> None:
    ui.navigate.to(f"/run/{run_id}")


def _row(entry: RunEntry) -> dict[str, Any]:
    n_hits = entry.n_finished - sum(entry.counts.get(outcome, 0) for outcome in NOT_HITS)
    n_read = entry.n_finished - entry.counts.get("failed_import", 0)
    n_integrated = entry.counts.get("integrated", 0)
    was_killed = entry.status in ("running", "watching") and not entry.is_at_work
    return {
        "id": entry.id,
        "number": entry.number,
        "status": entry.status,
        "status_text": "killed" if was_killed else entry.status,
        "colour": "negative" if was_killed else _COLOURS.get(entry.status, "negative"),
        "is_at_work": entry.is_at_work,
        "can_resume": not entry.is_at_work and entry.status != "finished",
        "description": entry.description,
        "note": entry.note,
        "started": ago(entry.started),
        "n_finished": entry.n_finished,
        "n_frames": entry.n_frames,
        "hit_rate": round(100 * n_hits / n_read, 1) if n_read else "",
        "rate": round(100 * n_integrated / n_hits, 1) if n_hits else "",
        "host": entry.host,
    }
