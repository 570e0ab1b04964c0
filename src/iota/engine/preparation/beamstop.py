"""Finds the shadow of the beamstop from low counts around the direct beam."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from iota.errors import UsageError

_WINDOW_PX = 7  # counts are averaged over so many pixels each way
_NEAR_BEAM_PX = 20  # the shadow begins within this distance of the direct beam
_GAP_PX = 25  # a shadow goes on beyond a gap between modules that is narrower
_MARGIN_PX = 2  # half-shadowed pixels at the edge
_MAX = 0.2  # a shadow is smaller than this share of a panel


def shadow(counts: npt.NDArray[np.float64], beam_px: Sequence[float], threshold: float) -> npt.NDArray[np.bool_]:
    """Pixels of a panel in the shadow of the beamstop and its arm.

    The shadow is the connected region around the direct beam whose counts, averaged over 7 x 7 pixels, are below the
    threshold; beyond gaps between modules it goes on where such a region begins again.

    Args:
        counts: mean counts of a few images, `[slow, fast]`; negative ones are gaps and bad pixels.
        beam_px: direct beam on the panel (px), fast and slow.
        threshold: mean counts of a pixel.

    Returns:
        Truth values, `[slow, fast]`; all False where no shadow is near the beam.

    Raises:
        UsageError: the region is too large for a shadow, so the threshold is above the background.
    """
    valid = counts >= 0
    share = ndimage.uniform_filter(valid.astype(float), _WINDOW_PX)
    mean = ndimage.uniform_filter(np.where(valid, counts, 0.0), _WINDOW_PX) / np.maximum(share, 1e-6)
    low = valid & (mean < threshold)
    regions, _ = ndimage.label(low)
    fast, slow = (round(x) for x in beam_px)
    near = np.zeros_like(valid)
    near[
        max(0, slow - _NEAR_BEAM_PX) : max(0, slow + _NEAR_BEAM_PX + 1),
        max(0, fast - _NEAR_BEAM_PX) : max(0, fast + _NEAR_BEAM_PX + 1),
    ] = True
    numbers = set(np.unique(regions[near & low]).tolist())
    while numbers:
        found = np.isin(regions, list(numbers))
        beyond = ndimage.binary_dilation(found, mask=~valid | found, iterations=_GAP_PX)
        reached = set(np.unique(regions[ndimage.binary_dilation(beyond) & low]).tolist())
        if reached <= numbers:
            break
        numbers |= reached
    result: npt.NDArray[np.bool_] = np.isin(regions, list(numbers)) if numbers else np.zeros_like(valid)
    if np.count_nonzero(result) > _MAX * result.size:
        raise UsageError(
            f"image_import.beamstop={threshold:g} is above the background: {100 * result.mean():.0f} % of the detector"
            " would be in shadow. Give fewer counts."
        )
    return ndimage.binary_dilation(result, iterations=_MARGIN_PX) if numbers else result
