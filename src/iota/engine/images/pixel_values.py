"""Converts stored pixels to the types that DIALS processes: int32, float32, float64.

A pixel without a count must be below the trusted range, and must be a number: DIALS sums counts before it looks at
masks, so that one NaN spoils all sums around it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

NO_NUMBER = -(2**31)  # stands for NaN and infinity; no detector counts that low
NO_COUNT = -1
_LARGEST = 2**31 - 1


def counts_of(stored: Array, bit_depth: int | None = None) -> Array:
    """Counts of pixels; below 0 for invalid pixels, ``NO_NUMBER`` for NaN and infinity.

    The highest value of an unsigned type marks a pixel without a count (a gap, a dead or masked pixel).  Counts that
    do not fit into 32 bits become the largest that does, and do not turn negative.

    Args:
        stored: pixels of any type and shape, as the file has them; they may be changed.
        bit_depth: of the detector's readout, whose two highest values mark pixels without a count; None if it is not
            known.
    """
    if stored.dtype.kind == "f":
        values = stored.astype(np.float64 if stored.dtype.itemsize > 4 else np.float32, copy=False)
        is_number = np.isfinite(values)
        return values if is_number.all() else np.where(is_number, values, values.dtype.type(NO_NUMBER))
    if stored.dtype.kind not in "iub":
        raise TypeError(f"pixels are numbers, not {stored.dtype}")
    values = _within_32_bits(stored)
    if bit_depth:
        top = 2 ** min(bit_depth, 31)
        values[values == top - 1] = NO_COUNT
        values[values == top - 2] = NO_COUNT - 1  # as dxtbx has it
    return values


def _within_32_bits(stored: Array) -> npt.NDArray[np.int32]:
    kind = stored.dtype
    if kind.kind == "u" and kind.itemsize == 4:  # seen as signed the highest value is -1, and what wraps is below it
        values = np.ascontiguousarray(stored).astype(kind.newbyteorder("="), copy=False).view(np.int32)
        wrapped = values < NO_COUNT
        if wrapped.any():
            values = np.where(wrapped, np.int32(_LARGEST), values)
        return values
    if kind.itemsize > 4:
        values = np.clip(stored, None, _LARGEST) if kind.kind == "u" else np.clip(stored, NO_NUMBER, _LARGEST)
    else:
        values = stored
    values = values.astype(np.int32, copy=False)
    if kind.kind == "u":
        values[stored == np.iinfo(kind).max] = NO_COUNT
    return values
