"""Why frames failed: how often each reason occurs."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from iota.analysis.table.table import RunTable
from iota.records import OUTCOMES, Outcome

_STAGES: tuple[Outcome, ...] = (
    "failed_import", "failed_triage", "too_many_spots", "failed_spotfinding", "failed_indexing", "failed_refinement",
    "failed_integration", "failed_filter", "timed_out", "crashed",
)  # fmt: skip


class Failure(msgspec.Struct, frozen=True):
    """Frames of one outcome and one reason."""

    outcome: Outcome
    """The outcome of these frames."""
    reason: str
    """The reason; its numbers are replaced by …."""
    code: int
    """Code of the reason in the run's table."""
    n: int
    """Number of frames."""

    @property
    def key(self) -> tuple[Outcome, int]:
        """What tells it from others."""
        return (self.outcome, self.code)


def failures(table: RunTable, n_rows: int | None = None) -> list[Failure]:
    """How often each reason occurs in the first ``n_rows``: by stage, and in a stage the most frequent first."""
    n_rows = table.n_rows if n_rows is None else n_rows
    outcome, reason = table.column("outcome", stop=n_rows), table.column("reason", stop=n_rows)
    reasons = list(table.reasons)
    keys, numbers = np.unique(outcome.astype(np.int64) * 65536 + reason, return_counts=True)
    found = [
        Failure(OUTCOMES[key // 65536], reasons[key % 65536] if key % 65536 < len(reasons) else "", key % 65536, n)
        for key, n in zip(keys.tolist(), numbers.tolist(), strict=True)
        if OUTCOMES[key // 65536] != "integrated"
    ]
    return sorted(found, key=lambda failure: (_STAGES.index(failure.outcome), -failure.n))


def rows_of_failure(table: RunTable, failure: Failure) -> npt.NDArray[np.int64]:
    """Rows of the frames that failed so."""
    n_rows = table.n_rows
    is_it = table.column("outcome", stop=n_rows) == OUTCOMES.index(failure.outcome)
    return np.flatnonzero(is_it & (table.column("reason", stop=n_rows) == failure.code))
