"""Merging in the Analysis tab: options, table 1, charts, files."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

from nicegui import ui

from iota.merging.merge_folders import merge_folders, merge_state
from iota.web.tabs.command_section import CommandSection, download_button
from iota.web.widgets.layout import ago

_FILES = ("merged.mtz", "table.txt", "merge.json", "merging.pdf", "merge.phil")
_WORDS = {
    "merging": "is in progress",
    "stopped": "was stopped",
    "failed": "failed",
    "interrupted": "was interrupted",
}


class MergingSection(CommandSection):
    """A card; the work is ``iota.merge``."""

    command, scope = "merge", "merging"
    title = "Merging"
    about = "Scales and merges all lattices consistent with the consensus: MTZ file, table 1, charts."
    button, icon = "Merge", "call_merge"
    done, cancelled = "Merged.", "Merging was cancelled."

    def make_options(self) -> None:
        """Make fields for engine, space group and resolution."""
        self._engine = ui.select(["dials", "prime", "xia2"], value="dials", label="Engine")
        self._engine.props("dense outlined options-dense").classes("iota-number-field")
        self._space_group = _field("Space group", "merging.space_group; if empty, that of the consensus")
        self._d_min = _field("Resolution (Å)", "merging.d_min; if empty, the median resolution of the lattices")

    def options(self) -> dict[str, str]:
        """What is filled in."""
        fields = {"engine": self._engine, "space_group": self._space_group, "d_min": self._d_min}
        values = {name: (field.value or "").strip() for name, field in fields.items()}
        return {name: value for name, value in values.items() if value}

    def find_results(self) -> Iterator[tuple[Path, str, bool]]:
        """Merges, those that have not come to a result among them."""
        for folder in merge_folders(self.folder):
            state = merge_state(folder)
            words = _WORDS.get(state.status) or ago(state.ended or folder.stat().st_mtime)
            yield folder, words, state.status == "done"

    def show_result(self, folder: Path) -> None:
        """Show what became of a merge: files, table 1 and charts, or why there are none."""
        state = merge_state(folder)
        is_done = state.status == "done"
        if not is_done:
            ui.label(f"merge/{folder.name} {_WORDS[state.status]}. {state.reason}".strip()).classes("iota-path")
        logs = sorted(path.name for path in folder.glob("*.log"))
        with ui.row().classes("gap-1"):
            for name in (*(_FILES if is_done else ("merge.phil",)), *logs):
                if (folder / name).is_file():
                    download_button(folder / name)
        if not is_done:
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
