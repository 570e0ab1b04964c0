"""The Settings tab: differences from the defaults or another run, and scripts that repeat the run."""

from __future__ import annotations

import asyncio
import html
from pathlib import Path

from nicegui import ui

from iota.params import compare
from iota.runs import RunFolder
from iota.web.live.runs import LiveRun
from iota.web.widgets.layout import sentences
from iota.web.widgets.selection import Selection


def build(live: LiveRun, selection: Selection) -> None:
    """Make the tab."""
    _SettingsTab(live.folder).build()


class _SettingsTab:
    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def build(self) -> None:
        others = _other_runs(self._folder)
        with ui.row().classes("w-full items-center q-py-sm gap-3"):
            self._against = ui.select({"": "the defaults", **others}, value="", label="Differences from")
            self._against.props("dense outlined options-dense").style("min-width: 220px")
            self._against.on_value_change(self._show)
            ui.space()
            for path in (self._folder.script, self._folder.target, self._folder.path / "prime.phil"):
                if path.is_file():
                    button = ui.button(path.name, icon="download", on_click=lambda path=path: _download(path))
                    button.props("outline dense")
        with (
            ui.element("div")
            .classes("w-full")
            .style("display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 12px")
        ):
            with ui.column().classes("gap-1"):
                ui.label("IOTA").classes("iota-title")
                self._iota = ui.html("", sanitize=False).classes("w-full")
            with ui.column().classes("gap-1"):
                ui.label("Backend (dials.stills_process)").classes("iota-title")
                self._backend = ui.html("", sanitize=False).classes("w-full")
        ui.timer(0, self._show, once=True)

    async def _show(self) -> None:
        with sentences():
            other = RunFolder(Path(self._against.value)) if self._against.value else None
            mine, theirs = await asyncio.to_thread(_scripts, self._folder, other)
            self._iota.set_content(_difference(*mine))
            self._backend.set_content(_difference(*theirs))


def _scripts(folder: RunFolder, other: RunFolder | None) -> tuple[tuple[list[str], bool], tuple[list[str], bool]]:
    """Lines that differ, of IOTA's and of the backend's parameters, and whether the two compare runs."""
    iota = compare.script_difference(folder.script, other.script if other else None)
    backend = compare.target_difference(folder.target, other.target if other else None, folder.script)
    return (iota, other is not None), (backend, other is not None)


def _difference(lines: list[str], is_between_runs: bool) -> str:
    none = "No differences." if is_between_runs else "All parameters are at their defaults."
    text = html.escape("\n".join(lines)) or none
    return f'<pre class="iota-log iota-mono">{text}</pre>'


def _other_runs(folder: RunFolder) -> dict[str, str]:
    try:
        paths = sorted(path for path in folder.path.parent.iterdir() if path.name.isdigit() and path != folder.path)
    except OSError:
        return {}
    return {str(path): f"run {int(path.name)}" for path in paths if (path / "run.json").is_file()}


def _download(path: Path) -> None:
    with sentences():
        ui.download(path.read_bytes(), path.name)
