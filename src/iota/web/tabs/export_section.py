"""Export in the Analysis tab: formats and files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
from nicegui import ui

from iota.errors import UsageError
from iota.exports.record import Export
from iota.web.tabs.command_section import CommandSection, download_button
from iota.web.widgets.layout import ago

_FORMATS = {
    "dials": ("DIALS", "Composite .expt and .refl, for dials.scale, dials.cosym and xia2.ssx_reduce"),
    "crystfel": ("CrystFEL", "Stream, geometry and cell, for partialator and process_hkl"),
    "lists": ("Lists", "Integrated images, for IOTA and for CrystFEL"),
}
_MAX_DOWNLOADED_BYTES = 50_000_000  # larger ones are taken from the folder


class ExportSection(CommandSection):
    """A card; the work is ``iota.export``."""

    command, scope = "export", "export"
    title = "Export"
    about = "All integrated lattices in a few files, for DIALS, xia2 and CrystFEL."
    button, icon = "Export", "output"
    done, cancelled = "Exported.", "The export was cancelled; its files were removed."

    def make_options(self) -> None:
        """Make a box for each format."""
        self._formats = {}
        for name, (label, tip) in _FORMATS.items():
            self._formats[name] = ui.checkbox(label, value=True)
            self._formats[name].tooltip(tip)

    def options(self) -> dict[str, str]:
        """The formats that are ticked.

        Raises:
            UsageError: none is.
        """
        formats = [name for name, box in self._formats.items() if box.value]
        if not formats:
            raise UsageError("Select at least one format.")
        return {"format": "+".join(formats)}

    def find_results(self) -> Iterator[tuple[Path, str, bool]]:
        """Exports; those that were cancelled leave nothing."""
        for path in sorted((self.folder / "export").glob("[0-9]*/export.json"), reverse=True):
            yield path.parent, ago(path.stat().st_mtime), True

    def show_result(self, folder: Path) -> None:
        """Show what was exported, with the files.

        Raises:
            UsageError: it is gone, or not what it was.
        """
        try:
            export = msgspec.json.decode((folder / "export.json").read_bytes(), type=Export)
        except (OSError, msgspec.DecodeError) as error:
            raise UsageError(f"{folder}/export.json cannot be read: {error}.") from error
        ui.label(f"{export.n_lattices} lattices on {export.n_frames} images, in {folder}").classes("iota-path")
        for remark in export.remarks:
            ui.label(remark).classes("iota-muted iota-path")
        with ui.row().classes("gap-1"):
            for file in export.files:
                if file.n_bytes <= _MAX_DOWNLOADED_BYTES and (folder / file.name).is_file():
                    button = download_button(folder / file.name)
                    button.tooltip(f"{file.what}, {file.n_bytes / 1e6:.2f} MB")
