"""The Frames tab: a table of all frames of the run, loaded page by page."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import numpy as np
import numpy.typing as npt
from nicegui import events, ui

from iota.analysis.table.columns import COLUMNS
from iota.analysis.table.selection import Wanted, select_rows
from iota.charts.colours import OUTCOME_COLOURS
from iota.crystallography.cells import cell_text
from iota.records import OUTCOME_WORDS, OUTCOMES, FrameResult
from iota.web.live.runs import LiveRun
from iota.web.widgets.following import Following
from iota.web.widgets.open_frame import open_frame
from iota.web.widgets.selection import Selection

TAB = "frames"
_EVERY_S = 2.0
_NUMBERED = re.compile(r"(?:\.\w+)?#(\d+)$")
_SORTABLE = ("seconds", "n_spots", "d_min_A", "n_indexed", "n_integrated", "n_strong", "rmsd_px", "wilson_b_A2")
_HEADINGS = {
    "d_min_A": "Res. (Å)",
    "n_indexed": "Indexed",
    "n_integrated": "Integrated",
    "n_strong": "Strong",
    "wilson_b_A2": "B (Å²)",
    "rmsd_px": "RMSD (px)",
}  # shorter than in charts, so that all fit a small screen
_COLUMNS: list[dict[str, Any]] = [
    {"name": "number", "label": "Frame", "field": "number", "align": "right", "sortable": True},
    {"name": "image", "label": "Image", "field": "image", "align": "left"},
    {"name": "outcome", "label": "Outcome", "field": "outcome", "align": "left"},
    {"name": "reason", "label": "Reason", "field": "reason", "align": "left"},
    {"name": "lattice", "label": "Lattice", "field": "lattice", "align": "left"},
    *(
        {
            "name": name,
            "label": _HEADINGS.get(name, COLUMNS[name].title),
            "field": name,
            "align": "right",
            "sortable": True,
        }
        for name in _SORTABLE
    ),
]
_ROW = """
<q-tr :props="props" :class="props.row.current ? 'iota-current' : ''" class="cursor-pointer"
      @click="$parent.$emit('frame', props.row.row)" @dblclick="$parent.$emit('open', props.row.row)">
  <q-td auto-width @click.stop>
    <q-checkbox dense v-model="props.selected" :aria-label="'Select frame ' + props.row.number" />
  </q-td>
  <q-td v-for="col in props.cols" :key="col.name" :props="props" :class="{'iota-number': col.align === 'right'}">
    <template v-if="col.name === 'outcome'">
      <span class="iota-dot iota-dot-inline" :style="{background: props.row.colour}"></span>{{ col.value }}
    </template>
    <div v-else-if="col.name === 'image'" class="iota-cut">{{ col.value }}
      <q-tooltip>{{ props.row.path }}</q-tooltip>
    </div>
    <template v-else-if="col.name === 'lattice'">{{ col.value }}
      <q-tooltip v-if="col.value">{{ props.row.cell }}</q-tooltip>
    </template>
    <div v-else-if="col.name === 'reason'" class="iota-cut">{{ col.value }}
      <q-tooltip v-if="col.value">{{ col.value }}</q-tooltip>
    </div>
    <template v-else>{{ col.value }}</template>
  </q-td>
</q-tr>"""


def name_of_frame(text: str) -> str:
    """What to look for when a person types ``file.h5#12``: the name of the frame, which has ``file_00012`` in it."""
    return _NUMBERED.sub(lambda found: f"_{int(found[1]):05d}", text)


def build(live: LiveRun, selection: Selection) -> None:
    """Make the tab."""
    FramesTab(live, selection)


