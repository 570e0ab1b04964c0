"""A section that runs an IOTA command: options, progress, results."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from nicegui import ui

from iota.processes.command import Command
from iota.runs.lists import write_named_list
from iota.web.widgets.layout import sentences
from iota.web.widgets.selection import Selection
from iota.web.widgets.selection_bar import frames_of


class CommandSection:
    """A card; the command works on the run in a process of its own, which goes on when the page is closed.

    Those that inherit say the words below, make fields for the options, and find and show the results.
    """

    command: str  # ``merge`` of ``iota.merge``
    scope: str  # of its parameters, which have ``frames`` among them
    title: str
    about: str  # a sentence
    button: str
    icon: str
    done: str  # sentences for its end
    cancelled: str

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self.folder = selection.live.folder.path
        self._started: Command | None = None
        with ui.column().classes("iota-card gap-2"):
            ui.label(self.title).classes("iota-title")
            with ui.row().classes("w-full items-center gap-3"):
                self.make_options()
                self._only = ui.checkbox("Selected images only")
                self._run = ui.button(self.button, icon=self.icon, on_click=self._start).props("unelevated")
                self._cancel = ui.button("Cancel", on_click=self._end).props("flat")
                self._spinner = ui.spinner(size="sm")
            self._sentence = ui.label(self.about).classes("iota-muted iota-path")
            self._chosen = ui.select({}, label="Result").props("dense outlined options-dense")
            self._chosen.style("min-width: 260px").on_value_change(self._show)
            self._result = ui.column().classes("w-full gap-2")
        self._show_work(False)
        self._show_selection()
        selection.on_rows(self._show_selection)
        self._list()

    def make_options(self) -> None:
        """Make the fields."""
        raise NotImplementedError

    def options(self) -> dict[str, str]:
        """What the fields say, by names of parameters; raises a UsageError where it cannot be done."""
        raise NotImplementedError

    def find_results(self) -> Iterable[tuple[Path, str, bool]]:
        """Folders of results, the newest first, with a few words on each and whether it is done."""
        raise NotImplementedError

    def show_result(self, folder: Path) -> None:
        """Show a result; raises a UsageError where it cannot be read."""
        raise NotImplementedError

    # -- the work

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
            command = Command(f"iota.{self.command}", arguments, self.folder / "logs" / f"{self.command}.txt")
            self._started = command
            status = await command.ended(self._sentence.set_text)
            if status == 0:
                self._sentence.set_text(self.done)
            elif command.was_cancelled:
                self._sentence.set_text(self.cancelled)
            else:
                self._sentence.set_text(command.sentence + (" No results are kept." if status < 0 else ""))
            self._list()
        self._show_work(False)

    async def _end(self) -> None:
        if self._started is not None:
            await self._started.end()

    async def _arguments(self) -> list[str]:
        """Words of the command line.

        Raises:
            UsageError: the options cannot be done.
            RunFolderError: the list of the selected images cannot be written.
        """
        words = [f"{self.scope}.{name}={value}" for name, value in self.options().items()]
        rows = self._selection.rows
        if self._only.value and rows is not None and len(rows):
            frames = await asyncio.to_thread(frames_of, self._selection, rows)
            path = await asyncio.to_thread(write_named_list, self.folder, f"selected_for_{self.scope}", frames)
            words.append(f"{self.scope}.frames={path}")
        return [str(self.folder), *words]

    # -- what came out

    def _list(self) -> None:
        """Offer the results there are, the newest that is done chosen."""
        found = list(self.find_results())
        done = [str(folder) for folder, _, is_done in found if is_done]
        options = {str(folder): f"{self.command}/{folder.name}, {words}" for folder, words, _ in found}
        self._chosen.set_visibility(bool(options))
        self._chosen.set_options(options, value=next(iter(done or options), None))
        self._show()  # what is chosen may be the one before, and have come to its end

    def _show(self) -> None:
        self._result.clear()
        if self._chosen.value:
            with sentences(), self._result:
                self.show_result(Path(self._chosen.value))


def download_button(path: Path) -> ui.button:
    """Make a button that downloads a file."""
    return ui.button(path.name, icon="download", on_click=lambda: _download(path)).props("outline dense")


def _download(path: Path) -> None:
    with sentences():
        ui.download(path.read_bytes(), path.name)
