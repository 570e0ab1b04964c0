"""Frames that are being viewed, kept in memory: pixels, geometry, mask."""

from __future__ import annotations

import logging
from collections import OrderedDict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from dials.array_family import flex
from dxtbx import flumpy

from iota.causes import Cause, Why, why
from iota.engine.backend import parameters as backend
from iota.engine.backend.dials_files import read_experiments
from iota.engine.backend.frame_log import frame_log
from iota.engine.images.image import import_models, load_reference_geometry, read_pixels
from iota.engine.images.masks import load_mask
from iota.engine.images.reading import ImportFailedError, NoSuchImageError, reading
from iota.engine.viewer.pixel_layout import layout_of
from iota.engine.viewer.pixel_tiles import Pyramid, contrast_of, scale_of
from iota.errors import NotFoundError, RunFolderError, UsageError
from iota.image_answers import Layout
from iota.records import FrameRef

logger = logging.getLogger(__name__)

_MAX_BYTES = 500_000_000  # pixels of six frames of 18 megapixels


class OpenFrame:
    """One image with its pixels.  Get it from :meth:`OpenFrames.get`."""

    def __init__(self, experiments: Any, shown: Any) -> None:
        """Read the pixels.

        Args:
            experiments: one, as it is imported for a run.
            shown: experiment with the geometry that is shown.
        """
        self.experiments = experiments
        self.imageset = experiments[0].imageset
        self.raw = read_pixels(self.imageset)
        panels = self.raw if isinstance(self.raw, tuple) else (self.raw,)
        self.counts = [flumpy.to_numpy(panel) for panel in panels]
        self.detector, self.beam = shown.detector, shown.beam
        with reading("layout", self.imageset.paths()[0]):
            self.layout: Layout = layout_of(self.detector, self.beam)
        if [place.size for place in self.layout.panels] != [panel.shape[::-1] for panel in self.counts]:
            raise ImportFailedError(why(Cause.OTHER, text="The geometry of the run is that of another detector."))
        self.saturation = [float(panel.get_trusted_range()[1]) for panel in self.detector]
        self.scale = scale_of(self.counts, self.valid)
        self.contrast = contrast_of(self.counts, self.valid)
        self.pyramids = [Pyramid(c, v, self.scale) for c, v in zip(self.counts, self.valid, strict=True)]

    @cached_property
    def trusted(self) -> list[npt.NDArray[np.bool_]]:
        """Pixels of each panel used by DIALS, `[slow, fast]`: ``get_mask``, which reads the image again."""
        if self.imageset.has_dynamic_mask():
            return [flumpy.to_numpy(mask) for mask in self.imageset.get_mask(0)]
        external = self.imageset.external_lookup.mask.data
        panels = self.raw if isinstance(self.raw, tuple) else (self.raw,)
        trusted = []
        for k, (panel, raw) in enumerate(zip(self.imageset.get_detector(), panels, strict=True)):
            mask = flumpy.to_numpy(panel.get_trusted_range_mask(raw if isinstance(raw, flex.int) else raw.as_double()))
            if len(panel.get_mask()):
                mask &= flumpy.to_numpy(panel.get_untrusted_rectangle_mask())
            if not external.empty():
                mask &= flumpy.to_numpy(external.tile(k).data())
            trusted.append(mask)
        return trusted

    @cached_property
    def valid(self) -> list[npt.NDArray[np.bool_]]:
        """Pixels with a count, including saturated ones, which DIALS does not trust, `[slow, fast]`."""
        return [
            trusted | (counts >= most)
            for trusted, counts, most in zip(self.trusted, self.counts, self.saturation, strict=True)
        ]

    @property
    def n_bytes(self) -> int:
        """Memory used (bytes)."""
        arrays = (*self.counts, *self.trusted, *self.valid)
        return int(sum(a.nbytes for a in arrays) + sum(pyramid.n_bytes for pyramid in self.pyramids))


class OpenFrames:
    """The frames viewed most recently, up to a number of bytes."""

    def __init__(self, links: Path) -> None:
        """Start with an empty cache.

        Args:
            links: folder for links to images whose names DIALS cannot take.
        """
        self._links = links
        self._kept: OrderedDict[tuple[Any, ...], OpenFrame] = OrderedDict()

    def get(self, path: str, index: int | None, target: str = "", experiments: str = "") -> OpenFrame:
        """One image, from memory if the file has not changed.

        Args:
            path: of the file.
            index: of the image in the file, from 0.
            target: path of the parameters of the backend with which its run imported it; empty for none.
            experiments: path of the experiments that its run left; their geometry is shown.  Empty for none.

        Raises:
            NotFoundError: there is no such file, or it holds no such image.
            UsageError: it cannot be read.
        """
        key = (path, index, target, experiments, *_changed(path), *_changed(experiments))
        if key not in self._kept:
            try:
                with frame_log() as log:
                    self._kept[key] = self._open(FrameRef(path, index), target, experiments)
            except ImportFailedError as error:
                is_there = Path(path).exists() and not isinstance(error, NoSuchImageError)
                raise (UsageError if is_there else NotFoundError)(
                    f"{Path(path).name} cannot be shown. {in_terminal(error.why, log.getvalue())}"
                ) from error
        self._kept.move_to_end(key)
        while len(self._kept) > 1 and sum(frame.n_bytes for frame in self._kept.values()) > _MAX_BYTES:
            self._kept.popitem(last=False)
        return self._kept[key]

    def _open(self, frame: FrameRef, target: str, experiments: str) -> OpenFrame:
        params = parameters(target)
        reference = load_reference_geometry(params.input.reference_geometry)
        imported = import_models(frame, params, self._links / Path(frame.path).stem, reference)
        shown = imported[0]
        if experiments:
            found = read_experiments(Path(experiments))
            shown = found[0] if len(found) and len(found[0].detector) == len(shown.detector) else shown
        return OpenFrame(imported, shown)


def _problem(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not text in UTF-8"


def in_terminal(why: Why, words: str) -> str:
    """The sentence for a page, after the DIALS message has gone to the terminal of the server if it refers to that."""
    told = why.elsewhere("The DIALS message is in the terminal of the server.")
    if told != str(why):
        logger.warning("%s\n%s", why, words)
    return told


def parameters(target: str, *more: str) -> Any:
    """Parameters of the backend from a file and from texts.

    Raises:
        RunFolderError: the file cannot be read.
        UsageError: the settings are not understood.
    """
    try:
        text = Path(target).read_text(encoding="utf-8") if target else ""
    except (OSError, UnicodeDecodeError) as error:
        raise RunFolderError(f"The settings of the run, {target}, cannot be read: {_problem(error)}.") from error
    try:
        params = backend.extract(text, *more)
    except Exception as error:  # PHIL raises what it likes
        raise UsageError(f"The settings are not understood: {str(error).strip().splitlines()[0]}.") from error
    mask = params.spotfinder.lookup.mask
    if mask:
        load_mask(Path(mask))  # which says in a sentence what is wrong with it
    return params


def _changed(path: str) -> tuple[int, int]:
    try:
        status = Path(path).stat() if path else None
    except (OSError, ValueError):  # the import says what is wrong
        status = None
    return (status.st_mtime_ns, status.st_size) if status is not None else (0, 0)
