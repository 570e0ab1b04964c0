"""The frames and lattices of a run as pandas tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from iota.analysis.table.columns import CODES, COLUMNS, NO_CODE, OLD_NAMES, OTHER
from iota.analysis.table.growing import Array
from iota.analysis.table.table import RunTable


def frames_table(table: RunTable, start: int = 0, stop: int | None = None, *, names: bool = True) -> pd.DataFrame:
    """Frames, one row each, in the order they finished; the index is the row in the ledger.

    Columns are those of :data:`iota.analysis.table.columns.COLUMNS`, lattice columns for the frame's best lattice;
    words instead of codes, ``finished`` as time (UTC); old names of columns are there at the end.

    Args:
        table: the run's frames.
        start: first row.
        stop: row after the last; None is all.
        names: whether the columns ``frame`` and ``name`` are wanted, for which the ledger is read again.

    Raises:
        RunFolderError: the ledger cannot be read any more.
    """
    stop = table.n_rows if stop is None else min(stop, table.n_rows)
    columns: dict[str, object] = {}
    if names:
        pairs = list(table.frame_names(start, stop))
        columns["frame"] = [frame for frame, _ in pairs]
        columns["name"] = [name for _, name in pairs]
    for name in COLUMNS:
        values = table.column(name, start, stop)
        if name in CODES:
            columns[name] = _categories(table, name, values)
        elif name == "finished":
            columns[name] = pd.to_datetime((values * 1000).round(), unit="ms", utc=True)
        else:
            columns[name] = values
    columns |= {old: columns[name] for old, name in OLD_NAMES.items()}
    return pd.DataFrame(columns, index=pd.RangeIndex(start, stop, name="row"))


def lattices_table(table: RunTable) -> pd.DataFrame:
    """Lattices of all frames, one row each; ``row`` is the row of the frame in :func:`frames_table`."""
    n = table.n_lattices
    columns: dict[str, object] = {"row": table.lattice_column("row")[:n]}
    for name, column in COLUMNS.items():
        if column.of == "lattice":
            values = table.lattice_column(name)[:n]
            columns[name] = _categories(table, name, values) if name in CODES else values
    columns |= {old: columns[name] for old, name in OLD_NAMES.items()}
    return pd.DataFrame(columns)


def _categories(table: RunTable, name: str, codes: Array) -> pd.Categorical:
    """Words instead of codes; empty if there are none."""
    words = [*table.words(name), OTHER]
    positions = np.minimum(codes.astype(np.int32), len(words) - 1)
    positions[codes == NO_CODE] = -1
    return pd.Categorical.from_codes(positions, categories=words)
