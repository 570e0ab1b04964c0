"""The start page: inputs and settings of a new run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import Request
from nicegui import app, events, ui

from iota.errors import ParameterError, UsageError
from iota.inputs.names.select import ranges_in
from iota.params.forms import Form, Values, iota_form
from iota.web.pages.recover import choose_run
from iota.web.projects.launch import start_run
from iota.web.projects.setup import Setup
from iota.web.site import Site
from iota.web.widgets.browse import choose_folder, choose_path
from iota.web.widgets.editors import Editor
from iota.web.widgets.forms import edit
from iota.web.widgets.input_list import InputList
from iota.web.widgets.layout import frame, notify_error, sentences

_DRAFT = "iota-setup"
_SETTINGS = ("image_import", "geometry", "cctbx_xfel", "analysis", "advanced")
_PREFERENCES = ("mp", "gui")
# entries of the menu of backend settings, and the scopes they show; none are all
_BACKEND: dict[str, tuple[str, ...]] = {
    "Spot finding...": ("spotfinder",),
    "Indexing...": ("indexing",),
    "Refinement...": ("refinement",),
    "Integration...": ("integration",),
    "Significance filter and other steps...": ("significance_filter", "geometry", "profile", "prediction", "dispatch"),
    "Advanced (all)...": (),
}
_SELECTION = "data_selection"


def register(site: Site) -> None:
    """Make the page."""

    @ui.page("/")
    async def start_page(request: Request, recover: str = "", setting: str = "") -> None:
        inputs, changes = (request.query_params.getlist(name) for name in ("input", "set"))
        if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            recover, inputs, changes = "", [], []  # a link on somebody else's page sets nothing up
        with frame(request, "Start", "/"):
            loading = ui.spinner(size="lg").classes("self-center q-mt-xl")
            await ui.context.client.connected()
            page = _StartPage(site)
            await page.begin(recover)
            page.change(inputs, changes)
            loading.delete()
            await page.build()
            if setting:
                await page.show(setting)


class _StartPage:
    _inputs: InputList

    def __init__(self, site: Site) -> None:
        self._site, self._backend = site, site.backend
        self._setup = Setup(site.home)

    async def begin(self, recover: str) -> None:
        """Take up what this tab of the browser was at, or begin with what the server was started with."""
        kept = app.storage.tab.get(_DRAFT)
        if recover:
            with sentences():
                self._keep(Setup.from_run(self._site.projects.folder(recover), self._site.home, self._backend.form))
                return
        if isinstance(kept, Setup):
            self._setup = kept
            return
        self._keep(Setup(self._site.home))
        if self._site.arguments:
            with sentences():
                self._keep(Setup.from_arguments(self._site.arguments, self._site.home, self._backend.form))

    def change(self, inputs: Sequence[str], changes: Sequence[str]) -> None:
        """Take over what a link of another page says: images instead of those there are, and name=value."""
        ui.run_javascript("history.replaceState(null, '', location.pathname)")  # a reload changes nothing again
        if inputs:
            self._setup.inputs = list(inputs)
        for change in changes:
            name, _, text = change.partition("=")
            with sentences():
                self._setup.change(name.strip(), text.strip())

    def _keep(self, setup: Setup) -> None:
        self._setup = app.storage.tab[_DRAFT] = setup

    async def build(self) -> None:
        """Make the page's elements, then fill in what takes longer."""
        self._build_tools()
        self._all = ui.column().classes("w-full gap-3")
        await self._refill()
        form = await self._backend.ready()
        if form is not None and self._setup.backend_form is None:
            self._setup.take_backend(form)
        self._tell_remarks()
        self._update()

    def _build_tools(self) -> None:
        with ui.row().classes("w-full items-center gap-1 iota-tools"):
            ui.label("New run").classes("text-h6")
            ui.space()
            for icon, name, act in (
                ("settings", "Preferences", self._preferences),
                ("file_open", "Load script", self._load),
                ("save", "Save script", self._save),
                ("history", "Recover", self._recover),
                ("restart_alt", "Reset", self._reset),
            ):
                ui.button(name, icon=icon, on_click=act).props("flat dense").classes("q-px-sm")

    async def _refill(self) -> None:
        """Show the setup from the beginning."""
        if hasattr(self, "_inputs"):
            self._inputs.leave()
        self._editors: dict[str, Editor] = {}
        self._all.clear()
        with self._all:
            self._remarks = ui.column().classes("iota-card iota-remarks gap-1")
            with ui.element("div").classes("iota-start"):
                with ui.column().classes("gap-3 iota-start-main"):
                    self._build_about()
                    self._inputs = InputList(self._setup, self._update)
                    self._build_preview()
                with ui.column().classes("gap-3 iota-start-side"):
                    self._build_selection()
                    self._build_settings()
                    self._build_run()
        self._tell_remarks()
        await self._inputs.refresh()

    # -- cards

    def _build_about(self) -> None:
        with ui.column().classes("iota-card iota-compact gap-2"), ui.element("div").classes("iota-about"):
            ui.label("Description")
            self._editor("description").element.props('placeholder=""')
            ui.label("Project folder")
            with ui.row().classes("w-full items-center no-wrap gap-1"):
                self._project = ui.input(value=str(self._setup.project), on_change=self._project_typed)
                self._project.without_auto_validation().props(
                    'dense outlined hide-bottom-space debounce=250 aria-label="Project folder"'
                )
                self._project.classes("col-grow iota-mono").mark("output")
                button = ui.button(icon="folder_open", on_click=self._browse_project)
                button.props('flat dense round aria-label="Browse"').tooltip(
                    "Runs are written to integration/NNN in this folder"
                )

    def _editor(self, name: str) -> Editor:
        field = iota_form().fields[name]
        text = self._setup.iota.get(name, field.default)
        self._editors[name] = Editor(field, text, self._changed, str(self._setup.home))
        return self._editors[name]

    def _build_selection(self) -> None:
        with ui.column().classes("iota-card iota-compact gap-1"):
            ui.label("Data selection").classes("iota-title")
            for scope, caption, fields in (
                ("image_triage", "Discard blanks", (("minimum_Bragg_peaks", "Minimum spots"),)),
                ("image_range", "Range of images", (("range", "Range"),)),
                ("random_sample", "Random subset", (("number", "Number of images"),)),
            ):
                switch_name = f"{_SELECTION}.{scope}.flag_on"
                switch = self._editor(switch_name)
                switch.element.set_text(caption)
                for name, label in fields:
                    with ui.row().classes("w-full no-wrap items-center gap-2 iota-indented") as row:
                        ui.label(label).classes("iota-small no-wrap")
                        self._editor(f"{_SELECTION}.{scope}.{name}")
                    row.bind_visibility_from(switch.element, "value")
            self._editors[f"{_SELECTION}.image_range.range"].element.props('placeholder="1-5,25,200-250"')
            self._editors[f"{_SELECTION}.random_sample.number"].element.props('hint="0: 10 %, at least 5"')
            self._selected = ui.label().classes("iota-muted iota-small")

    def _build_settings(self) -> None:
        with ui.column().classes("iota-card gap-2"):
            ui.label("Settings").classes("iota-title")
            with ui.row().classes("w-full items-center no-wrap gap-2"):
                ui.button("IOTA Settings...", icon="tune", on_click=self._iota_settings).props("outline").classes(
                    "col-grow"
                )
                self._n_iota = _made_count()
            with ui.row().classes("w-full items-center no-wrap gap-2"):
                with ui.button("Backend Settings...", icon="memory").props("outline").classes("col-grow"), ui.menu():
                    for name, scopes in _BACKEND.items():
                        ui.menu_item(name, partial(self._backend_settings, name, scopes)).mark(name)
                self._n_backend = _made_count()
            self._dials = ui.label().classes("iota-muted iota-small")

    def _build_run(self) -> None:
        with ui.column().classes("iota-card gap-2"):
            self._summary = ui.label().classes("iota-small iota-muted")
            self._run = ui.button("RUN IOTA", icon="play_arrow", color="positive", on_click=self._start)
            self._run.props("unelevated size=lg").classes("w-full iota-run").mark("run")
            self._wrong = ui.column().classes("gap-0 w-full")

    def _build_preview(self) -> None:
        with ui.element("details").classes("iota-card iota-preview") as details:
            with ui.element("summary"):
                ui.label("Script").classes("iota-title")
                self._n_lines = ui.label().classes("iota-muted iota-small")
                self._complete = ui.switch("complete", on_change=self._update).props("dense")
                self._complete.on("click", js_handler="(event) => event.stopPropagation()")
            self._preview = ui.label().classes("iota-log iota-mono").mark("preview")
        details.props("open")

    # -- what the page says

    def _changed(self, name: str, text: str) -> None:
        self._setup.iota[name] = text
        self._update()

    def _update(self, *_: Any) -> None:
        """Show what follows from the setup."""
        if not hasattr(self, "_wrong"):
            return  # the page is being built
        form, setup = iota_form(), self._setup
        problems = form.problems(setup.iota)
        for name, editor in self._editors.items():
            editor.show_problem(problems.get(name))
        self._tell_selected()
        changed = form.changed(setup.iota)
        _count(self._n_iota, sum(name.startswith(tuple(f"{scope}." for scope in _SETTINGS)) for name in changed))
        _count(self._n_backend, len(setup.backend))
        if self._backend.form is not None:
            self._dials.set_text(f"dials.stills_process of {self._backend.dials}")
        else:
            self._dials.set_text(self._backend.problem or "Reading the parameters of DIALS...")
        self._tell_summary(changed)
        self._tell_script()
        self._tell_wrong()

    def _tell_selected(self) -> None:
        """Say how many of the images range and random subset leave, and what is wrong with the range."""
        setup, n = self._setup, self._inputs.n_images
        values = {name: setup.iota.get(name, field.default) for name, field in iota_form().fields.items()}
        text = values[f"{_SELECTION}.image_range.range"]
        self._range_problem = ""
        if values[f"{_SELECTION}.image_range.flag_on"] == "True" and text:
            try:
                n = sum(map(len, ranges_in(text, n or None)))
            except UsageError as error:
                self._range_problem = str(error)
            self._editors[f"{_SELECTION}.image_range.range"].show_problem(self._range_problem or None)
        is_all = n == self._inputs.n_images
        self._selected.set_text("" if n is None or is_all or self._range_problem else f"{n:,} images will be processed")

    def _tell_summary(self, changed: Values) -> None:
        processes = changed.get("mp.n_processors", "") or "0"
        method = changed.get("mp.method", "multiprocessing")
        where = "on this machine" if method == "multiprocessing" else f"via {method}"
        number = "on three quarters of the cores" if processes == "0" else f"with {processes} processes {where}"
        if processes == "0" and method != "multiprocessing":
            number = where
        watching = ", waiting for new images" if changed.get("gui.monitor_mode") == "True" else ""
        self._summary.set_text(f"Runs {number}{watching}.")

    def _tell_script(self) -> None:
        setup = self._setup
        try:
            script = setup.script_text() if self._complete.value else setup.assignments()
            target = setup.target_text()
        except ParameterError as error:
            self._preview.set_text(str(error))
            return
        shown = "\n".join(line for line in script.splitlines() if not line.endswith(("input = None", "output = None")))
        if target:
            shown += f"\n\n# target file, for the backend\n{target}"
        self._preview.set_text(shown.strip() or "# all parameters at their defaults")
        self._n_lines.set_text("as saved" if self._complete.value else "changes from the defaults")

    def _tell_wrong(self) -> None:
        """Say what stands in the way of a run."""
        said: list[tuple[str, Callable[[], Any] | None]] = []
        for field, problem in self._setup.problems():
            caption = f"{field.caption}: {problem}"
            said.append((caption, None if field.name in self._editors else partial(self.show, field.name)))
        if self._range_problem:
            said.append((self._range_problem, None))
        n = self._inputs.n_images
        is_watching = self._setup.iota.get("gui.monitor_mode") == "True"
        if not self._setup.inputs:
            said.append(("Add images first.", None))
        elif n == 0 and not is_watching:
            said.append(("No images were found in the input.", None))
        if self._backend.problem:
            said.append((self._backend.problem, None))
        self._wrong.clear()
        with self._wrong:
            for text, act in said[:6]:
                with ui.row().classes("items-center no-wrap gap-1"):
                    ui.label(text).classes("iota-small iota-path " + ("iota-bad" if act or n else "iota-muted"))
                    if act:
                        ui.button("Show", on_click=act).props("flat dense size=sm")
        self._run.set_enabled(not said)

    def _tell_remarks(self) -> None:
        self._remarks.clear()
        self._remarks.set_visibility(bool(self._setup.remarks))
        with self._remarks:
            with ui.row().classes("w-full items-center no-wrap"):
                ui.label("Parameters translated from an earlier version").classes("iota-title")
                ui.space()
                ui.button(icon="close", on_click=self._forget_remarks).props('flat dense round aria-label="Close"')
            for remark in self._setup.remarks:
                ui.label(remark).classes("iota-small iota-path")

    def _forget_remarks(self) -> None:
        self._setup.remarks = []
        self._tell_remarks()

    # -- what people do

    def _project_typed(self) -> None:
        text = str(self._project.value or "").strip()
        self._setup.output = "" if text in ("", str(self._setup.home)) else text
        problem = None
        if self._setup.project.exists() and not self._setup.project.is_dir():
            problem = "This is a file, not a folder."
        self._project.error = problem
        self._update()

    async def _browse_project(self) -> None:
        folder = await choose_folder(str(self._setup.project), "Project folder")
        if folder is not None:
            self._project.set_value(folder)

    async def _iota_settings(self, field: str = "") -> None:
        await self._edit("IOTA Settings", _SETTINGS, field)

    async def _preferences(self) -> None:
        await self._edit("Preferences", _PREFERENCES)

    async def _edit(self, title: str, sections: tuple[str, ...], field: str = "") -> None:
        target = self._setup.target_file
        values = await edit(title, iota_form(), self._setup.iota, sections, start=str(self._setup.home), field=field)
        if values is None:
            return
        self._setup.iota = values
        if self._setup.target_file != target:
            self._setup.read_target()
            self._tell_remarks()
        for name, editor in self._editors.items():
            editor.set(values.get(name, editor.field.default))
        self._update()

    async def _backend_settings(self, name: str, scopes: tuple[str, ...], field: str = "") -> None:
        form = await self._backend_form()
        if form is None:
            return
        title = f"Backend Settings: {name.rstrip('.')}"
        home, notes = str(self._setup.home), self._setup.set_by_iota()
        values = await edit(title, form, self._setup.backend, scopes, start=home, field=field, notes=notes)
        if values is not None:
            self._setup.backend = values
            self._update()

    async def _backend_form(self) -> Form | None:
        """The backend's form, after waiting for it; None where there is none or nobody wants to wait."""
        if self._backend.problem:
            self._backend.again()
        if self._backend.form is not None:
            return self._backend.form
        with ui.dialog().props("persistent") as waiting, ui.card().classes("no-shadow items-center"):
            ui.spinner(size="lg")
            ui.label("Reading the parameters of DIALS; this takes a few seconds the first time.")
            ui.button("Cancel", on_click=waiting.close).props("flat")
        waiting.open()
        form = await self._backend.ready()
        is_wanted = waiting.value
        waiting.delete()
        if form is not None and self._setup.backend_form is None:
            self._setup.take_backend(form)
        if form is None:
            notify_error(self._backend.problem)
        self._update()
        return form if is_wanted else None

    async def show(self, name: str) -> None:
        """Open the dialog that has a field."""
        if name in self._editors:
            self._editors[name].element.run_method("focus")
        elif name in iota_form().fields:
            await self._edit(name, _PREFERENCES if name.startswith(("mp.", "gui.")) else _SETTINGS, name)
        else:
            await self._backend_settings("Advanced (all)", (), name)

    async def _load(self) -> None:
        chosen = await choose_path(
            str(self._setup.project), title="Load script", folders=False, several=False, pattern="*.p[ah][ri]*"
        )
        if chosen:
            with sentences():
                await self._replace(Setup.from_script(Path(chosen[0]), self._setup.home, self._backend.form))
                ui.notify(f"Loaded {chosen[0]}.")

    async def _replace(self, setup: Setup) -> None:
        self._keep(setup)
        await self._refill()

    async def _save(self) -> None:
        with ui.dialog() as dialog, ui.card().classes("no-shadow").style("width: 640px; max-width: 95vw"):
            ui.label("Save script").classes("iota-title")
            box = ui.input("Path", value=str(self._setup.project / "iota.param")).props("dense outlined")
            box.classes("w-full iota-mono").mark("save-path")
            ui.label("If backend settings were changed, a script for the backend is saved in the same folder.").classes(
                "iota-muted iota-small"
            )
            exists = ui.label("A file with this name exists and will be replaced.").classes("iota-bad iota-small")
            exists.bind_visibility_from(box, "value", lambda text: Path(text or "x").is_file())
            with ui.row().classes("w-full justify-end"):
                ui.button("Cancel", on_click=lambda: dialog.submit(None)).props("flat")
                ui.button("Save", on_click=lambda: dialog.submit(box.value)).props("unelevated").mark("save")
        path = await dialog
        dialog.delete()
        if path:
            with sentences():
                written = self._setup.save(self._setup.home / Path(path).expanduser())
                ui.notify(f"Saved: {', '.join(map(str, written))}", classes="iota-path")

    async def _recover(self) -> None:
        chosen = await choose_run(self._site)
        if chosen is None:
            return
        run_id, everything = chosen
        if everything:
            ui.navigate.to(f"/run/{run_id}")
            return
        with sentences():
            folder = self._site.projects.folder(run_id)
            await self._replace(Setup.from_run(folder, self._setup.home, self._backend.form))
            ui.notify(f"Loaded the settings of run {run_id}.")

    async def _reset(self) -> None:
        with ui.dialog() as dialog, ui.card().classes("no-shadow"):
            ui.label("Reset all settings and remove all images from the list?")
            with ui.row().classes("w-full justify-end"):
                ui.button("Cancel", on_click=lambda: dialog.submit(False)).props("flat")
                ui.button("Reset", on_click=lambda: dialog.submit(True)).props("unelevated")
        sure = await dialog
        dialog.delete()
        if sure:
            setup = Setup(self._setup.home)
            if self._backend.form is not None:
                setup.take_backend(self._backend.form)
            await self._replace(setup)

    async def _start(self, event: events.ClickEventArguments) -> None:
        self._run.props("loading")
        try:
            with sentences():
                folder = await start_run(self._setup.run_text(), self._setup.target_text(), self._setup.project)
                self._site.projects.add(self._setup.project)
                ui.navigate.to(f"/run/{self._site.projects.id_of(folder)}")
        finally:
            self._run.props(remove="loading")


def _made_count() -> ui.badge:
    return ui.badge().props("rounded").classes("iota-count").tooltip("changed from the default")


def _count(badge: ui.badge, number: int) -> None:
    badge.set_text(str(number))
    badge.set_visibility(number > 0)
