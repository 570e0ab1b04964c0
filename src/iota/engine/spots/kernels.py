"""Numba kernels of the spot finder, in the order of :mod:`iota.engine.spots.strong_pixels`.

DIALS' ``dispersion_extended`` threshold tests for every pixel whether the dispersion of the counts in the window around
it, 2 k + 1 wide, is higher than expected by chance.  A pixel can be strong only if this is so for *all* pixels closer
than k to it.  It is therefore sufficient to test the centre of each cell of 2 k - 1 by 2 k - 1 pixels: if the test
fails, no pixel in the cell is strong.  For six megapixels, a quarter of a million pixels are tested, in one pass over
the image; the full algorithm is run on the remaining cells, a few tens for a blank.  In newer versions of DIALS, masked
pixels pass the test: if the centre of a cell is masked, the middle of its unmasked pixels is tested instead.

Sums are exact, since they are integers, and comparisons are made in the order used by DIALS, so the results are equal.

Importing this module imports numba, which takes a quarter of a second; do this only in processes that need it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

U = np.uint32
LAST_BIT = U(1 << 31)
ASKED, SPREAD, INSIDE = np.uint8(1), np.uint8(2), np.uint8(4)
BIG = 1 << 24  # counts from here on are left out of all sums, as DIALS does


class Panel(NamedTuple):
    """Counts [rows, columns]; 0 for pixels that are always masked, else 1; minimum and maximum trusted count."""

    image: npt.NDArray[np.int32]
    valid: npt.NDArray[np.uint8]
    lowest: int
    highest: int


class Rule(NamedTuple):
    """What makes a pixel strong."""

    ky: int  # half width of the window along a column
    kx: int  # along a row
    least: int  # valid pixels that a window needs
    sigma_background: float  # standard deviations of the index of dispersion above 1
    sigma_strong: float  # standard deviations of a pixel above the mean of the background around it
    threshold: float  # a strong pixel has more counts than this
    root: npt.NDArray[np.float64]  # sqrt(2 (m - 1)) [m]
    masked_spread: bool  # whether masked pixels pass as spreading, so that what is beside them can be strong


def _compiled(function: Any) -> Any:
    """Compile at the first call, for later processes, too: beside this file or, if that is read-only, in ~/.cache."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # neither can be written: every process that is not forked from another compiles, 2 s
        return numba.njit(nogil=True)(function)


def _add_row(row: Any, valid: Any, lowest: Any, span: Any, limit: Any, one: Any, packed: Any, squares: Any) -> None:
    """Add a row to the sums over columns.

    ``packed`` holds the sum of counts, above it their number in steps of ``one``, and in its last bit whether a count
    was not below ``limit`` and left out, so that the sums of a window keep within their bits.  In 32 bits, and with no
    more than four arrays, eight pixels or more are done by one instruction.
    """
    for i in range(row.size):
        v = U(row[i])
        ok = U(v - lowest) <= span and valid[i] != 0
        small = ok and v < limit
        w = v if small else U(0)
        step = one if small else U(0)
        left_out = LAST_BIT if ok and not small else U(0)
        packed[i] = U(packed[i] + w + step) | left_out
        squares[i] = U(squares[i] + w * w)


add_row = _compiled(_add_row)


def _running_sums(values: Any, sums: Any) -> Any:
    """Sums [n + 1] of the first 0, 1, ... n values, modulo 2^32; returns all bits that a value has."""
    sums[0] = total = bits = U(0)
    for i in range(values.size):
        total = U(total + values[i])
        sums[i + 1] = total
        bits = U(bits | values[i])
    return bits


running_sums = _compiled(_running_sums)


def _any_left_out(packed: Any, i0: Any, i1: Any) -> Any:
    """Whether a count was left out in one of the columns, in which case the sums over them mean nothing."""
    bits = U(0)
    for i in range(i0, i1):
        bits = U(bits | packed[i])
    return bits & LAST_BIT


any_left_out = _compiled(_any_left_out)


