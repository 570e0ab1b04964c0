"""Dialogs with all parameters of IOTA or the backend, by section, level or search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nicegui import ui

from iota.params.fields import Field, Group
from iota.params.forms import Form, Values
from iota.web.widgets.editors import Editor

LEVELS = {0: "Basic", 1: "Intermediate", 2: "Advanced", 3: "Developer"}
_MAX_ROWS = 120  # more rows at once nobody reads, and they take seconds to build


async def edit(
    title: str,
    form: Form,
    values: Mapping[str, str],
    sections: Sequence[str] = (),
    *,
    start: str = ".",
    level: int = 0,
    field: str = "",
    notes: Mapping[str, str] | None = None,
) -> Values | None:
    """Let a person change parameters.

    Args:
        title: of the dialog.
        form: what can be changed.
        values: present values that are not the defaults.
        sections: full names of the scopes that are shown; none are all.
        start: folder where file browsers open.
        level: expert level that is shown first.
        field: full name of a field to show first.
        notes: sentences on fields, by full name, that hold for the present values of other forms.

    Returns:
        All values that are not the defaults, or None where the person cancelled.
    """
    dialog = _Settings(title, form, values, sections, start, level, notes or {})
    if field:
        dialog.find(field)
    answer: Values | None = await dialog.dialog
    dialog.dialog.delete()
    return answer


class _Settings:
    def __init__(
        self,
        title: str,
        form: Form,
        values: Mapping[str, str],
        sections: Sequence[str],
        start: str,
        level: int,
        notes: Mapping[str, str],
    ) -> None:
        self._form, self._start, self._level, self._notes = form, start, level, notes
        self._before = dict(values)
        self._draft: Values = dict(values)
        found = [form.root.group(name) for name in sections]
        self._sections = [group for group in found if group is not None]
        loose = [item for item in form.root.items if isinstance(item, Field)]
        if not sections:
            self._sections = [item for item in form.root.items if isinstance(item, Group)]
            if loose:
                self._sections.insert(0, Group("", "General", "", 0, tuple(loose)))
        self._names = [field.name for section in self._sections for field in section.fields()]
        self._shown = self._sections[0]
        self._query, self._only_changed = "", False
        self._rows: dict[str, _Row] = {}
        with ui.dialog() as self.dialog, ui.card().classes("iota-settings no-shadow"):
            self._build_head(title)
            with ui.row().classes("w-full no-wrap gap-0 iota-settings-body"):
                if len(self._sections) > 1:
                    self._places = ui.column().classes("iota-settings-places gap-0")
                self._body = ui.column().classes("iota-settings-fields gap-0")
            self._build_foot()
        self._refill()
        self.dialog.open()

    def find(self, name: str) -> None:
        """Show one field."""
        self._level = max(self._level, self._form.fields[name].expert_level)
        self._search.set_value(name)

    # -- the parts

    def _build_head(self, title: str) -> None:
        with ui.row().classes("w-full items-center gap-3"):
            ui.label(title).classes("iota-title")
            ui.space()
            self._only = ui.switch("Only changed", on_change=self._on_only).props("dense")
            self._levels = ui.select(LEVELS, value=self._level, on_change=self._on_level)
            self._levels.props('dense outlined options-dense aria-label="Expert level"').classes("iota-level")
            self._search = ui.input(placeholder="Search names and help", on_change=self._on_search)
            self._search.props('dense outlined clearable debounce=250 aria-label="Search"').classes("iota-search").mark(
                "search"
            )
            with self._search.add_slot("prepend"):
                ui.icon("search").classes("text-body1")

    def _build_foot(self) -> None:
        with ui.row().classes("w-full items-center gap-2"):
            self._told = ui.label().classes("iota-muted")
            self._wrong = ui.label().classes("iota-bad")
            ui.space()
            self._reset = ui.button("Reset these", on_click=self._reset_all).props("flat")
            self._reset.tooltip("Reset all parameters in this dialog to their defaults")
            ui.button("Cancel", on_click=lambda: self.dialog.submit(None)).props("flat")
            self._ok = ui.button("OK", on_click=self._submit).props("unelevated")

    def _fill_places(self) -> None:
        if len(self._sections) < 2:
            return
        self._places.clear()
        with self._places:
            for section in self._sections:
                names = [field.name for field in section.fields()]
                n_changed = sum(self._form.differs(name, self._draft[name]) for name in names if name in self._draft)
                is_here = section is self._shown and not self._query and not self._only_changed
                with ui.row().classes(
                    "items-center no-wrap gap-1 iota-place" + (" iota-here" if is_here else "")
                ) as row:
                    ui.label(section.caption).classes("col-grow")
                    if n_changed:
                        ui.badge(str(n_changed)).props("rounded").classes("iota-count")
                row.props('role="button" tabindex=0').mark(f"section-{section.name}")
                row.on("click", lambda section=section: self._go(section))
                row.on("keydown.enter", lambda section=section: self._go(section))

    def _refill(self) -> None:
        """Show the fields that are wanted now."""
        self._body.clear()
        self._rows = {}
        wanted = self._wanted()
        sections = self._sections if self._query or self._only_changed else [self._shown]
        self._n_left = _MAX_ROWS
        with self._body:
            for section in sections:
                self._fill_group(section, wanted, 0)
            self._tell_what_is_hidden(sections, wanted)
        self._update()

    def _wanted(self) -> set[str]:
        found = self._form.search(self._query) if self._query else set(self._names)
        if self._only_changed:
            found &= {name for name, text in self._draft.items() if self._form.differs(name, text)}
        return found

    def _is_visible(self, field: Field) -> bool:
        """Whether a field is shown at this level; who searches finds all, and what is changed is never hidden."""
        return (
            bool(self._query)
            or field.expert_level <= self._level
            or self._form.differs(field.name, self._draft.get(field.name, field.default))
        )

    def _fill_group(self, group: Group, wanted: set[str], depth: int) -> None:
        fields = [field for field in group.fields() if field.name in wanted and self._is_visible(field)]
        if not fields or self._n_left <= 0:
            return
        with ui.element("details").props("open").classes(f"w-full iota-group iota-group-{min(depth, 2)}"):
            with ui.element("summary").classes("iota-group-head"):
                ui.label(group.caption).classes("iota-group-caption")
                if group.help and group.help.lower() != group.caption.lower():
                    ui.label(group.help).classes("iota-muted iota-group-help")
            for item in group.items:
                if isinstance(item, Group):
                    self._fill_group(item, wanted, depth + 1)
                elif item in fields and self._n_left > 0:
                    self._n_left -= 1
                    text = self._draft.get(item.name, item.default)
                    self._rows[item.name] = _Row(item, text, self._on_change, self._start, self._notes.get(item.name))

    def _tell_what_is_hidden(self, sections: Sequence[Group], wanted: set[str]) -> None:
        of_interest = [field for section in sections for field in section.fields() if field.name in wanted]
        hidden = [field for field in of_interest if not self._is_visible(field)]
        if self._n_left <= 0:
            ui.label("Not all parameters are shown: use the search, or choose a section.").classes(
                "iota-muted iota-hidden"
            )
        if hidden:
            with ui.row().classes("items-center gap-2 iota-hidden"):
                ui.label(f"{len(hidden)} more at higher expert levels.").classes("iota-muted")
                ui.button("Show", on_click=lambda: self._levels.set_value(max(f.expert_level for f in hidden))).props(
                    "flat dense"
                )
        elif not of_interest:
            sentence = "No changes." if self._only_changed and not self._query else "No matching parameters."
            ui.label(sentence).classes("iota-muted iota-hidden")

    # -- what people do

    def _go(self, section: Group) -> None:
        self._shown = section
        self._query, self._only_changed = "", False
        self._search.set_value("")
        self._only.set_value(False)
        self._refill()

    def _on_search(self) -> None:
        query = (self._search.value or "").strip()
        if query != self._query:
            self._query = query
            self._levels.set_value(self._level)
            self._refill()

    def _on_level(self) -> None:
        self._level = int(self._levels.value)
        self._refill()

    def _on_only(self) -> None:
        if self._only_changed != bool(self._only.value):
            self._only_changed = bool(self._only.value)
            self._refill()

    def _on_change(self, name: str, text: str) -> None:
        self._draft[name] = text
        self._update()

    def _reset_all(self) -> None:
        for name in self._names:
            self._draft.pop(name, None)
        self._refill()

    def _submit(self) -> None:
        self.dialog.submit(self._form.changed(self._draft))

    def _update(self) -> None:
        """Show what is changed and what is wrong."""
        problems = self._form.problems(self._draft)
        for name, row in self._rows.items():
            row.update(self._form.differs(name, self._draft.get(name, row.field.default)), problems.get(name))
        changed = [name for name in self._names if name in self._draft and self._form.differs(name, self._draft[name])]
        self._told.set_text(f"{len(changed)} changed from the default" if changed else "All at their defaults")
        self._reset.set_enabled(bool(changed))
        wrong = [name for name in problems if name in self._names]
        self._ok.set_enabled(not wrong)
        hidden = [name for name in wrong if name not in self._rows]
        where = f": {self._form.fields[hidden[0]].caption}" if hidden else ""
        self._wrong.set_text(f"{len(wrong)} invalid{where}" if wrong else "")
        self._fill_places()


class _Row:
    """Caption, help and widget of a field."""

    def __init__(self, field: Field, text: str, changed: object, start: str, note: str | None) -> None:
        self.field = field
        with ui.row().classes("w-full no-wrap iota-field") as self._row:
            with ui.column().classes("gap-0 iota-field-text"):
                with ui.label(field.caption).classes("iota-field-caption"):  # beside it, for below it is the help
                    ui.tooltip(field.name).props('anchor="bottom right" self="bottom left" :offset="[14, 0]"')
                if field.help:
                    ui.label(field.help).classes("iota-muted iota-field-help")
                if note:
                    ui.label(note).classes("iota-bad iota-field-help").mark(f"note-{field.name}")
            with ui.column().classes("gap-0 iota-field-edit"):
                self._editor = Editor(field, text, changed, start)  # type: ignore[arg-type]
                with self._editor.row:
                    self._reset = ui.button(icon="undo", on_click=self._to_default)
                    self._reset.props(f'flat dense round aria-label="Reset {field.caption}"')
                    self._reset.tooltip(f"Default: {field.default or 'None'}")
                if field.limits:
                    ui.label(field.limits).classes("iota-muted iota-field-limits")
        self._tell = changed

    def update(self, is_changed: bool, problem: str | None) -> None:
        """Mark the row."""
        self._row.classes(add="iota-changed" if is_changed else "", remove="" if is_changed else "iota-changed")
        self._reset.style(f"visibility: {'visible' if is_changed else 'hidden'}")
        self._editor.show_problem(problem)

    def _to_default(self) -> None:
        self._editor.set(self.field.default)
        self._tell(self.field.name, self.field.default)  # type: ignore[operator]
