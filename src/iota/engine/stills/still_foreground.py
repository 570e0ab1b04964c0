"""Separates foreground and background pixels in shoeboxes.

DIALS transforms the corners of every pixel of every shoebox, with the parallax of each, one by one, which took half of
the time of integration.  The angle from the predicted ray is a smooth function of the position within a shoebox, so
here it is interpolated from nine points of each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from dials.algorithms.shoebox import MaskCode
from dials.array_family import flex
from dxtbx import flumpy

from iota.geometry.prediction import Array

_CHUNK = 256  # shoeboxes at a time, so that what is in work stays in the cache of the processor


def mark_foreground(reflections: Any, detector: Any, radius_rad: float) -> None:
    """Mark each pixel of the shoeboxes as foreground or background.

    A pixel is foreground when one of its corners comes within an angle of the predicted ray.

    Args:
        reflections: DIALS' table with ``shoebox``, ``bbox``, ``panel`` and ``s1``; the masks of its shoeboxes change.
        detector: of the experiment.
        radius_rad: largest angle, n_sigma * sigma_b (rad).
    """
    shoeboxes = reflections["shoebox"]
    panels = reflections["panel"].as_numpy_array()
    boxes = np.stack([part.as_numpy_array() for part in reflections["bbox"].parts()[:4]], axis=1)
    s1 = reflections["s1"].as_numpy_array()
    for panel in np.unique(panels):
        rows = np.flatnonzero(panels == panel)
        code_type = flumpy.to_numpy(
            shoeboxes[int(rows[0])].mask
        ).dtype.type  # versions of DIALS have integers of their own
        for chunk in np.array_split(rows, -(-len(rows) // _CHUNK)):
            inside = foreground(detector[int(panel)], boxes[chunk], s1[chunk], radius_rad)
            codes = np.where(inside, code_type(MaskCode.Foreground), code_type(MaskCode.Background))
            for row, (x0, x1, y0, y1), code in zip(chunk, boxes[chunk], codes, strict=True):
                mask = flumpy.to_numpy(shoeboxes[int(row)].mask)  # shares its memory with the shoebox
                mask[0] |= code[: y1 - y0, : x1 - x0]


def foreground(panel: Any, boxes: npt.NDArray[np.int64], s1: Array, radius_rad: float) -> npt.NDArray[np.bool_]:
    """Find the pixels that come within an angle of the predicted rays.

    Args:
        panel: of the detector.
        boxes: x0 x1 y0 y1 (px), `[n, 4]`.
        s1: predicted rays, `[n, 3]`.
        radius_rad: largest angle (rad).

    Returns:
        `[n, height, width]` of the highest and widest box, from the low corner of each on.
    """
    width, height = int((boxes[:, 1] - boxes[:, 0]).max()), int((boxes[:, 3] - boxes[:, 2]).max())
    steps = np.array([0.0, 0.5, 1.0])
    x = boxes[:, 0, None, None] + width * steps[None, None, :]
    y = boxes[:, 2, None, None] + height * steps[None, :, None]
    pixels = np.stack(np.broadcast_arrays(x, y), axis=-1).reshape(-1, 2)
    millimetres = panel.pixel_to_millimeter(flex.vec2_double(np.ascontiguousarray(pixels)))
    rays = panel.get_lab_coord(millimetres).as_numpy_array().reshape(len(boxes), 9, 3)
    rays = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
    along = s1 / np.linalg.norm(s1, axis=1, keepdims=True)
    over_x, over_y = _parabola(width), _parabola(height)
    sine2 = np.zeros((len(boxes), height + 1, width + 1))
    for axis in _perpendicular(along):
        at_nodes = (rays @ axis[..., None]).reshape(len(boxes), 3, 3)
        sine2 += (over_y @ at_nodes @ over_x.T) ** 2
    close = sine2 <= radius_rad**2
    rows = close[:, :-1] | close[:, 1:]
    return np.asarray(rows[..., :-1] | rows[..., 1:])


def _perpendicular(along: Array) -> tuple[Array, Array]:
    """Two unit vectors `[n, 3]` perpendicular to each of the given ones and to each other."""
    smallest = np.eye(3)[np.argmin(np.abs(along), axis=1)]
    first = np.cross(along, smallest)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return first, np.cross(along, first)


def _parabola(size: int) -> Array:
    """Weights `[size + 1, 3]` of values at 0, 1/2 and 1 in the parabola through them."""
    t = np.arange(size + 1) / size
    return np.stack([(2 * t - 1) * (t - 1), 4 * t * (1 - t), t * (2 * t - 1)], axis=1)