def _is_valid(panel: Any, j: Any, i: Any) -> Any:
    """Whether pixel [j, i] is not masked."""
    image, valid, lowest, highest = panel
    return valid[j, i] != 0 and lowest <= image[j, i] <= highest


is_valid = _compiled(_is_valid)


def _is_spread(panel: Any, rule: Any, j: Any, i: Any) -> Any:
    """DIALS' test of dispersion at pixel [j, i]."""
    image, valid, lowest, highest = panel
    ny, nx = image.shape
    if not is_valid(panel, j, i):
        return False
    m = x = y = np.int64(0)
    for q in range(max(j - rule.ky, 0), min(j + rule.ky + 1, ny)):
        for p in range(max(i - rule.kx, 0), min(i + rule.kx + 1, nx)):
            v = np.int64(image[q, p])
            if valid[q, p] and lowest <= v <= highest and v < BIG:
                m += 1
                x += v
                y += v * v
    if m < rule.least or x < 0:
        return False
    mf, xf, yf = float(m), float(x), float(y)
    return mf * yf - xf * xf - xf * (mf - 1.0) > xf * rule.sigma_background * rule.root[m]


is_spread = _compiled(_is_spread)


def _may_hold_strong(panel: Any, rule: Any, j0: Any, i0: Any, stride: Any) -> Any:
    """Whether a cell that begins at pixel [j0, i0], and whose centre is masked, may hold strong pixels."""
    ny, nx = panel.image.shape
    top, bottom, left, right = ny, -1, nx, -1
    for j in range(j0, min(j0 + stride, ny)):
        for i in range(i0, min(i0 + stride, nx)):
            if is_valid(panel, j, i):
                top, bottom, left, right = min(top, j), max(bottom, j), min(left, i), max(right, i)
    if bottom < 0:
        return False
    j, i = (top + bottom) // 2, (left + right) // 2  # nearer than k to all of them
    return not is_valid(panel, j, i) or is_spread(panel, rule, j, i)


may_hold_strong = _compiled(_may_hold_strong)


