"""The selection of one viewer, a frame and a set of frames, shared by all tabs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from iota.web.live.runs import LiveRun

Rows = npt.NDArray[np.int64]


class Selection:
    """A frame and a set of frames of a run, as rows of its table.

    Attributes:
        live: the run.
        run_id: as it stands in addresses.
        frame: row of the frame, None when none is chosen.
        rows: rows of the set, None when none is chosen.
        words: what the set is, e.g. ``failed indexing``.
    """

    def __init__(self, live: LiveRun, run_id: str) -> None:
        self.live = live
        self.run_id = run_id
        self.frame: int | None = None
        self.rows: Rows | None = None
        self.words = ""
        self._tab = ""
        self._on_frame: list[Callable[[], None]] = []
        self._on_rows: list[Callable[[], None]] = []
        self._on_enter: list[Callable[[], None]] = []

    def on_frame(self, callback: Callable[[], None]) -> None:
        """Call when another frame is chosen."""
        self._on_frame.append(callback)

    def on_rows(self, callback: Callable[[], None]) -> None:
        """Call when another set is chosen."""
        self._on_rows.append(callback)

    def on_enter(self, callback: Callable[[], None]) -> None:
        """Call when another tab is shown."""
        self._on_enter.append(callback)

    def choose_frame(self, row: int | None) -> None:
        """Choose a frame, or none."""
        if row != self.frame and (row is None or 0 <= row < self.live.table.n_rows):
            self.frame = row
            for callback in list(self._on_frame):
                callback()

    def choose_rows(self, rows: Rows, words: str) -> None:
        """Choose a set of frames."""
        self.rows, self.words = np.asarray(rows, dtype=np.int64), words
        for callback in list(self._on_rows):
            callback()

    def clear_rows(self) -> None:
        """Choose no set."""
        if self.rows is not None:
            self.rows, self.words = None, ""
            for callback in list(self._on_rows):
                callback()

    def step(self, by: int) -> None:
        """Go to the next or previous frame of the set, or of the run where there is no set."""
        rows = self.rows if self.rows is not None and len(self.rows) else np.arange(self.live.table.n_rows)
        if not len(rows):
            return
        found = np.flatnonzero(rows == self.frame)
        place = int(found[0]) + by if len(found) else 0
        self.choose_frame(int(rows[min(max(place, 0), len(rows) - 1)]))

    @property
    def tab(self) -> str:
        """Name of the tab that is shown; empty while nobody says."""
        return self._tab

    def enter(self, tab: str) -> None:
        """Say which tab is shown, so that those that are not cost nothing."""
        self._tab = tab
        for callback in list(self._on_enter):
            callback()

    def is_shown(self, tab: str) -> bool:
        """Whether a tab is shown, as far as is known."""
        return self._tab in ("", tab)
