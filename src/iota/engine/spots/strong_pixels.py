"""Finds the strong pixels of a panel, as DIALS' ``dispersion_extended`` threshold does on integer images."""

from __future__ import annotations

import logging
import math
from typing import Any

import numpy as np
import numpy.typing as npt

logger = logging.getLogger(__name__)

Image = npt.NDArray[np.int32]
Mask = npt.NDArray[np.uint8]
LARGEST_WINDOW = 1023  # pixels; sums over a larger one need more than 32 bits


class StrongPixels:
    """The threshold; its parameters are those of ``spotfinder.threshold.dispersion``, without a gain."""

    def __init__(
        self,
        kernel_size: tuple[int, int] = (3, 3),
        min_local: int = 2,
        sigma_background: float = 6.0,
        sigma_strong: float = 3.0,
        global_threshold: float = 0.0,
        *,
        masked_spread: bool = False,
    ) -> None:
        """Prepare; ``masked_spread`` as from :func:`iota.engine.backend.versions.masked_pixels_spread`."""
        from iota.engine.spots import kernels  # imports numba, 0.25 s: only where frames are processed

        ky, kx = kernel_size
        area = (2 * ky + 1) * (2 * kx + 1)
        self._kernels: Any = kernels
        self._rule = kernels.Rule(
            ky,
            kx,
            min_local if min_local > 0 else area,
            float(sigma_background),
            float(sigma_strong),
            float(global_threshold),
            np.sqrt(2.0 * np.maximum(np.arange(2 ** area.bit_length()) - 1.0, 0.0)),
            masked_spread,
        )
        self._states: dict[tuple[int, ...], Mask] = {}  # by shape; zeros between frames

    def find(self, image: Image, valid: Mask, lowest: int, highest: int) -> npt.NDArray[np.int64]:
        """Strong pixels [n], numbered by rows, in ascending order.

        Args:
            image: counts [rows, columns].
            valid: 0 where a pixel is always masked, else 1 [rows, columns].
            lowest: least trusted count.
            highest: largest trusted count.
        """
        rule, panel = self._rule, self._kernels.Panel(image, valid, lowest, highest)
        stride = 2 * min(rule.ky, rule.kx) - 1
        cells = np.empty(math.prod(-(-n // stride) for n in image.shape), np.int64)
        cells = cells[: self._kernels.restless_cells(panel, rule, cells)]
        if not cells.size:
            return cells
        if image.shape not in self._states:
            self._states[image.shape] = np.zeros(image.shape, np.uint8)
        state = self._states[image.shape]
        self._kernels.mark_spread(panel, rule, cells, state)
        pixels = np.empty(cells.size * stride * stride, np.int64)
        pixels = pixels[: self._kernels.inside_pixels(panel, rule, cells, state, pixels)]
        pixels = pixels[: self._kernels.keep_strong(panel, rule, state, pixels)]
        self._kernels.clear(rule, cells, state)
        return np.sort(pixels)


def warm_up() -> None:
    """Load the compiled code, or compile it, so that no frame has to wait for this."""
    image = np.zeros((15, 15), np.int32)
    image[5:8, 5:8] = 50
    for _ in range(8):  # each step that cannot be kept for want of room says so once, and works from then on
        try:
            StrongPixels().find(image, np.ones(image.shape, np.uint8), 0, 100)
            return
        except OSError as error:
            logger.info("Compiled code could not be kept: %s", error)
