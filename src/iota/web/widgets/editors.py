"""Input widgets of single fields, by type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

from iota.params.fields import Field
from iota.web.widgets.browse import choose_path

Changed = Callable[[str, str], None]  # full name, new text
_NONE = "None"


class Editor:
    """Shows a field's text, tells when a person changed it, and shows what is wrong with it."""

    def __init__(self, field: Field, text: str, changed: Changed, start: str = ".") -> None:
        """Make the widget where the page is being built.

        Args:
            field: what is edited.
            text: its present value.
            changed: called with the name and the new text.
            start: folder where the file browser opens when the field is empty.
        """
        self.field = field
        self._changed = changed
        self._start = start
        self._is_setting = False
        with ui.row().classes("items-center no-wrap gap-1 iota-editor") as self.row:
            self.element: Any = self._make(text)
        self.element.on_value_change(self._told)
        name = self.field.name
        self.element.props(f'aria-label="{self.field.caption}" data-field="{name}"').mark(name)

    def set(self, text: str) -> None:
        """Show another text; nobody is told."""
        self._is_setting = True
        try:
            self.element.set_value(self._value(text))
        finally:
            self._is_setting = False

    def show_problem(self, sentence: str | None) -> None:
        """Show what is wrong beside the widget; None where nothing is."""
        if hasattr(self.element, "error") and self.element.error != sentence:
            self.element.error = sentence

    def _told(self, event: Any) -> None:
        if not self._is_setting:
            self._changed(self.field.name, self._text(event.value))

    # -- widgets by type

    def _make(self, text: str) -> Any:
        kind = self.field.kind
        if kind == "bool" and self._is_switch:
            return ui.switch(value=text == "True").props("dense").classes("iota-switch")
        if kind in ("bool", "choice"):
            return self._made_input(ui.select(self._options(text), value=self._value(text)))
        if kind == "choices":
            chosen = ui.select(list(self.field.choices), value=self._value(text), multiple=True)
            return self._made_input(chosen.props("use-chips"))
        if self.field.multiple:
            return self._made_lines(text)
        box = self._made_input(ui.input(value=text, placeholder=self._placeholder))
        box.props("debounce=250")
        if self.field.unit:
            box.props(f'suffix="{self.field.unit}"')
        if kind in ("unit_cell", "space_group", "path", "words", "wholes", "numbers"):
            box.classes("iota-mono")
        if kind == "path" or "path to" in self.field.help.lower():  # DIALS has paths that are plain texts
            _icon("folder_open", "Browse", self._browse)
        return box

    def _made_lines(self, text: str) -> Any:
        box = self._made_input(ui.textarea(value=text, placeholder="one per line"))
        box.props("autogrow debounce=400").classes("iota-mono")
        if self.field.kind == "block":
            box.props('placeholder="none"')
            _icon("post_add", "Add one", lambda: box.set_value(f"{box.value or ''}{self.field.template}"))
        elif self.field.kind == "path":
            _icon("folder_open", "Browse", self._browse)
        return box

    @staticmethod
    def _made_input(element: Any) -> Any:
        # what is wrong is said by show_problem; NiceGUI's own validation would take it away again
        return element.without_auto_validation().props("dense outlined hide-bottom-space").classes("col-grow")

    @property
    def _is_switch(self) -> bool:
        return self.field.default in ("True", "False")

    @property
    def _placeholder(self) -> str:
        return "" if self.field.needs_value else _NONE

    def _options(self, text: str) -> list[str]:
        names = ["True", "False", "Auto"] if self.field.kind == "bool" else list(self.field.choices)
        if not self.field.needs_value and (self.field.default == "" or text == ""):
            names.append(_NONE)
        if text not in ("", *names):
            names.append(text)  # Auto, or something wrong that is to be seen
        return names

    def _value(self, text: str) -> Any:
        """What the widget holds for a text."""
        if self.field.kind == "bool" and self._is_switch:
            return text == "True"
        if self.field.kind == "choices":
            return text.split()
        if self.field.kind in ("bool", "choice"):
            return text or _NONE
        return text

    def _text(self, value: Any) -> str:
        if isinstance(value, bool):
            return str(value)
        if self.field.kind == "choices":
            return " ".join(value or [])
        text = "" if value is None else str(value)
        return "" if text == _NONE else text

    async def _browse(self) -> None:
        chosen = await choose_path(
            str(self.element.value or self._start).splitlines()[-1],
            title=self.field.caption,
            folders=self._takes_folder,
            several=self.field.multiple,
        )
        if chosen:
            before = f"{self.element.value}\n" if self.field.multiple and self.element.value else ""
            self.element.set_value(before + "\n".join(chosen))

    @property
    def _takes_folder(self) -> bool:
        return "folder" in self.field.name or "directory" in self.field.name or self.field.name == "output"


def _icon(icon: str, what: str, act: Callable[[], Any]) -> None:
    ui.button(icon=icon, on_click=act).props(f'flat dense round aria-label="{what}"').tooltip(what)
