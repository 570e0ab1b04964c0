"""The bar that shows the selection and its actions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from nicegui import ui

from iota.errors import RunFolderError
from iota.records import FrameRef
from iota.runs.lists import read_input_list, write_named_list
from iota.web.widgets.layout import sentences
from iota.web.widgets.links import start_link
from iota.web.widgets.open_frame import open_frame, open_image
from iota.web.widgets.selection import Rows, Selection

_MAX_LISTED = 2000  # images in the dialog; the list that is saved has all


def build(selection: Selection) -> None:
    """Make the bar."""
    SelectionBar(selection)


class SelectionBar:
    """Elements of the bar, which follow the selection."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        with ui.row().classes("iota-selection w-full items-center gap-2"):
            ui.icon("image").classes("iota-muted")
            self._name = ui.label().classes("iota-path iota-frame-name").mark("frame-name")
            self._view = ui.button("View", icon="visibility", on_click=self._open).props("outline dense no-caps")
            self._view.tooltip("Record and log of this frame")
            self._image = ui.button("Image", icon="grid_on", on_click=self._open_image).props("outline dense no-caps")
            self._image.tooltip("Detector image with spots and predictions, in a new tab")
            ui.space()
            with ui.row().classes("items-center gap-1") as self._set:
                self._words = ui.label().mark("set-words")
                self._button("View images", "grid_on", self._open_images)
                self._button("View list", "list", self.view_list)
                self._button("Save list", "save", self._save)
                self._button("Exclude", "block", self._exclude).tooltip("Save a list of all other frames")
                self._button("Process again", "replay", self._process_again).tooltip(
                    "Open the start page with these images and the settings of this run"
                )
                clear = ui.button(icon="close", on_click=selection.clear_rows).props("flat dense round")
                clear.tooltip("Clear the selection").props('aria-label="Clear the selection"')
        self._generation = selection.live.table.generation
        selection.live.subscribe(self._check)
        ui.context.client.on_delete(lambda: selection.live.unsubscribe(self._check))
        selection.on_frame(self._show_frame)
        selection.on_rows(self._show_rows)
        self._show_frame()
        self._show_rows()

    @staticmethod
    def _button(words: str, icon: str, action: object) -> ui.button:
        return ui.button(words, icon=icon, on_click=action).props("outline dense no-caps")  # type: ignore[arg-type]

    def _check(self) -> None:
        """Choose nothing when rows have become void, because the ledger was replaced."""
        if self._selection.live.table.generation != self._generation:
            self._generation = self._selection.live.table.generation
            self._selection.choose_frame(None)
            self._selection.clear_rows()

    def _show_frame(self) -> None:
        row = self._selection.frame
        self._view.set_visibility(row is not None)
        self._image.set_visibility(row is not None)
        if row is None:
            self._name.set_text("No frame selected: click a point or a row")
            self._name.classes(add="iota-muted")
            return
        try:
            text = str(self._selection.live.table.record(row).frame)
        except RunFolderError as error:
            text = str(error)
        self._name.set_text(f"Frame {row + 1}: {text}")
        self._name.classes(remove="iota-muted")

    def _show_rows(self) -> None:
        rows = self._selection.rows
        self._set.set_visibility(rows is not None)
        if rows is not None:
            images = "image" if len(rows) == 1 else "images"
            self._words.set_text(f"{len(rows)} {images}: {self._selection.words}")

    async def _open(self) -> None:
        if self._selection.frame is not None:
            await open_frame(self._selection, self._selection.frame)

    def _open_image(self) -> None:
        if self._selection.frame is not None:
            open_image(self._selection, self._selection.frame)

    def _open_images(self) -> None:
        if self._selection.rows is not None and len(self._selection.rows):
            open_image(self._selection, int(self._selection.rows.min()))

    async def view_list(self) -> None:
        """Show the images of the set; a click opens one."""
        await view_list(self._selection)

    async def _save(self) -> None:
        await self._ask_name("Save the selected images as a list", "selected", self._frames)

    async def _exclude(self) -> None:
        await self._ask_name("Save a list of all images except the selected ones", "without_selected", self._others)

    async def _ask_name(self, title: str, name: str, frames: object) -> None:
        folder = self._selection.live.folder.path
        with ui.dialog() as dialog, ui.card().classes("w-96"):
            ui.label(title).classes("iota-title")
            field = ui.input("Name", value=name, suffix=".lst").classes("w-full").props("autofocus")
            places = {str(folder): "in the run folder", str(folder.parents[1]): "in the project folder"}
            place = ui.radio(places, value=str(folder))
            with ui.row().classes("w-full justify-end"):
                ui.button("Cancel", on_click=dialog.close).props("flat")
                ui.button("Save", on_click=lambda: dialog.submit(True))
        dialog.on("hide", dialog.delete)
        if not await dialog:
            return
        with sentences():
            chosen: Sequence[FrameRef] = await frames()  # type: ignore[operator]
            path = await asyncio.to_thread(write_named_list, Path(place.value), field.value or "", chosen)
            ui.notify(f"{len(chosen)} images were saved to {path}", type="positive", multi_line=True, timeout=8000)

    async def _frames(self) -> list[FrameRef]:
        rows = self._selection.rows
        return [] if rows is None else await asyncio.to_thread(frames_of, self._selection, rows)

    async def _others(self) -> list[FrameRef]:
        """Frames of the run, finished or not, that are not in the set."""
        excluded = set(await self._frames())
        frames = await asyncio.to_thread(read_input_list, self._selection.live.folder)
        return [frame for frame in frames if frame not in excluded]

    async def _process_again(self) -> None:
        with sentences():
            frames = await self._frames()
            folder = self._selection.live.folder.path
            name = "again_" + "".join(c if c.isalnum() else "_" for c in self._selection.words)[:40].strip("_")
            path = await asyncio.to_thread(write_named_list, folder, name, frames)
            ui.navigate.to(start_link(self._selection.run_id, inputs=[path]))


