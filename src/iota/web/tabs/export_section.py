"""Hand-over files on a page: formats, what the command says, and what was written."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
from nicegui import ui

from iota.errors import UsageError
from iota.runs.lists import write_named_list
from iota.web.layout import ago, sentences
from iota.web.own_process import OwnProcess, was_ended
from iota.web.selection import Selection
from iota.web.selection_bar import frames_of
from iota.workers.export import Export

_FORMATS = {
    "dials": ("DIALS", "Composite .expt and .refl, for dials.scale, dials.cosym and xia2.ssx_reduce"),
    "crystfel": ("CrystFEL", "Stream, geometry and cell, for partialator and process_hkl"),
    "lists": ("Lists", "Integrated images, for IOTA and for CrystFEL"),
}
_SELECTED = "selected_for_export"  # list of images in the run folder
_MOST_DOWNLOADED_BYTES = 50_000_000  # larger ones are taken from the folder


class ExportSection:
    """A card; the work is ``iota.export`` in a process of its own."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._folder = selection.live.folder.path
        self._process = OwnProcess("iota.export", "iota.cli.export", self._folder / "logs" / "export.txt")
        with ui.column().classes("iota-card gap-2"):
            ui.label("Hand over").classes("iota-title")
            with ui.row().classes("w-full items-center gap-3"):
                self._formats = {}
                for name, (label, tip) in _FORMATS.items():
                    self._formats[name] = ui.checkbox(label, value=True)
                    self._formats[name].tooltip(tip)
                self._only = ui.checkbox("Selected images only")
                self._run = ui.button("Export", icon="output", on_click=self._start).props("unelevated")
                self._cancel = ui.button("Cancel", on_click=self._process.end).props("flat")
                self._spinner = ui.spinner(size="sm")
            self._sentence = ui.label(
                "Few files with all integrated lattices, for DIALS, xia2 and CrystFEL."
            ).classes("iota-muted iota-path")  # fmt: skip
            self._exports = ui.select({}, label="Files").props("dense outlined options-dense").style("min-width: 260px")
            self._exports.on_value_change(self._show)
            self._result = ui.column().classes("w-full gap-1")
        self._show_work(False)
        self._show_selection()
        selection.on_rows(self._show_selection)
        self._list_exports()

    def _show_work(self, is_at_work: bool) -> None:
        self._run.set_enabled(not is_at_work)
        self._cancel.set_visibility(is_at_work)
        self._spinner.set_visibility(is_at_work)

    def _show_selection(self) -> None:
        rows = self._selection.rows
        self._only.set_visibility(rows is not None and len(rows) > 0)

    async def _start(self) -> None:
        self._show_work(True)
        with sentences():
            arguments = await self._arguments()
            status, said = await self._process.run([str(self._folder), *arguments], self._sentence.set_text)
            if status == 0:
                self._sentence.set_text("Exported.")
                self._list_exports()
            elif was_ended(status):
                self._sentence.set_text("The export was cancelled; nothing is kept of it.")
            else:
                self._sentence.set_text(said or f"iota.export ended with status {status}.")
        self._show_work(False)

    async def _arguments(self) -> list[str]:
        """Words of the command line.

        Raises:
            UsageError: no format is ticked, or no image is selected where a selection is wanted.
            RunFolderError: the list of the selected images cannot be written.
        """
        formats = [name for name, box in self._formats.items() if box.value]
        if not formats:
            raise UsageError("Tick at least one format.")
        words = [f"export.format={'+'.join(formats)}"]
        if self._only.visible and self._only.value:
            rows = self._selection.rows
            if rows is None or not len(rows):
                raise UsageError("No image is selected.")
            frames = await asyncio.to_thread(frames_of, self._selection, rows)
            path = await asyncio.to_thread(write_named_list, self._folder, _SELECTED, frames)
            words.append(f"export.frames={path}")
        return words

    # -- what was written

    def _list_exports(self) -> None:
        """Offer the exports there are, the newest chosen."""
        found = sorted((self._folder / "export").glob("[0-9]*/export.json"), reverse=True)
        options = {str(path.parent): f"export/{path.parent.name}, {ago(path.stat().st_mtime)}" for path in found}
        self._exports.set_visibility(bool(options))
        self._exports.set_options(options, value=next(iter(options), None))

    def _show(self) -> None:
        self._result.clear()
        if not self._exports.value:
            return
        folder = Path(self._exports.value)
        with sentences(), self._result:
            export = _read(folder)
            ui.label(f"{export.n_lattices} lattices on {export.n_frames} images, in {folder}").classes("iota-path")
            for remark in export.remarks:
                ui.label(remark).classes("iota-muted iota-path")
            with ui.row().classes("gap-1"):
                for file in export.files:
                    if file.n_bytes <= _MOST_DOWNLOADED_BYTES and (folder / file.name).is_file():
                        path = folder / file.name
                        button = ui.button(file.name, icon="download", on_click=lambda path=path: _download(path))
                        button.props("outline dense no-caps").tooltip(f"{file.what}, {file.n_bytes / 1e6:.2f} MB")


def _read(folder: Path) -> Export:
    """What was written into a folder.

    Raises:
        UsageError: it is gone, or not what it was.
    """
    try:
        return msgspec.json.decode((folder / "export.json").read_bytes(), type=Export)
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"{folder}/export.json cannot be read: {error}.") from error


def _download(path: Path) -> None:
    with sentences():
        ui.download(path.read_bytes(), path.name)
