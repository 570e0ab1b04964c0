"""Columns as an Arrow stream for pandas, polars, DuckDB, R and Julia; needs pyarrow, which is optional."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

import numpy as np

from iota.analysis.table.columns import CODES, COLUMNS, NO_CODE, OTHER, current_name
from iota.analysis.table.table import RunTable
from iota.errors import UsageError
from iota.requirements.locks import install_command

MEDIA_TYPE = "application/vnd.apache.arrow.stream"


def arrow_stream(table: RunTable, names: Sequence[str], start: int, stop: int) -> bytes:
    """Columns of frames from ``start`` to ``stop``; words instead of codes, unknown values null.

    Raises:
        UsageError: pyarrow is not installed.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise UsageError(
            "Arrow needs pyarrow, which is not installed here. Ask for float32, or install it:"
            f" {install_command(['arrow'])}"
        )
    import pyarrow as pa

    fields, arrays = [], []
    for name in names:
        values, column = table.column(name, start, stop), COLUMNS[current_name(name)]
        if name in CODES:
            words = [*table.words(name), OTHER]
            positions = np.minimum(values.astype(np.int32), len(words) - 1)
            indices = pa.array(positions, mask=values == NO_CODE)
            array = pa.DictionaryArray.from_arrays(indices, pa.array(words))
        else:
            array = pa.array(values, from_pandas=True)
        fields.append(pa.field(name, array.type, metadata={"label": column.label, "unit": column.unit}))
        arrays.append(array)
    batch = pa.record_batch(arrays, schema=pa.schema(fields))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())
