"""Selects and sorts frames of a run: by outcome, reason, limits of values, or part of the name."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from iota.analysis.table.columns import COLUMNS, current_name
from iota.analysis.table.table import RunTable
from iota.causes import Cause
from iota.errors import UsageError
from iota.records import OUTCOMES

_LIMIT = re.compile(r"\s*(\w+)\s*(<=|>=|<|>|=)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")
_Compare = Callable[[Any, float], Any]
_COMPARISONS: dict[str, _Compare] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions on the frames of a run; all of them must be met."""

    outcomes: Sequence[str] = ()
    """Any of these; empty: all."""
    reasons: Sequence[str] = ()
    """Any of these sentences, as in :attr:`iota.analysis.table.table.RunTable.reasons`; empty: all."""
    causes: Sequence[str] = ()
    """Any of these codes of causes; empty: all."""
    limits: Sequence[str] = ()
    """For example "d_min_A<2.5", "n_spots>=20"."""
    text: str = ""
    """Part of the path or the name."""
    sort: str = ""
    """A column, with "-" before it for descending order; empty: the order in which frames finished."""


def select_rows(table: RunTable, wanted: Wanted) -> npt.NDArray[np.int64]:
    """Rows of the frames that meet the conditions, in the requested order; frames without a value come last.

    Raises:
        UsageError: there is no such outcome, cause or column, or a limit is not understood.
        RunFolderError: a text is looked for and the ledger cannot be read.
    """
    n_rows = table.n_rows  # more may come while this goes on
    is_wanted = np.ones(n_rows, dtype=bool)
    if wanted.outcomes:
        is_wanted &= np.isin(table.column("outcome", stop=n_rows), [_outcome(name) for name in wanted.outcomes])
    if wanted.reasons:
        codes = [code for code, sentence in enumerate(table.reasons) if sentence in wanted.reasons]
        is_wanted &= np.isin(table.column("reason", stop=n_rows), codes)
    if wanted.causes:
        causes = [_cause(code) for code in wanted.causes]
        codes = [code for code, kind in enumerate(table.kinds) if kind.cause in causes]
        is_wanted &= np.isin(table.column("reason", stop=n_rows), codes)
    for limit in wanted.limits:
        name, compare, value = _limit(limit)
        is_wanted &= compare(table.column(name, stop=n_rows), value)
    if wanted.text:
        has_text = np.zeros(n_rows, dtype=bool)
        found = table.rows_with(wanted.text)
        has_text[found[found < n_rows]] = True
        is_wanted &= has_text
    rows = np.flatnonzero(is_wanted)
    if not wanted.sort:
        return rows
    values = table.column(_column(wanted.sort.removeprefix("-")), stop=n_rows)[rows]
    keys = -values.astype(float) if wanted.sort.startswith("-") else values
    return rows[np.argsort(keys, kind="stable")]


def _outcome(name: str) -> int:
    for code, outcome in enumerate(OUTCOMES):
        if outcome == name:
            return code
    raise UsageError(f"There is no outcome {name[:40]!r}. Outcomes are {', '.join(OUTCOMES)}.")


def _cause(code: str) -> Cause:
    for cause in Cause:
        if cause.value == code:
            return cause
    raise UsageError(f"There is no cause {code[:40]!r}; the reference of outcomes lists their codes.")


def _column(name: str) -> str:
    name = current_name(name)
    if name not in COLUMNS:
        raise UsageError(f"There is no column {name[:40]!r}. Columns are {', '.join(COLUMNS)}.")
    return name


def _limit(text: str) -> tuple[str, _Compare, float]:
    match = _LIMIT.fullmatch(text)
    if match is None:
        raise UsageError(f"{text[:60]!r} is not a limit. Write column, comparison and number, e.g. d_min_A<2.5.")
    return _column(match[1]), _COMPARISONS[match[2]], float(match[3])
