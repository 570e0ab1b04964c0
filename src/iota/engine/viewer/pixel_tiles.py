"""Image tiles at several scales: 16-bit counts, binned by their maximum.

With the maximum, a spot of one pixel remains visible at the smallest scale; with a mean, it would disappear.
"""

from __future__ import annotations

import math
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from iota.image_answers import Contrast, Scale

TILE = 256  # pixels
MASKED = 65535
_LARGEST = 65534
_SAMPLES = 200_000  # pixels of an image from which contrast is guessed

Counts = npt.NDArray[Any]
Shifted = npt.NDArray[np.uint16]  # count + 1, and 0 where masked: so that a maximum prefers any count to a masked one


def scale_of(panels: list[Counts], valid: list[npt.NDArray[np.bool_]]) -> Scale:
    """Scaling of counts to 16 bits; for fractions and negative counts, the smallest steps that reach 99.99 %."""
    if all(panel.dtype.kind in "iu" for panel in panels):
        least = min(int(np.min(p, where=v, initial=0)) for p, v in zip(panels, valid, strict=True))
        return Scale(float(max(least, -30_000)))
    found = np.concatenate([_sample(p, v, _SAMPLES // len(panels)) for p, v in zip(panels, valid, strict=True)])
    if not found.size:
        return Scale()
    low, high = np.percentile(found, [0.01, 99.99])
    step = 10.0 ** np.ceil(np.log10(max(float(high - low), 1e-6) * 2 / _LARGEST))
    return Scale(float(np.floor(low / step) * step), float(min(step, 1.0)))


def contrast_of(panels: list[Counts], valid: list[npt.NDArray[np.bool_]]) -> Contrast:
    """Limits of the contrast at which both background and spots are visible."""
    found = np.concatenate([_sample(p, v, _SAMPLES // len(panels)) for p, v in zip(panels, valid, strict=True)])
    if not found.size:
        return Contrast(0.0, 10.0)
    low, middle, high = (float(x) for x in np.percentile(found, [1, 50, 99.5]))
    return Contrast(min(0.0, low) if low < 0 else 0.0, max(high * 2, middle + 10 * math.sqrt(abs(middle)), 5.0))


def _sample(panel: Counts, valid: npt.NDArray[np.bool_], n: int) -> npt.NDArray[np.float64]:
    step = max(1, int(np.sqrt(panel.size / n))) | 1  # odd: no pattern of even chips is followed
    some = panel[::step, ::step][valid[::step, ::step]].astype(np.float64)
    finite: npt.NDArray[np.float64] = some[np.isfinite(some)]
    return finite


class Pyramid:
    """Counts of one panel at all scales; each is computed when it is first requested."""

    def __init__(self, counts: Counts, valid: npt.NDArray[np.bool_], scale: Scale) -> None:
        """Take the counts.

        Args:
            counts: of the panel, `[slow, fast]`.
            valid: False where they say nothing, `[slow, fast]`.
            scale: into 16 bits.
        """
        if scale == Scale() and counts.dtype.kind in "iu":
            shifted = np.minimum(counts, _LARGEST).astype(np.uint16)  # valid counts are not negative here
        else:
            values = (np.nan_to_num(counts, nan=-np.inf) - scale.offset) / scale.step
            shifted = np.clip(np.rint(values), 0, _LARGEST).astype(np.uint16)
        shifted += np.uint16(1)
        shifted *= valid
        self._levels: list[Shifted] = [shifted]

    @property
    def n_bytes(self) -> int:
        """Memory used (bytes)."""
        return sum(level.nbytes for level in self._levels)

    def level(self, number: int) -> Shifted:
        """Counts + 1 of blocks of 2^number x 2^number pixels, 0 if all of them are masked."""
        while len(self._levels) <= number:
            self._levels.append(_halved(self._levels[-1]))
        return self._levels[number]

    def tile(self, level: int, x: int, y: int) -> bytes:
        """Values of a tile `[slow, fast]` of up to 256 x 256, deflated; empty outside of the panel."""
        part = self.level(level)[y * TILE : (y + 1) * TILE, x * TILE : (x + 1) * TILE]
        if not part.size:
            return b""
        return zlib.compress(np.ascontiguousarray(part - np.uint16(1)).astype("<u2", copy=False).tobytes(), 1)


def _halved(level: Shifted) -> Shifted:
    rows, columns = level.shape
    if rows % 2 or columns % 2:
        level = np.pad(level, ((0, rows % 2), (0, columns % 2)))
    across = np.maximum(level[:, ::2], level[:, 1::2])
    return np.maximum(across[::2], across[1::2])
