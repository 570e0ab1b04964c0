"""A file browser for folders on the server."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from nicegui import background_tasks, events, ui

from iota.processes.question import NoAnswerError
from iota.processes.question_queue import Cancelled, Latest
from iota.web.searches.folder_listing import LIST_FOLDER, ListFolder, Listing
from iota.web.searches.searching import folder_searches

_COLUMNS: list[dict[str, Any]] = [
    {"name": "name", "label": "Name", "field": "name", "align": "left", "sortable": True},
    {"name": "size", "label": "Size", "field": "size_text", "align": "right"},
    {"name": "changed", "label": "Modified", "field": "changed", "align": "right", "sortable": True},
]
_NAME_CELL = """
<q-td :props="props"><q-icon :name="props.row.is_folder ? 'folder' : 'description'" size="18px" class="q-mr-sm"
  :color="props.row.is_folder ? 'primary' : 'grey-6'" />{{ props.row.name }}</q-td>"""


async def choose_folder(start: str, title: str = "Choose a folder") -> str | None:
    """Let a person choose one folder of the server; None where they close the dialog."""
    chosen = await choose_path(start, title=title, folders=True, files=False, several=False)
    return chosen[0] if chosen else None


async def choose_path(
    start: str,
    *,
    title: str = "Choose images, folders or lists",
    folders: bool = True,
    files: bool = True,
    several: bool = True,
    pattern: str = "",
) -> list[str]:
    """Let a person choose paths of the server; empty where they close the dialog.

    Args:
        start: path where the browser opens; the nearest folder that is there is taken.
        title: what is asked for.
        folders: whether folders can be chosen.
        files: whether files can be chosen.
        several: whether more than one can be chosen.
        pattern: names that are shown at first.
    """
    dialog = _Browser(start, title, folders, files, several, pattern)
    background_tasks.create(dialog.go(_nearest_folder(start)), name="list folder")
    answer = await dialog.dialog
    dialog.leave()
    dialog.dialog.clear()
    return list(answer or [])


class _Browser:
    def __init__(self, start: str, title: str, folders: bool, files: bool, several: bool, pattern: str) -> None:
        self._folders, self._files = folders, files
        self._search = Latest(folder_searches)
        ui.context.client.on_disconnect(self.leave)
        self._folder = self._listed = start
        with ui.dialog() as self.dialog, ui.card().classes("no-shadow").style("width: 820px; max-width: 95vw"):
            ui.label(title).classes("iota-title")
            with ui.row().classes("w-full items-center no-wrap gap-1"):
                ui.button(icon="arrow_upward", on_click=self._up).props('flat dense aria-label="Parent folder"')
                ui.button(icon="home", on_click=self._home).props('flat dense aria-label="Home folder"')
                self._path = ui.input(label="Folder").props("dense outlined").classes("col-grow iota-mono")
                self._path.on("keydown.enter", self._typed)
                self._filter = ui.input(label="Filter", value=pattern, on_change=self._again)
                self._filter.props("dense outlined clearable debounce=250").style("width: 150px")
            self._problem = ui.label().classes("iota-bad")
            self._table = ui.table(
                columns=_COLUMNS, rows=[], row_key="path", selection="multiple" if several else "single"
            )
            self._table.props('dense flat virtual-scroll hide-bottom no-data-label="Nothing here"')
            self._table.classes("w-full iota-table").style("height: 420px")
            self._table.add_slot("body-cell-name", _NAME_CELL)
            self._table.on("rowClick", self._click)
            self._table.on("rowDblclick", self._double_click)
            self._table.on_select(self._tell)
            with ui.row().classes("w-full items-center"):
                self._count = ui.label().classes("iota-muted")
                ui.space()
                ui.button("Cancel", on_click=lambda: self.dialog.submit(None)).props("flat")
                if folders:
                    ui.button("Choose this folder", on_click=lambda: self.dialog.submit([self._folder])).props(
                        "outline"
                    )
                self._choose = ui.button("Choose selected", on_click=self._submit).props("unelevated")

    def leave(self) -> None:
        """Nobody waits for the folder any more."""
        if self._search.is_at_work:
            self._search.cancel()
            self._tell()

    async def go(self, folder: str) -> None:
        """Show a folder."""
        self._folder = os.path.abspath(Path(folder).expanduser())  # noqa: PTH100 - links stay as people know them
        self._path.set_value(self._folder)  # at once: people go on typing while it is listed
        self._count.set_text("Reading the folder...")
        question = ListFolder(self._folder, self._filter.value or "", self._files)
        try:
            listing = await self._search.ask(LIST_FOLDER, question, self._tell_progress)
        except Cancelled:
            return
        except NoAnswerError as error:
            listing = Listing(self._folder, problem=str(error))
        self._problem.set_text(listing.problem)
        if listing.problem:
            self._folder = self._listed
            self._tell()
            return
        self._listed = listing.folder
        self._table.selected.clear()
        self._table.rows = [
            {
                "name": entry.name,
                "path": entry.path,
                "is_folder": entry.is_folder,
                "size_text": "" if entry.is_folder else _size(entry.size),
                "changed": time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.changed)),
            }
            for entry in listing.entries
        ]
        if listing.n_left_out:
            self._problem.set_text(f"{listing.n_left_out} more are not shown; use the filter.")
        self._tell()

    def _tell_progress(self, n_names: float) -> None:
        self._count.set_text(f"Reading the folder: {n_names:,.0f} names so far")

    def _tell(self) -> None:
        n = len(self._table.selected)
        way_in = "; double-click to open a folder" if any(row["is_folder"] for row in self._table.rows) else ""
        n_shown = len(self._table.rows)
        shown = f"{n_shown} item{'' if n_shown == 1 else 's'}{way_in}"
        self._count.set_text(f"{n} selected" if n else shown)
        self._choose.set_enabled(bool(self._allowed()))

    def _allowed(self) -> list[str]:
        return [row["path"] for row in self._table.selected if self._folders or not row["is_folder"]]

    def _submit(self) -> None:
        self.dialog.submit(self._allowed())

    def _click(self, event: events.GenericEventArguments) -> None:
        """Select a row; a double click goes into a folder, here as in any file dialog."""
        row = event.args[1]
        is_selected = any(one["path"] == row["path"] for one in self._table.selected)
        others = [one for one in self._table.selected if one["path"] != row["path"]]
        several = self._table._props["selection"] == "multiple"
        self._table.selected = (others if is_selected else [*others, row]) if several else [row]
        self._tell()

    async def _double_click(self, event: events.GenericEventArguments) -> None:
        row = event.args[1]
        if row["is_folder"]:
            await self.go(row["path"])
        elif self._files:
            self.dialog.submit([row["path"]])

    async def _up(self) -> None:
        await self.go(str(Path(self._folder).parent))

    async def _home(self) -> None:
        await self.go(str(Path.home()))

    async def _typed(self) -> None:
        path = Path(str(self._path.value)).expanduser()
        if self._files and path.is_file():
            self.dialog.submit([str(path)])
            return
        await self.go(str(path))

    async def _again(self) -> None:
        await self.go(self._folder)


def _nearest_folder(path: str) -> str:
    folder = Path(path or ".").expanduser().absolute()
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return str(folder)


def _size(n_bytes: int) -> str:
    size = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return ""
