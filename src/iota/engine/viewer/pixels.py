"""Opens images for the server in a separate process, which alone loads dxtbx; a crash costs only one request."""

from __future__ import annotations

import struct
import tempfile
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from iota.engine.backend.installation import prepare

prepare()

from iota.engine.images.masks import check_shape, load_mask  # noqa: E402
from iota.engine.questions import ImageRequest  # noqa: E402
from iota.engine.spots.strong_pixels import warm_up  # noqa: E402
from iota.engine.viewer import mask_shapes, pixel_marks  # noqa: E402 - DIALS must be prepared first
from iota.engine.viewer.pixel_frames import OpenFrame, OpenFrames, parameters  # noqa: E402
from iota.errors import NotFoundError, UsageError  # noqa: E402
from iota.image_answers import MaskedPixels, Region, SavedMask  # noqa: E402
from iota.processes.protocol import Tell, WithBytes  # noqa: E402

_COUNT = struct.Struct("<I")
_HALF = 8  # pixels around the one that is looked at: 17 x 17
_MAX_TILES = 400  # in one answer
_BAD_AREA = 9  # masked pixels that touch; more are a gap or a shadow
_MAX_RECTANGLES = 200_000


class Source(msgspec.Struct, frozen=True):
    """An image; see :meth:`iota.engine.viewer.pixel_frames.OpenFrames.get`."""

    path: str
    index: int | None = None
    target: str = ""
    experiments: str = ""


