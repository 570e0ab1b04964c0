"""Scatter plots that grow, and charts painted as SVG, as elements of pages."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
import numpy as np
import numpy.typing as npt
from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from iota.analysis.table.columns import COLUMNS
from iota.charts.colours import BY_CODE, SELECTED
from iota.charts.description import Drawing
from iota.charts.histograms import FLIPPED
from iota.charts.svg import svg
from iota.records import OUTCOME_WORDS, OUTCOMES
from iota.web.widgets.layout import STATIC

_painted: WeakKeyDictionary[Drawing, str] = WeakKeyDictionary()  # one description is shown on many pages


class Box(msgspec.Struct):
    """What a box in a chart holds: rows first to last, ends included, with values between two."""

    column: str
    low: float
    high: float
    first: int
    last: int

    def rows(self, values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Rows in the box, given the column that it is drawn in, from row 0."""
        part = values[self.first : self.last + 1]
        return self.first + np.flatnonzero((part >= self.low) & (part <= self.high))


class GrowingScatter(Element, component=STATIC / "scatter_view.js", esm={"iota-scatter": str(STATIC / "scatter")}):
    """Columns of a run against its frames, one chart above the other; the browser fetches the rows by itself."""

    def __init__(self, run_id: str, columns: Sequence[str], panel_height: int = 170) -> None:
        super().__init__()
        panels = [
            {
                "column": column,
                "label": COLUMNS[column].label,
                "unit": COLUMNS[column].unit,
                "digits": int(COLUMNS[column].format[1]),
                "flipped": column in FLIPPED,
            }
            for column in columns
        ]
        self._props["options"] = {
            "url": f"/api/runs/{run_id}/columns",
            "panels": panels,
            "colours": BY_CODE,
            "words": [OUTCOME_WORDS[outcome] for outcome in OUTCOMES],
            "selected": SELECTED,
            "panelHeight": panel_height,
        }

    def on_frame(self, callback: Callable[[int], None]) -> None:
        """Call with the row whose point was clicked."""

        def call(event: GenericEventArguments) -> None:
            callback(int(event.args))

        self.on("frame", call)

    def on_box(self, callback: Callable[[Box], None]) -> None:
        """Call with the box that was drawn."""

        def call(event: GenericEventArguments) -> None:
            callback(msgspec.convert(event.args, Box, strict=False))

        self.on("box", call)

    def pull(self) -> None:
        """Tell the browser that there are new rows."""
        self.run_method("pull")

    def mark_frame(self, row: int | None) -> None:
        """Mark a frame, or none."""
        self.run_method("setFrame", row)

    def select(self, rows: npt.NDArray[np.int64] | None) -> None:
        """Dim all rows but these; None shows all alike."""
        if rows is None:
            self.run_method("select", None)
            return
        bits = np.zeros(int(rows.max(initial=-1)) + 1, dtype=bool)
        bits[rows] = True
        self.run_method("select", base64.b64encode(np.packbits(bits).tobytes()).decode())


class SvgChart(Element, component=STATIC / "chart_view.js"):
    """A chart; a click on what can be picked calls back with its value, a double click opens it."""

    def __init__(
        self,
        chart: Drawing | None = None,
        pick: Callable[[str], object] | None = None,
        open_: Callable[[str], object] | None = None,
    ) -> None:
        super().__init__()
        self._props["svg"] = "" if chart is None else _svg_once(chart)
        for name, callback in (("pick", pick), ("open", open_)):
            if callback is not None:
                self.on(name, _with_text(callback))

    def show(self, chart: Drawing | str) -> None:
        """Replace the chart, if it is another one; text is SVG that another process painted."""
        text = chart if isinstance(chart, str) else _svg_once(chart)
        if self._props["svg"] != text:
            self._props["svg"] = text
            self.update()


def _svg_once(chart: Drawing) -> str:
    if chart not in _painted:
        _painted[chart] = svg(chart)
    return _painted[chart]


def _with_text(callback: Callable[[str], object]) -> Callable[[GenericEventArguments], object]:
    def call(event: GenericEventArguments) -> object:
        return callback(str(event.args))  # NiceGUI awaits what can be awaited

    return call


def add_style() -> None:
    """Give the page the style sheet of charts."""
    ui.add_css((STATIC / "charts.css").read_text(encoding="utf-8"))