class FramesTab:
    """Elements of the tab, which follow the run and the selection."""

    def __init__(self, live: LiveRun, selection: Selection) -> None:
        self._live = live
        self._rested = 0.0  # when frames may be looked for again by themselves (s, monotonic)
        self._selection = selection
        self._rows: npt.NDArray[np.int64] = np.arange(live.table.n_rows)  # that are wanted, in the order that is wanted
        self._pagination: dict[str, Any] = {
            "page": 1,
            "rowsPerPage": 25,
            "rowsNumber": len(self._rows),
            "sortBy": "number",
            "descending": False,
        }
        with ui.column().classes("iota-card gap-2"):
            self._filters()
            self._table = ui.table(
                columns=_COLUMNS, rows=[], row_key="row", selection="multiple", pagination=self._pagination,
                on_select=self._tick, on_pagination_change=self._mend,
            )  # fmt: skip
            self._table.classes("w-full iota-table iota-frames").props(
                ':rows-per-page-options="[10, 25, 50, 100, 250]" dense flat binary-state-sort'
            )
            self._table.add_slot("body", _ROW)
            self._table.add_slot(
                "no-data",
                '<div class="iota-muted q-pa-md">No matching frames yet.</div>',
            )
            self._table.on("request", self._request)
            self._table.on("frame", self._click)
            self._table.on("open", self._open)
        ui.keyboard(on_key=self._key)
        selection.on_frame(self._follow_frame)
        selection.on_rows(self._follow_rows)
        self._following = Following(selection, TAB, self._follow, _EVERY_S)

    def _filters(self) -> None:
        with ui.row().classes("w-full items-center gap-3"):
            ui.label("Frames").classes("iota-title")
            words = {outcome: OUTCOME_WORDS[outcome] for outcome in OUTCOMES}
            self._outcomes = ui.select(words, label="Outcome", multiple=True, on_change=self._changed)
            self._outcomes.props("dense outlined options-dense clearable").classes("iota-choice")
            self._reasons = ui.select({}, label="Reason", multiple=True, on_change=self._changed)
            self._reasons.props("dense outlined options-dense clearable").classes("iota-choice iota-reasons")
            self._text = ui.input("Path or name", on_change=self._changed)
            self._text.props("dense outlined clearable debounce=400").classes("iota-choice")
            self._only = ui.checkbox("Selected images only", on_change=self._changed)
            ui.space()
            self._number = ui.label().classes("iota-muted iota-number")
            self._choose = ui.button("Select these", icon="checklist", on_click=self._choose_all)
            self._choose.props("outline dense no-caps").tooltip("Select all frames that pass the filters")

    # -- what is wanted

    async def _changed(self) -> None:
        self._pagination["page"] = 1
        await self._refresh()

    def _follow_rows(self) -> None:
        if self._only.value:
            self._rested = 0.0
            self._following.wake()

    def _wanted(self) -> Wanted:
        name = self._pagination.get("sortBy")
        by_number = name in (None, "number")
        return Wanted(
            outcomes=self._outcomes.value or (),
            reasons=self._reasons.value or (),
            text=name_of_frame((self._text.value or "").strip()),
            sort="" if by_number else f"-{name}" if self._pagination.get("descending") else str(name),
        )

    async def _follow(self) -> None:
        """Look for more frames; when that takes long, as for a text in a large run, less often."""
        if time.monotonic() > self._rested:
            await self._refresh()
        else:
            self._following.wake()

    async def _refresh(self) -> None:
        start = time.monotonic()
        reasons = {sentence: sentence for sentence in self._live.table.reasons if sentence}
        if self._reasons.options != reasons:
            self._reasons.set_options(reasons)
        rows = await asyncio.to_thread(select_rows, self._live.table, self._wanted())
        if self._only.value and self._selection.rows is not None:
            rows = rows[np.isin(rows, self._selection.rows)]
        if self._pagination.get("sortBy") in (None, "number") and self._pagination.get("descending"):
            rows = rows[::-1]
        self._rows = rows
        self._number.set_text(f"{len(rows)} of {self._live.table.n_rows} frames")
        self._choose.set_enabled(len(rows) > 0)
        await self._show()
        now = time.monotonic()
        self._rested = now + 10 * (now - start)

    async def _show(self) -> None:
        """Show the page of the table that is asked for."""
        per_page = int(self._pagination["rowsPerPage"])
        n_pages = max(1, -(-len(self._rows) // per_page))
        page = self._pagination["page"] = min(max(1, int(self._pagination["page"])), n_pages)
        self._pagination["rowsNumber"] = len(self._rows)
        shown = self._rows[(page - 1) * per_page : page * per_page]
        results = await asyncio.to_thread(lambda: list(self._live.table.records(shown)))
        self._table.rows = [self._line(row, result) for row, result in zip(shown.tolist(), results, strict=True)]
        self._table.pagination = dict(self._pagination)
        self._table.update()

    def _line(self, row: int, result: FrameResult) -> dict[str, Any]:
        table = self._live.table
        best = max(result.lattices, key=lambda lattice: lattice.n_integrated, default=None)
        line: dict[str, Any] = {
            "row": row,
            "number": row + 1,
            "image": str(result.frame).rpartition("/")[2],
            "path": str(result.frame),
            "outcome": OUTCOME_WORDS[result.outcome],
            "colour": OUTCOME_COLOURS[result.outcome],
            "reason": result.reason,
            "lattice": "" if best is None else f"{best.bravais} {cell_text(best.unit_cell[:3], 1)}",
            "cell": "" if best is None else f"{best.space_group}, {cell_text(best.unit_cell)} (Å, °)",
            "current": row == self._selection.frame,
        }
        if len(result.lattices) > 1:
            line["lattice"] += f" (+{len(result.lattices) - 1})"
        for name in _SORTABLE:
            line[name] = COLUMNS[name].text(float(table.column(name, row, row + 1)[0]))
        return line

    # -- what people do

    async def _request(self, event: events.GenericEventArguments) -> None:
        asked = event.args["pagination"]
        is_sorted_anew = any(asked.get(key) != self._pagination.get(key) for key in ("sortBy", "descending"))
        self._pagination |= {key: asked.get(key) for key in ("page", "rowsPerPage", "sortBy", "descending")}
        if is_sorted_anew:
            self._pagination["page"] = 1
            await self._refresh()
        else:
            await self._show()

    def _mend(self, event: events.ValueChangeEventArguments[Any]) -> None:
        """What a browser says of pages may be older than what it was told of the number of rows."""
        if event.value.get("rowsNumber") != len(self._rows):
            self._table.pagination = dict(self._pagination)
            self._table.update()

    def _click(self, event: events.GenericEventArguments) -> None:
        self._selection.choose_frame(int(event.args))

    async def _open(self, event: events.GenericEventArguments) -> None:
        await open_frame(self._selection, int(event.args))

    def _tick(self, event: events.TableSelectionEventArguments) -> None:
        ticked = np.array(sorted(int(line["row"]) for line in event.selection), np.int64)
        if len(ticked):
            self._selection.choose_rows(ticked, "selected in the table")
        else:
            self._selection.clear_rows()

    def _choose_all(self) -> None:
        wanted = self._wanted()
        parts = [OUTCOME_WORDS[outcome] for outcome in OUTCOMES if outcome in wanted.outcomes]
        parts += [sentence.rstrip(".") for sentence in wanted.reasons]
        parts += [f"path contains {wanted.text}"] if wanted.text else []
        self._selection.choose_rows(np.sort(self._rows), ", ".join(parts) or "all frames")

    async def _key(self, event: events.KeyEventArguments) -> None:
        by = {"ArrowDown": 1, "ArrowUp": -1}.get(event.key.name)
        if by is None or not event.action.keydown or self._selection.tab != TAB or not len(self._rows):
            return
        found = np.flatnonzero(self._rows == self._selection.frame)
        place = min(max(int(found[0]) + by, 0), len(self._rows) - 1) if len(found) else 0
        page = place // int(self._pagination["rowsPerPage"]) + 1
        self._selection.choose_frame(int(self._rows[place]))
        if page != self._pagination["page"]:
            self._pagination["page"] = page
            await self._show()

    def _follow_frame(self) -> None:
        """Mark the row of the frame that is selected, where it is shown."""
        if not self._selection.is_shown(TAB):
            return
        for line in self._table.rows:
            line["current"] = line["row"] == self._selection.frame
        self._table.update()