def _restless_cells(panel: Any, rule: Any, cells: Any) -> Any:
    """Write the numbers of the cells, counted by rows, that may hold strong pixels to ``cells``; returns how many."""
    image, valid, lowest, highest = panel
    ny, nx = image.shape
    reach = min(rule.ky, rule.kx) - 1
    stride = 2 * reach + 1
    n_columns = (nx + stride - 1) // stride
    area_bits = 1
    while (1 << area_bits) <= (2 * rule.ky + 1) * (2 * rule.kx + 1):
        area_bits += 1
    value_bits = min((32 - area_bits) // 2, 31 - 2 * area_bits)
    limit, span = U(1 << value_bits), U(highest - lowest)
    m_shift = U(value_bits + area_bits)
    x_bits = U((1 << (value_bits + area_bits)) - 1)
    packed, squares = np.zeros(nx, np.uint32), np.zeros(nx, np.uint32)
    packed_sums, square_sums = np.zeros(nx + 1, np.uint32), np.zeros(nx + 1, np.uint32)
    n = 0
    for cell_row in range((ny + stride - 1) // stride):
        centre_y = min(cell_row * stride + reach, ny - 1)
        packed[:] = 0
        squares[:] = 0
        for j in range(max(centre_y - rule.ky, 0), min(centre_y + rule.ky + 1, ny)):
            add_row(image[j], valid[j], U(lowest), span, limit, U(U(1) << m_shift), packed, squares)
        left_out = running_sums(packed, packed_sums) & LAST_BIT
        running_sums(squares, square_sums)
        for cell_column in range(n_columns):
            centre_x = min(cell_column * stride + reach, nx - 1)
            i0, i1 = max(centre_x - rule.kx, 0), min(centre_x + rule.kx + 1, nx)
            total = U(packed_sums[i1] - packed_sums[i0]) & ~LAST_BIT
            m = total >> m_shift
            x, y = float(total & x_bits), float(U(square_sums[i1] - square_sums[i0]))
            spread = m * y - x * x - x * (m - 1.0) > x * rule.sigma_background * rule.root[m]
            restless = (spread and m >= rule.least) or (left_out and any_left_out(packed, i0, i1))
            if rule.masked_spread and not is_valid(panel, centre_y, centre_x):
                restless = may_hold_strong(panel, rule, cell_row * stride, cell_column * stride, stride)
            if restless:
                cells[n] = cell_row * n_columns + cell_column
                n += 1
    return n


restless_cells = _compiled(_restless_cells)


def _mark_spread(panel: Any, rule: Any, cells: Any, state: Any) -> None:
    """Mark high dispersion in ``state``, in the cells and as far around them as is relevant."""
    ny, nx = state.shape
    reach = min(rule.ky, rule.kx) - 1
    stride = 2 * reach + 1
    n_columns = (nx + stride - 1) // stride
    for cell in cells:
        j0, i0 = cell // n_columns * stride, cell % n_columns * stride
        for j in range(max(j0 - reach, 0), min(j0 + stride + reach, ny)):
            for i in range(max(i0 - reach, 0), min(i0 + stride + reach, nx)):
                if state[j, i] == 0:
                    spread = is_spread(panel, rule, j, i) or (rule.masked_spread and not is_valid(panel, j, i))
                    state[j, i] = ASKED | SPREAD if spread else ASKED


mark_spread = _compiled(_mark_spread)


def _inside_pixels(panel: Any, rule: Any, cells: Any, state: Any, pixels: Any) -> Any:
    """Write valid pixels of cells with high dispersion around them to ``pixels``, and mark them; returns how many."""
    ny, nx = state.shape
    reach = min(rule.ky, rule.kx) - 1
    stride = 2 * reach + 1
    n_columns = (nx + stride - 1) // stride
    n = 0
    for cell in cells:
        j0, i0 = cell // n_columns * stride, cell % n_columns * stride
        for j in range(j0, min(j0 + stride, ny)):
            for i in range(i0, min(i0 + stride, nx)):
                inside = is_valid(panel, j, i)
                for q in range(max(j - reach, 0), min(j + reach + 1, ny)):
                    for p in range(max(i - reach, 0), min(i + reach + 1, nx)):
                        inside = inside and (state[q, p] & SPREAD) != 0
                if inside:
                    state[j, i] |= INSIDE
                    pixels[n] = j * nx + i
                    n += 1
    return n


inside_pixels = _compiled(_inside_pixels)


def _keep_strong(panel: Any, rule: Any, state: Any, pixels: Any) -> Any:
    """Move the pixels that exceed the mean of the unmarked ones around them to the front; returns their number."""
    image, valid, lowest, highest = panel
    ny, nx = image.shape
    n = 0
    for pixel in pixels:
        j, i = pixel // nx, pixel % nx
        m = x = np.int64(0)
        for q in range(max(j - rule.ky - 2, 0), min(j + rule.ky + 3, ny)):
            for p in range(max(i - rule.kx - 2, 0), min(i + rule.kx + 3, nx)):
                v = np.int64(image[q, p])
                if valid[q, p] and lowest <= v <= highest and v < BIG and not state[q, p] & INSIDE:
                    m += 1
                    x += v
        if x < 0:
            continue
        mean = float(x) / float(m) if m >= 2 else 0.0
        if image[j, i] > rule.threshold and image[j, i] >= mean + rule.sigma_strong * np.sqrt(mean):
            pixels[n] = pixel
            n += 1
    return n


keep_strong = _compiled(_keep_strong)


def _clear(rule: Any, cells: Any, state: Any) -> None:
    """Remove all marks."""
    reach = min(rule.ky, rule.kx) - 1
    stride = 2 * reach + 1
    n_columns = (state.shape[1] + stride - 1) // stride
    for cell in cells:
        j0, i0 = cell // n_columns * stride, cell % n_columns * stride
        state[max(j0 - reach, 0) : j0 + stride + reach, max(i0 - reach, 0) : i0 + stride + reach] = 0


clear = _compiled(_clear)
