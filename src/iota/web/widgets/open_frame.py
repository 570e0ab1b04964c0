"""The details of a frame: its record, the backend's log, and the command that shows its image."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path
from typing import Any

from nicegui import ui

from iota.charts.colours import OUTCOME_COLOURS
from iota.crystallography.cells import cell_text
from iota.installation import program
from iota.records import OUTCOME_WORDS, FrameResult, Lattice
from iota.web.widgets.layout import sentences
from iota.web.widgets.links import image_link
from iota.web.widgets.selection import Selection

_MAX_LOG = 200_000  # letters; of a longer log the end is shown


def open_image(selection: Selection, row: int) -> None:
    """Show the detector image of a frame in a tab of its own; next and previous go through the set it is in."""
    rows = selection.rows if selection.rows is not None and bool((selection.rows == row).any()) else None
    ui.navigate.to(image_link(selection.run_id, row, rows), new_tab=True)


async def open_frame(selection: Selection, row: int) -> None:
    """Show a frame of a run in a dialog, from which the next and previous ones can be reached."""
    selection.choose_frame(row)
    with ui.dialog() as dialog, ui.card().classes("iota-frame-card"):
        dialog.on("hide", dialog.delete)
        body = ui.column().classes("w-full gap-2")

        async def show() -> None:
            with sentences():
                if selection.frame is None:
                    return
                result = await asyncio.to_thread(selection.live.table.record, selection.frame)
                log = await asyncio.to_thread(_log, selection.live.folder.path, result)
                body.clear()
                with body:
                    _contents(selection, result, log)

        async def step(by: int) -> None:
            selection.step(by)
            await show()

        with ui.row().classes("w-full items-center gap-1"):
            previous = ui.button(icon="chevron_left", on_click=lambda: step(-1)).props("flat dense round")
            previous.tooltip("Previous frame of the selection").props('aria-label="Previous frame"')
            following = ui.button(icon="chevron_right", on_click=lambda: step(1)).props("flat dense round")
            following.tooltip("Next frame of the selection").props('aria-label="Next frame"')
            ui.space()
            ui.button("Close", on_click=dialog.close).props("flat")
        await show()
    dialog.open()


def _log(folder: Path, result: FrameResult) -> str:
    try:
        text = (folder / "logs" / f"{result.name}.log").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text if len(text) <= _MAX_LOG else "...\n" + text[-_MAX_LOG:]


def viewer_command(folder: Path, result: FrameResult) -> str:
    """The command that shows the image of a frame with what was found on it, to be typed into a terminal."""
    viewer = shlex.quote(program("iota.image_viewer") or "dials.image_viewer")
    files = [result.files[what] for what in ("experiments", "reflections", "strong") if what in result.files]
    if not files:
        return f"{viewer} {shlex.quote(result.frame.path)}"
    return " ".join([viewer, *(shlex.quote(str(folder / file)) for file in files)])


def _contents(selection: Selection, result: FrameResult, log: str) -> None:
    with ui.row().classes("items-center gap-2 no-wrap"):
        ui.element("div").classes("iota-dot").style(f"background:{OUTCOME_COLOURS[result.outcome]}")
        ui.label(str(result.frame)).classes("iota-title iota-path")
    words = OUTCOME_WORDS[result.outcome] + (f": {result.reason}" if result.reason else "")
    ui.label(f"Frame {(selection.frame or 0) + 1}, {words}")
    for attempt in result.attempts:
        ui.label(f"Tried {attempt}").classes("iota-muted")
    with ui.element("dl").classes("iota-facts"):
        for name, value in _facts(result):
            with ui.element("dt"):
                ui.label(name)
            with ui.element("dd"):
                ui.label(value)
    if result.lattices:
        ui.table(rows=[_row(k, lattice) for k, lattice in enumerate(result.lattices, 1)]).props("dense flat").classes(
            "w-full iota-table"
        )
    command = viewer_command(selection.live.folder.path, result)
    with ui.row().classes("w-full items-center no-wrap gap-2"):
        ui.label(command).classes("iota-mono iota-path iota-muted").style("flex:1")
        row = selection.frame or 0
        ui.button("Image", icon="grid_on", on_click=lambda: open_image(selection, row)).props(
            "unelevated dense no-caps"
        )
        copy = ui.button("Copy", icon="content_copy", on_click=lambda: _copy(command)).props("outline dense no-caps")
        copy.tooltip("Copy the command that opens this image in dials.image_viewer")
    with ui.expansion("Log of the backend", value=result.outcome != "integrated" and bool(log)).classes("w-full"):
        if log:
            ui.element("pre").classes("iota-log").style("max-height:45vh").props["textContent"] = log
        else:
            ui.label("There is no log: no files are written for blanks.").classes("iota-muted")


def _copy(command: str) -> None:
    ui.clipboard.write(command)
    ui.notify("Copied. Paste it into a terminal on a machine with a display.")


def _facts(result: FrameResult) -> list[tuple[str, str]]:
    facts = [("Spots", "not searched" if result.n_spots is None else str(result.n_spots))]
    if result.spots_d_min_A is not None:
        facts.append(("Resolution of spots", f"{result.spots_d_min_A:.2f} Å"))
    if result.settings:
        facts.append(("Settings", result.settings))
    facts += [("Note", sentence) for sentence in result.remarks]
    spent = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in result.seconds.items())
    facts.append(("Time (s)", f"{sum(result.seconds.values()):.2f}" + (f": {spent}" if spent else "")))
    return facts


def _row(number: int, lattice: Lattice) -> dict[str, Any]:
    def text(value: float | None, digits: int) -> str:
        return "" if value is None else f"{value:.{digits}f}"

    return {
        "#": number,
        "lattice": f"{lattice.bravais} ({lattice.space_group})",
        "cell (Å, °)": cell_text(lattice.unit_cell),
        "indexed": lattice.n_indexed,
        "integrated": lattice.n_integrated,
        "strong": lattice.n_strong,
        "RMSD (px)": text(lattice.rmsd_px, 2),
        "resolution (Å)": text(lattice.d_min_A, 2),
        "Wilson B (Å²)": text(lattice.wilson_b_A2, 1),
        "half-width mosaicity (°)": text(lattice.half_mosaicity_deg, 3),
    }
