"""The list of inputs on the start page: path, kind, number of images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import events, ui

from iota.inputs.finding.search_job import COUNT_IMAGES, Counted, SourceCount
from iota.inputs.names.select import select_range
from iota.processes.question import NoAnswerError
from iota.processes.question_queue import Cancelled, Latest
from iota.web.projects.setup import Setup
from iota.web.searches.counting import count_question, in_folder, kept_list, lines_of
from iota.web.searches.searching import image_searches
from iota.web.widgets.browse import choose_path
from iota.web.widgets.layout import notify_error, sentences
from iota.web.widgets.links import images_link

_UPLOAD_BYTES = 3_000_000  # below what the server takes in one request
_COLUMNS: list[dict[str, Any]] = [
    {"name": "path", "label": "Path", "field": "path", "align": "left"},
    {"name": "kind", "label": "Kind", "field": "kind", "align": "left"},
    {"name": "n", "label": "Images", "field": "n", "align": "right"},
    {"name": "actions", "label": "", "field": "path", "align": "right"},
]
_PATH_CELL = """
<q-td :props="props" class="iota-path-cell"><span class="iota-mono iota-path">{{ props.row.path }}</span>
  <div v-if="props.row.problem" class="iota-bad iota-small">{{ props.row.problem }}</div></q-td>"""
_COUNT_CELL = """
<q-td :props="props" class="iota-number"><q-spinner v-if="props.row.is_counting" size="16px" color="grey-6" />
  <span v-else>{{ props.row.n?.toLocaleString('en') }}</span></q-td>"""
_ACTIONS_CELL = """
<q-td :props="props" auto-width class="no-wrap" @dblclick.stop>
  <q-btn flat dense round icon="visibility" aria-label="View images" @click="$parent.$emit('view', props.row.key)">
    <q-tooltip>View images</q-tooltip></q-btn>
  <q-btn flat dense round icon="info" aria-label="Information" @click="$parent.$emit('info', props.row.key)">
    <q-tooltip>Show the contents</q-tooltip></q-btn>
  <q-btn flat dense round icon="delete_outline" aria-label="Remove" @click="$parent.$emit('remove', props.row.key)">
    <q-tooltip>Remove from the list</q-tooltip></q-btn>
