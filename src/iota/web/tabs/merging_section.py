"""Merging on a page: options, what the command says, table 1, charts and files."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

from nicegui import ui

from iota.errors import UsageError
from iota.runs.lists import write_named_list
from iota.web.layout import ago, sentences
from iota.web.own_process import OwnProcess, was_ended
from iota.web.selection import Selection
from iota.web.selection_bar import frames_of
from iota.workers.merge_folders import merge_folders, merge_state

_SELECTED = "selected_for_merging"  # list of images in the run folder
_FILES = ("merged.mtz", "table.txt", "merge.json", "merging.pdf", "merge.phil")
_WORDS = {"merging": "is being made", "stopped": "was stopped", "failed": "failed"}


class MergingSection:
    """A card; the work is ``iota.merge`` in a process of its own, which goes on when the page is closed."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._folder = selection.live.folder.path
        self._process = OwnProcess("iota.merge", "iota.cli.merge", self._folder / "logs" / "merge.txt")
        with ui.column().classes("iota-card gap-2"):
            ui.label("Merging").classes("iota-title")
            with ui.row().classes("w-full items-center gap-3"):
                self._engine = ui.select(["dials", "prime", "xia2"], value="dials", label="Engine")
                self._engine.props("dense outlined options-dense").classes("iota-number-field")
                self._space_group = _field("Space group", "merging.space_group: empty is that of the consensus")
                self._d_min = _field("Resolution (Å)", "merging.d_min: empty is what half of the lattices reach")
                self._only = ui.checkbox("Selected images only")
                self._run = ui.button("Merge", icon="call_merge", on_click=self._start).props("unelevated")
                self._cancel = ui.button("Cancel", on_click=self._process.end).props("flat")
                self._spinner = ui.spinner(size="sm")
            self._sentence = ui.label(
                "One set of intensities from all lattices that fit the consensus: MTZ, table 1, charts."
            ).classes("iota-muted iota-path")
            self._merges = ui.select({}, label="Result").props("dense outlined options-dense").style("min-width: 260px")
            self._merges.on_value_change(self._show)
            self._result = ui.column().classes("w-full gap-2")
        self._show_work(False)
        self._show_selection()
        selection.on_rows(self._show_selection)
        self._list_merges()

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
                self._sentence.set_text("Merged.")
            elif was_ended(status):
                self._sentence.set_text("Merging was cancelled.")
            else:
                self._sentence.set_text(said or f"iota.merge ended with status {status}.")
        self._list_merges()
        self._show_work(False)

    async def _arguments(self) -> list[str]:
        """Words of the command line.

        Raises:
            UsageError: a list of the selected images is wanted, and none is selected.
            RunFolderError: the list cannot be written.
        """
        values = {
            "engine": self._engine.value,
            "space_group": self._space_group.value,
            "d_min": self._d_min.value,
        }
        words = [f"merging.{name}={value.strip()}" for name, value in values.items() if value and value.strip()]
        if self._only.visible and self._only.value:
            rows = self._selection.rows
            if rows is None or not len(rows):
                raise UsageError("No image is selected.")
            frames = await asyncio.to_thread(frames_of, self._selection, rows)
            path = await asyncio.to_thread(write_named_list, self._folder, _SELECTED, frames)
            words.append(f"merging.frames={path}")
        return words

    # -- what came out

    def _list_merges(self) -> None:
        """Offer the results there are, the newest that is done chosen."""
        options, done = {}, []
        for folder in merge_folders(self._folder):
            state = merge_state(folder)
            if state.status == "done":
                done.append(str(folder))
            words = _WORDS.get(state.status) or ago(state.ended or folder.stat().st_mtime)
            options[str(folder)] = f"merge/{folder.name}, {words}"
        self._merges.set_visibility(bool(options))
        self._merges.set_options(options, value=next(iter(done or options), None))
        self._show()

    def _show(self) -> None:
        self._result.clear()
        if not self._merges.value:
            return
        folder = Path(self._merges.value)
        state = merge_state(folder)
        logs = sorted(path.name for path in folder.glob("*.log"))
        with self._result:
            if state.status != "done":
                ui.label(f"merge/{folder.name} {_WORDS[state.status]}. {state.reason}".strip()).classes("iota-path")
            with ui.row().classes("gap-1"):
                for name in (*_FILES, *logs):
                    if (folder / name).is_file() and (state.status == "done" or name in (*logs, "merge.phil")):
                        button = ui.button(name, icon="download", on_click=lambda name=name: _download(folder / name))
                        button.props("outline dense")
            if state.status != "done":
                return
            with ui.element("div").classes("iota-two"):
                table = ui.element("pre").classes("iota-log iota-mono").style("overflow-x: auto; white-space: pre")
                table.props["textContent"] = _text(folder / "table.txt")
                chart = folder / "merging.png"
                if chart.is_file():
                    data = base64.b64encode(chart.read_bytes()).decode()
                    ui.image(f"data:image/png;base64,{data}").props('fit="contain"').style("background: white")


def _field(label: str, tip: str) -> ui.input:
    field = ui.input(label).props("dense outlined").classes("iota-number-field")
    field.tooltip(tip)
    return field


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _download(path: Path) -> None:
    with sentences():
        ui.download(path.read_bytes(), path.name)