def frames_of(selection: Selection, rows: Rows) -> list[FrameRef]:
    """Frames of rows, in the order of the ledger."""
    return [result.frame for result in selection.live.table.records(np.sort(rows))]


async def view_list(selection: Selection) -> None:
    """Show the images of the set; a click opens one."""
    rows = selection.rows
    if rows is None:
        return
    shown = rows[:_MAX_LISTED]
    with sentences():
        results = await asyncio.to_thread(lambda: list(selection.live.table.records(shown)))
        with ui.dialog() as dialog, ui.card().classes("iota-frame-card"):
            ui.label(f"{len(rows)} images: {selection.words}").classes("iota-title")
            if len(rows) > _MAX_LISTED:
                ui.label(f"The first {_MAX_LISTED} are shown; a saved list contains all.").classes("iota-muted")
            columns = [
                {"name": "row", "label": "Frame", "field": "number", "align": "right"},
                {"name": "path", "label": "Image", "field": "path", "align": "left", "classes": "iota-path"},
                {"name": "reason", "label": "Reason", "field": "reason", "align": "left"},
            ]
            table = ui.table(
                columns=columns,
                rows=[
                    {"row": row, "number": row + 1, "path": str(result.frame), "reason": result.reason}
                    for row, result in zip(shown.tolist(), results, strict=True)
                ],
                row_key="row",
            ).props("dense flat virtual-scroll hide-pagination :rows-per-page-options=[0] wrap-cells")
            table.classes("w-full iota-table").style("max-height:60vh")

            async def open_row(event: object) -> None:
                await open_frame(selection, int(event.args[1]["row"]))  # type: ignore[attr-defined]

            table.on("row-click", open_row)
            with ui.row().classes("w-full justify-end"):
                ui.button("Close", on_click=dialog.close).props("flat")
        dialog.on("hide", dialog.delete)
        dialog.open()
