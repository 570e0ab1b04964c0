"""The chart of measured reflections in a page."""

from __future__ import annotations

from nicegui import ui

from iota.web.live.index_counting import index_counting
from iota.web.widgets.following import Following
from iota.web.widgets.scatter import SvgChart
from iota.web.widgets.selection import Selection

_EVERY_S = 3.0


class IndexSection:
    """A card whose checkbox and field choose the space group."""

    def __init__(self, selection: Selection, tab: str) -> None:
        self._live = selection.live
        self._counting = index_counting(selection.live)
        with ui.column().classes("iota-card gap-2"):
            with ui.row().classes("w-full items-center gap-3"):
                ui.label("Measured reflections").classes("iota-title")
                self._is_on = ui.checkbox("Space group", on_change=self._change)
                self._is_on.tooltip("If empty, P 1 is used, in which only Friedel mates are equivalent")
                self._symbol = ui.input(placeholder="P 43 21 2", on_change=self._type).props(
                    'dense outlined debounce=500 aria-label="Space group symbol"'
                )
                self._symbol.classes("iota-symbol")
                self._words = ui.label().classes("iota-muted")
            self._sentence = ui.label().classes("iota-muted").mark("index-sentence")
            with ui.element("div").classes("iota-charts iota-charts-four") as self._pictures:
                self._slices = [SvgChart().classes("iota-chart-slice") for _ in range(3)]
                with ui.column().classes("gap-2 w-full"):
                    self._colours = SvgChart()
                    self._completeness = SvgChart()
            self._pictures.set_visibility(False)
        self._following = Following(selection, tab, self._refresh, _EVERY_S)

    @property
    def space_group(self) -> str:
        """What is asked for; empty is P 1."""
        return (self._symbol.value or "").strip() if self._is_on.value else ""

    async def _change(self) -> None:
        if self._is_on.value and not (self._symbol.value or "").strip():
            consensus = self._live.summary().consensus
            if consensus is not None:
                self._symbol.set_value(consensus.space_group)
        await self._refresh()

    async def _type(self) -> None:
        if self._is_on.value:
            await self._refresh()
        elif (self._symbol.value or "").strip():
            self._is_on.set_value(True)

    async def _refresh(self) -> None:
        asked = self.space_group
        found = await self._counting.pictures(asked)
        if asked != self.space_group:  # another one was asked for meanwhile
            return
        is_there = bool(found.slices)
        self._sentence.set_text(found.sentence)
        self._sentence.set_visibility(bool(found.sentence))
        self._sentence.classes(add="iota-bad" if asked and not is_there else "", remove="" if asked else "iota-bad")
        self._words.set_text(found.words)
        if is_there or asked:
            self._pictures.set_visibility(is_there)
        if is_there:
            for chart, svg in zip(self._slices, found.slices, strict=True):
                chart.show(svg)
            self._colours.show(found.colours)
            self._completeness.show(found.completeness)
        if self._counting.is_counting:
            self._following.wake()