</q-td>"""
_HOW_MANY = {"1": "First image", "10": "First 10", "50": "First 50", "100": "First 100", "all": "All", "other": "Other"}


class InputList:
    """Card with the inputs of a setup; ``on_change`` is called when they or their count change."""

    def __init__(self, setup: Setup, on_change: Callable[[], None]) -> None:
        self._setup, self._on_change = setup, on_change
        self._search = Latest(image_searches)
        self.found: Counted | None = None  # None while they are counted, or where that was given up
        self._is_given_up = False
        ui.context.client.on_disconnect(self._search.cancel)
        ui.context.client.on_connect(self._come_back)
        with ui.column().classes("iota-card iota-compact gap-2"):
            with ui.row().classes("w-full items-center no-wrap gap-2"):
                ui.label("Images").classes("iota-title")
                ui.space()
                ui.button("List...", icon="playlist_add", on_click=self._paste).props("flat dense").tooltip(
                    "Paste or drop a list of paths"
                )
            with ui.row().classes("w-full items-center no-wrap gap-2"):
                self._box = ui.input(placeholder="/path/to/images, /path/*.cbf, list.lst, master.h5, detector.geom")
                self._box.props('dense outlined clearable aria-label="Input path"').classes("col-grow iota-mono")
                self._box.on("keydown.enter", self._typed).mark("input-path")
                ui.button("Add", icon="add", on_click=self._typed).props("outline")
                ui.button("Browse...", icon="folder_open", on_click=self._browse).props("outline")
            self._table = ui.table(columns=_COLUMNS, rows=[], row_key="key").classes("w-full iota-inputs")
            self._table.props('dense flat hide-bottom :rows-per-page-options="[0]"')
            for name, template in (("path", _PATH_CELL), ("n", _COUNT_CELL), ("actions", _ACTIONS_CELL)):
                self._table.add_slot(f"body-cell-{name}", template)
            self._table.on("view", lambda event: self._view(event.args))
            self._table.on("info", lambda event: self._info(event.args))
            self._table.on("remove", self._remove)
            self._table.on("rowDblclick", lambda event: self._view(event.args[1]["key"]))
            self._empty = ui.column().classes("w-full items-center gap-0 iota-empty")
            with self._empty:
                ui.icon("add_photo_alternate").classes("iota-empty-icon")
                ui.label(
                    "Add images, folders, wildcards, lists or HDF5 masters, and a CrystFEL geometry file if needed."
                )
                ui.label("Paths refer to the machine on which IOTA is running.").classes("iota-muted iota-small")
            with ui.row().classes("w-full items-center no-wrap gap-2"):
                self._bar = ui.linear_progress(show_value=False).props("indeterminate rounded").classes("col-grow")
                self._cancel = ui.button("Cancel", on_click=self._cancelled).props("flat dense")
                ui.space()
                self._total = ui.label().classes("iota-number iota-total").mark("total-images")
            self._problem = ui.label().classes("iota-bad iota-small iota-path")

    @property
    def n_images(self) -> int | None:
        """Images in all inputs; None while they are counted."""
        return None if self.found is None else self.found.n_frames

    async def refresh(self) -> None:
        """Show the inputs of the setup and count them."""
        self.found, self._is_given_up = None, False
        self._problem.set_text("")
        if not self._setup.inputs:
            self.found = Counted(0, [])
            self._search.cancel()
            self._show()
            return
        self._show()
        geometry = self._setup.iota.get("image_import.crystfel_geometry", "")
        question = count_question(self._setup.inputs, self._setup.home, geometry)
        try:
            self.found = await self._search.ask(COUNT_IMAGES, question, self._progress)
        except Cancelled:
            return
        except NoAnswerError as error:
            self._problem.set_text(str(error))
            self._give_up()
            return
        self._show()

    def leave(self) -> None:
        """Count no more: the list is shown no more."""
        self._is_given_up = True
        self._search.cancel()

    async def _come_back(self) -> None:
        """Count again what was left uncounted when the connection was lost."""
        if self.found is None and not self._is_given_up and not self._search.is_at_work:
            await self.refresh()

    def _show(self) -> None:
        found, inputs = self.found, self._setup.inputs
        is_counting = found is None and bool(inputs) and not self._is_given_up
        rows = []
        for key, path in enumerate(inputs):
            source = found.sources[key] if found is not None and key < len(found.sources) else None
            said = source.problems if source is not None else []
            more = f" (and {source.n_problems - 1} more)" if source is not None and source.n_problems > 1 else ""
            rows.append(
                {
                    "key": key,
                    "path": path,
                    "kind": "" if source is None else {"nothing": "missing"}.get(source.kind, source.kind),
                    "n": None if source is None else source.n_frames,
                    "is_counting": is_counting,
                    "problem": said[0] + more if said else "",
                }
            )
        self._table.rows = rows
        self._table.set_visibility(bool(rows))
        self._empty.set_visibility(not rows)
        self._bar.set_visibility(is_counting)
        self._cancel.set_visibility(is_counting)
        if found is not None:
            self._total.set_text(f"{found.n_frames:,} image{'' if found.n_frames == 1 else 's'} in total")
        self._on_change()

    def _progress(self, n_frames: float) -> None:
        self._total.set_text(f"{n_frames:,.0f} images so far")

    def _cancelled(self) -> None:
        self._search.cancel()
        self._give_up()

    def _give_up(self) -> None:
        self._is_given_up = True
        self._total.set_text("Not counted; the run will count them")
        self._show()

    # -- adding and removing

    async def add(self, paths: list[str]) -> None:
        """Add inputs that are not there yet."""
        new = [path for path in dict.fromkeys(paths) if path not in self._setup.inputs]
        if new:
            self._setup.inputs += new
            await self.refresh()

    async def _typed(self) -> None:
        text = str(self._box.value or "").strip()
        if text:
            self._box.set_value("")
            await self.add(lines_of(text))

    async def _browse(self) -> None:
        last = next((path for path in reversed(self._setup.inputs) if "*" not in path), ".")
        await self.add(await choose_path(in_folder(last, self._setup.home)))

    async def _remove(self, event: events.GenericEventArguments) -> None:
        del self._setup.inputs[int(event.args)]
        await self.refresh()

    async def _paste(self) -> None:
        with ui.dialog() as dialog, ui.card().classes("no-shadow").style("width: 720px; max-width: 95vw"):
            ui.label("List of images").classes("iota-title")
            ui.label("One path per line; lines starting with # are ignored.").classes("iota-muted")
            box = ui.textarea(placeholder="/data/visit/image_00001.cbf").props("outlined dense rows=10")
            box.classes("w-full iota-mono").mark("pasted-list")

            async def dropped(event: events.UploadEventArguments) -> None:
                try:
                    text = (await event.file.read()).decode("utf-8")
                except UnicodeDecodeError:
                    notify_error(f"{event.file.name} is not a list of paths. Drop a text file here.")
                    return
                box.set_value(f"{box.value or ''}{text}")

            upload = ui.upload(
                label="Drop a list file here",
                auto_upload=True,
                max_file_size=_UPLOAD_BYTES,
                on_upload=dropped,
                on_rejected=lambda: notify_error(
                    f"Dropped lists are limited to {_UPLOAD_BYTES // 10**6} MB. Add the path of the list instead."
                ),
            )
            upload.props('flat bordered accept=".lst,.list,.txt,text/plain"').classes("w-full iota-drop")
            with ui.row().classes("w-full justify-end"):
                ui.button("Cancel", on_click=lambda: dialog.submit(None)).props("flat")
                ui.button("Add", on_click=lambda: dialog.submit(box.value)).props("unelevated")
        text = await dialog
        dialog.delete()
        try:
            await self.add(kept_list(lines_of(text or ""), self._setup.project))
        except OSError as error:
            notify_error(f"The list cannot be written to {self._setup.project}: {error.strerror}.")

    # -- looking at them

    def _source(self, key: int) -> SourceCount | None:
        return None if self.found is None else self.found.sources[key]

    def _info(self, key: int) -> None:
        path, source = self._setup.inputs[key], self._source(key)
        with ui.dialog() as dialog, ui.card().classes("no-shadow").style("width: 760px; max-width: 95vw"):
            ui.label(path).classes("iota-title iota-path")
            if source is None:
                ui.label("Its images are not counted." if self._is_given_up else "Its images are being counted.")
            else:
                n, files = source.n_frames, source.n_files
                ui.label(f"A {source.kind} with {n:,} images in {files:,} files." if n else "No images found in it.")
                for text in source.problems:
                    ui.label(text).classes("iota-bad iota-path")
                if n:
                    self._list_frames(path, source)
            with ui.row().classes("w-full justify-end"):
                ui.button("Close", on_click=dialog.close).props("flat")
        dialog.open()

    def _list_frames(self, path: str, found: SourceCount) -> None:
        """List the first images of an input; a double click opens one, from which all can be gone through."""
        frames = found.first
        rows = [{"key": key, "image": str(frame)} for key, frame in enumerate(frames)]
        columns = [{"name": "image", "label": "Image: double-click to view", "field": "image", "align": "left"}]
        table = ui.table(columns=columns, rows=rows, row_key="key").classes("w-full iota-table iota-mono iota-path")
        table.props('dense flat virtual-scroll hide-bottom wrap-cells :rows-per-page-options="[0]"')
        table.style("max-height: 45vh")
        source = self._setup.absolute(path)
        table.on(
            "rowDblclick",
            lambda event: ui.navigate.to(images_link(source, at=frames[event.args[1]["key"]]), new_tab=True),
        )
        if found.n_frames > len(frames):
            ui.label(f"and {found.n_frames - len(frames):,} more").classes("iota-muted")

    async def _view(self, key: int) -> None:
        """Open images of an input, as many as are asked for where it has several."""
        found = self._source(key)
        n = found.n_frames if found is not None else 0
        if not n:
            ui.notify("There are no images to view.")
            return
        answer = ("all", "") if n == 1 else await self._ask_how_many()
        if answer is not None:
            with sentences():
                source = self._setup.absolute(self._setup.inputs[key])
                ui.navigate.to(images_link(source, _some(n, *answer)), new_tab=True)

    async def _ask_how_many(self) -> tuple[str, str] | None:
        """Which images are wanted, and their range where they are others; None where the dialog is closed."""
        with ui.dialog() as dialog, ui.card().classes("no-shadow iota-compact"):
            ui.label("How many images?").classes("iota-title")
            how_many = ui.radio(_HOW_MANY, value="1").props("dense")
            other = ui.input(placeholder="1-10,15").props('dense outlined aria-label="Which images"')
            other.bind_visibility_from(how_many, "value", value="other")
            with ui.row().classes("w-full justify-end"):
                ui.button("Cancel", on_click=lambda: dialog.submit(None)).props("flat")
                ui.button("OK", on_click=lambda: dialog.submit((how_many.value, other.value))).props("unelevated")
        answer: tuple[str, str] | None = await dialog
        dialog.delete()
        return answer


def _some(n: int, how_many: str, other: str) -> str:
    """Which of so many images, in the words of the image page.

    Raises:
        UsageError: the range is not one of these images.
    """
    if how_many == "other":
        select_range(range(n), other or "")
        return (other or "").replace(" ", "")
    return "" if how_many == "all" else f"first {how_many}"
