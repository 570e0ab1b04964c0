"""The dialog for opening an earlier run."""

from __future__ import annotations

import asyncio
from typing import Any

from nicegui import events, ui

from iota.web.site import Site
from iota.web.widgets.layout import ago

_COLUMNS: list[dict[str, Any]] = [
    {"name": "number", "label": "Run", "field": "number", "align": "right", "sortable": True},
    {"name": "status", "label": "Status", "field": "status", "align": "left"},
    {"name": "started", "label": "Started", "field": "started", "align": "left"},
    {"name": "frames", "label": "Frames", "field": "frames", "align": "right"},
    {"name": "description", "label": "Description", "field": "description", "align": "left"},
    {"name": "project", "label": "Project", "field": "project", "align": "left"},
]
_EVERYTHING, _SETTINGS = "everything", "settings only"


async def choose_run(site: Site) -> tuple[str, bool] | None:
    """Let a person choose a run; returns its id and whether all of it is wanted, None where they cancelled."""
    entries = await asyncio.to_thread(site.projects.runs)
    rows = [
        {
            "id": entry.id,
            "number": entry.number,
            "status": entry.status,
            "started": ago(entry.started),
            "frames": f"{entry.n_finished:,} / {entry.n_frames:,}",
            "description": entry.description,
            "project": entry.project,
        }
        for entry in entries
    ]
    with ui.dialog() as dialog, ui.card().classes("no-shadow").style("width: 860px; max-width: 95vw"):
        ui.label("Recover a run").classes("iota-title")
        table = ui.table(columns=_COLUMNS, rows=rows, row_key="id", selection="single", pagination=10)
        table.props('dense flat no-data-label="No runs yet."').classes("w-full iota-table")
        what = ui.toggle([_EVERYTHING, _SETTINGS], value=_EVERYTHING).props("dense unelevated no-caps")

        def submit() -> None:
            if table.selected:
                dialog.submit((str(table.selected[0]["id"]), what.value == _EVERYTHING))

        def clicked(event: events.GenericEventArguments) -> None:
            table.selected = [event.args[1]]

        def double_clicked(event: events.GenericEventArguments) -> None:
            clicked(event)
            submit()

        table.on("rowClick", clicked)
        table.on("rowDblclick", double_clicked)
        with ui.row().classes("w-full justify-end"):
            ui.button("Cancel", on_click=lambda: dialog.submit(None)).props("flat")
            button = ui.button("OK", on_click=submit).props("unelevated")
            button.bind_enabled_from(table, "selected", bool)
    answer: tuple[str, bool] | None = await dialog
    dialog.delete()
    return answer