class Pixels:
    """Answers requests; each public method is one, and returns its result and bytes."""

    def __init__(self, links: Path) -> None:
        self._frames = OpenFrames(links)

    def answer(self, request: ImageRequest) -> WithBytes:
        """Answer a request.

        Raises:
            UsageError: there is no such request.
        """
        if request.do.startswith("_") or request.do == "answer" or not hasattr(self, request.do):
            raise UsageError(f"Nothing is called {request.do}.")
        return WithBytes(*getattr(self, request.do)(**request.given))

    def _frame(self, source: dict[str, Any]) -> OpenFrame:
        given = msgspec.convert(source, Source)
        return self._frames.get(given.path, given.index, given.target, given.experiments)

    def warm(self) -> tuple[Any, bytes]:
        """Load in advance what the first image needs."""
        warm_up()
        parameters("")
        return None, b""

    def open(self, source: dict[str, Any]) -> tuple[Any, bytes]:
        """Geometry and initial contrast."""
        frame = self._frame(source)
        return {
            "layout": frame.layout,
            "scale": frame.scale,
            "contrast": frame.contrast,
            "saturation": frame.saturation,
            "n_pixels": sum(counts.size for counts in frame.counts),
        }, b""

    def tiles(self, source: dict[str, Any], tiles: list[tuple[int, int, int, int]]) -> tuple[Any, bytes]:
        """Tiles (panel, level, x, y), each with its length before it."""
        frame = self._frame(source)
        parts = []
        for panel, level, x, y in tiles[:_MAX_TILES]:
            is_there = 0 <= panel < len(frame.pyramids) and 0 <= level < 16 and min(x, y) >= 0
            data = frame.pyramids[panel].tile(level, x, y) if is_there else b""
            parts += [_COUNT.pack(len(data)), data]
        return None, b"".join(parts)

    def thumbnail(self, source: dict[str, Any], size: int) -> tuple[Any, bytes]:
        """A thumbnail, 8 bits per pixel `[rows, columns]`, deflated; 0 is masked, 255 the darkest."""
        frame = self._frame(source)
        layout = frame.layout
        step = max(layout.width, layout.height) / min(max(size, 16), 512)
        columns, rows = max(1, round(layout.width / step)), max(1, round(layout.height / step))
        picture = np.zeros((rows, columns), np.uint8)
        level = max(0, int(np.log2(max(step, 1.0))))
        y, x = np.mgrid[0:rows, 0:columns] * step + step / 2
        low, high = frame.contrast.low, frame.contrast.high
        for place, pyramid in zip(layout.panels, frame.pyramids, strict=True):
            inverse = np.linalg.inv(np.array([place.fast, place.slow]).T)
            fast = inverse[0, 0] * (x - place.origin[0]) + inverse[0, 1] * (y - place.origin[1])
            slow = inverse[1, 0] * (x - place.origin[0]) + inverse[1, 1] * (y - place.origin[1])
            is_inside = (fast >= 0) & (slow >= 0) & (fast < place.size[0]) & (slow < place.size[1])
            values = pyramid.level(level)[slow[is_inside].astype(int) >> level, fast[is_inside].astype(int) >> level]
            counts = frame.scale.offset + frame.scale.step * (values.astype(np.float32) - 1)
            grey = 1 + np.clip((counts - low) / max(high - low, 1e-6), 0, 1) * 254
            picture[is_inside] = np.where(values == 0, 0, grey).astype(np.uint8)
        return {"width": columns, "height": rows}, zlib.compress(picture.tobytes(), 1)

    def region(self, source: dict[str, Any], panel: int, fast: int, slow: int) -> tuple[Any, bytes]:
        """Unscaled counts of 17 x 17 pixels; None outside of the panel and for masked pixels."""
        frame = self._frame(source)
        if not 0 <= panel < len(frame.counts):
            raise NotFoundError(f"The detector has no panel {panel}; panels are 0 to {len(frame.counts) - 1}.")
        counts, valid = frame.counts[panel], frame.valid[panel]
        rows, columns = counts.shape
        if not (0 <= fast < columns and 0 <= slow < rows):
            raise NotFoundError(f"Panel {panel} has no pixel {fast}, {slow}; it has {columns} x {rows} pixels.")
        table = [
            [
                _number(counts[y, x]) if 0 <= y < rows and 0 <= x < columns and valid[y, x] else None
                for x in range(fast - _HALF, fast + _HALF + 1)
            ]
            for y in range(slow - _HALF, slow + _HALF + 1)
        ]
        model = frame.detector[panel]
        d_A = model.get_resolution_at_pixel(frame.beam.get_s0(), (fast + 0.5, slow + 0.5))
        return Region(counts=table, d_A=round(d_A, 4) if np.isfinite(d_A) else None, panel=model.get_name()), b""

    def lattices(self, experiments: str, reflections: str) -> tuple[Any, bytes]:
        """Reflections of each lattice, with indices and I/sigma."""
        return pixel_marks.lattices_of(experiments, reflections), b""

    def kept_spots(self, strong: str) -> tuple[Any, bytes]:
        """Spots stored by a run."""
        return pixel_marks.kept_spots(strong), b""

    def spots(self, source: dict[str, Any], indexed: str = "", more: str = "") -> tuple[Any, bytes]:
        """Spots found with the settings of the run, or with others."""
        target = msgspec.convert(source, Source).target
        return pixel_marks.found_spots(self._frame(source), target, indexed, more), b""

    def strong(self, source: dict[str, Any], more: str = "") -> tuple[Any, bytes]:
        """Strong pixels of each panel: how many, then their numbers by rows, all of 32 bits."""
        target = msgspec.convert(source, Source).target
        found = pixel_marks.strong_pixels(self._frame(source), target, more)
        body = b"".join(_COUNT.pack(len(pixels)) + pixels.astype("<u4").tobytes() for pixels in found)
        return {"n_pixels": sum(map(len, found))}, body

    def bad_pixels(self, source: dict[str, Any]) -> tuple[Any, bytes]:
        """Pixels that are masked or saturated on their own, apart from gaps: (panel, fast, slow)."""
        found = []
        for number, trusted in enumerate(self._frame(source).trusted):
            for x0, x1, y0, y1 in mask_shapes.rectangles_of(~trusted):
                around = trusted[max(0, y0 - 1) : y1 + 1, max(0, x0 - 1) : x1 + 1]
                if (x1 - x0) * (y1 - y0) <= _BAD_AREA and np.count_nonzero(~around) <= _BAD_AREA:
                    found.append((number, (x0 + x1) / 2, (y0 + y1) / 2))
        return found, b""

    def mask_file(self, source: dict[str, Any], path: str) -> tuple[Any, bytes]:
        """The pixels masked by a file."""
        mask = load_mask(Path(path))
        check_shape(mask, self._frame(source).detector, f"The mask {path}")
        return _shown(mask), b""

    def mask(self, source: dict[str, Any], phil: str, base: list[str]) -> tuple[Any, bytes]:
        """The pixels masked by a mask that is being drawn."""
        return _shown(mask_shapes.whole_mask(phil, base, self._frame(source).imageset)), b""

    def save_mask(self, source: dict[str, Any], phil: str, base: list[str], path: str) -> tuple[Any, bytes]:
        """Write a mask, and the PHIL of its shapes beside it."""
        mask = mask_shapes.whole_mask(phil, base, self._frame(source).imageset)
        text = mask_shapes.save_mask(mask, phil, Path(path))
        return SavedMask(mask=path, phil=str(text), n_masked=mask_shapes.n_masked(mask)), b""

    def mask_shapes(self, path: str) -> tuple[Any, bytes]:
        """Shapes in a PHIL file of dials.generate_mask."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
            kind = NotFoundError if isinstance(error, FileNotFoundError) else UsageError
            raise kind(f"{path} cannot be read: {why}.") from error
        return mask_shapes.shapes_in_phil(text), b""

    def shadow(self, source: dict[str, Any], threshold: float) -> tuple[Any, bytes]:
        """The shadow of the beamstop as rectangles: (panel, numbers)."""
        frame = self._frame(source)
        counts = [np.where(good, c, -1) for c, good in zip(frame.counts, frame.valid, strict=True)]
        found = mask_shapes.shadow_rectangles(counts, frame.layout.beam_panel, threshold)
        if not found:
            raise UsageError(f"No shadow with fewer than {threshold:g} counts was found around the direct beam.")
        return found, b""


def _shown(mask: Any) -> MaskedPixels:
    rectangles = mask_shapes.masked_rectangles(mask)
    if sum(map(len, rectangles)) > _MAX_RECTANGLES:
        raise UsageError("The mask is made of so many single pixels that it cannot be shown.")
    return MaskedPixels(
        rectangles=rectangles,
        n_masked=mask_shapes.n_masked(mask),
        n_pixels=sum(panel.size() for panel in mask),
    )


def _number(count: Any) -> int | float | None:
    value = count.item()
    if isinstance(value, int):
        return value
    return round(value, 2) if np.isfinite(value) else None


@lru_cache(maxsize=1)
def _pixels() -> tuple[Pixels, tempfile.TemporaryDirectory[str]]:
    links = tempfile.TemporaryDirectory(prefix="iota_pixels_")  # is removed when the process ends
    return Pixels(Path(links.name)), links


def answer(request: ImageRequest, tell: Tell) -> WithBytes:
    """Answer a request with the images that are open."""
    return _pixels()[0].answer(request)
