"""Why frames failed: how often each cause occurs."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from iota.analysis.table.columns import OTHER, OTHER_CODE
from iota.analysis.table.reasons import Kind
from iota.analysis.table.table import RunTable
from iota.causes import Cause
from iota.causes.advice import OTHERWISE, Hint
from iota.records import OUTCOMES, Outcome

_STAGES: tuple[Outcome, ...] = (
    "failed_import", "failed_triage", "too_many_spots", "failed_spotfinding", "failed_indexing", "failed_refinement",
    "failed_integration", "failed_filter", "timed_out", "crashed",
)  # fmt: skip


Key = tuple[Outcome, int, str]


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Frames of one outcome and one cause."""

    outcome: Outcome
    """The outcome of these frames."""
    cause: Cause | None = None
    """None: none was recorded, or there were too many to keep them all."""
    reason: str
    """A sentence, with … for what differs among these frames."""
    code: int
    """Code of the most frequent reason in the run's table."""
    codes: tuple[int, ...]
    """Codes of all reasons, the most frequent first."""
    n: int
    """Number of frames."""

    @property
    def key(self) -> Key:
        """Identifies this failure among all others."""
        return (self.outcome, min(self.codes), self.reason)

    @property
    def hint(self) -> Hint | None:
        """What to try."""
        return OTHERWISE.get(self.outcome) if self.cause is None else self.cause.hint(self.outcome)


def failures(table: RunTable, n_rows: int | None = None) -> list[Failure]:
    """How often each cause occurs in the first ``n_rows``: by stage, and in a stage the most frequent first."""
    n_rows = table.n_rows if n_rows is None else n_rows
    outcome, reason = table.column("outcome", stop=n_rows), table.column("reason", stop=n_rows)
    keys, numbers = np.unique(outcome.astype(np.int64) * 65536 + reason, return_counts=True)
    kinds = list(table.kinds)
    groups: dict[tuple[Outcome, Kind | int], dict[int, int]] = {}  # how many frames there are of each code
    for key, n in zip(keys.tolist(), numbers.tolist(), strict=True):
        name, code = OUTCOMES[key // 65536], key % 65536
        if name != "integrated":
            groups.setdefault((name, kinds[code] if code < len(kinds) else code), {})[code] = n
    found = [_failure(table, name, kind, of_code) for (name, kind), of_code in groups.items()]
    return sorted(found, key=lambda failure: (_STAGES.index(failure.outcome), -failure.n))


def _failure(table: RunTable, outcome: Outcome, kind: Kind | int, of_code: dict[int, int]) -> Failure:
    codes = tuple(sorted(of_code, key=lambda code: -of_code[code]))
    if isinstance(kind, int):
        sentence = OTHER if kind == OTHER_CODE else ""
    else:
        sentence = table.reasons[codes[0]] if len(codes) == 1 else kind.sentence
    return Failure(
        outcome=outcome,
        cause=None if isinstance(kind, int) else kind.cause,
        reason=sentence,
        code=codes[0],
        codes=codes,
        n=sum(of_code.values()),
    )


def rows_of_failure(table: RunTable, failure: Failure) -> npt.NDArray[np.int64]:
    """Rows of the frames with this failure."""
    n_rows = table.n_rows
    is_it = table.column("outcome", stop=n_rows) == OUTCOMES.index(failure.outcome)
    return np.flatnonzero(is_it & np.isin(table.column("reason", stop=n_rows), failure.codes))
