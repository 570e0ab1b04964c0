"""Finds the spots of a frame, with the same result as the backend but faster.

Pixels remain the integers that were read, the mask common to all frames is determined once, and only regions of
high dispersion are examined closely (:mod:`iota.engine.spots.strong_pixels`).  From the strong pixels on, spots are
made, measured and filtered by DIALS' own code.
"""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import libtbx
import numpy as np
import numpy.typing as npt
from dials.algorithms.spot_finding.factory import SpotFinderFactory
from dials.algorithms.spot_finding.finder import pixel_list_to_reflection_table
from dials.array_family import flex
from dials.model.data import PixelList, PixelListLabeller
from dials.util.masking import generate_mask
from dxtbx import flumpy
from dxtbx.model import Panel

from iota.engine.backend import versions
from iota.engine.spots.in_memory import ImageInMemory
from iota.engine.spots.strong_pixels import LARGEST_WINDOW, Image, Mask, StrongPixels
from iota.errors import BackendError

logger = logging.getLogger("dials.iota")  # goes into the log of the frame, with the backend's own words


class SpotFinder:
    """Finds the spots of one frame after the other; keep it for a run.

    Whatever it does not do as the backend does it, it leaves to the backend: :meth:`find` then returns None.
    """

    def __init__(self, params: Any) -> None:
        """Prepare.

        Args:
            params: backend parameters, which are not changed.

        Raises:
            BackendError: the mask that they name cannot be read.
        """
        self._spotfinder = params.spotfinder
        self._filter = SpotFinderFactory.configure_filter(params)
        self._masks = _Masks(params.spotfinder)
        self._is_able = _is_able(params)

    def find(self, experiments: Any, raw: Any) -> Any:
        """Table of spots as ``Processor.find_spots`` of stills_process returns it, or None.

        Args:
            experiments: one experiment, with an image set of one image.
            raw: pixels as the format class reads them: a flex array, or one for each panel in a tuple.
        """
        images = _whole_numbers(raw)
        strong = self.strong_pixels(experiments[0].imageset, raw)
        if images is None or strong is None:
            return None
        logger.info("Finding Strong Spots (accelerated)\n")
        most = self._spotfinder.filter.max_strong_pixel_fraction
        if most < 1 and sum(map(len, strong)) > math.ceil(most * sum(image.size for image in images)):
            return None  # the backend says what is wrong
        return self._table(experiments, images, strong)

    def strong_pixels(self, imageset: Any, raw: Any) -> list[npt.NDArray[np.int64]] | None:
        """Strong pixels of each panel [n], numbered by rows, from which spots are made; None as for :meth:`find`.

        Args:
            imageset: of one image.
            raw: its pixels, as for :meth:`find`.
        """
        images = _whole_numbers(raw)
        if not self._is_able or images is None or not _is_uncorrected(imageset):
            return None
        masks = self._masks.of(imageset, images)
        if masks is None:
            return None
        return [self._threshold.find(image, *mask) for image, mask in zip(images, masks, strict=True)]

    @contextlib.contextmanager
    def in_memory(self, imageset: Any, raw: Any) -> Iterator[Any]:
        """Context with the same image set and its pixels; unchanged if these need the backend's corrections.

        Args:
            imageset: of the image of which the spots were found last.
            raw: its pixels.
        """
        images = _whole_numbers(raw)
        if images is None or not _is_uncorrected(imageset):
            yield imageset
            return
        trusted = self._masks.trusted(imageset, images)
        if trusted is None:
            yield imageset
            return
        kept = ImageInMemory(imageset, raw if isinstance(raw, tuple) else (raw,), trusted)
        try:
            yield kept
        finally:
            kept.forget()  # DIALS' integrator stays for a while, and its experiments with it

    @cached_property
    def _threshold(self) -> StrongPixels:
        given = self._spotfinder.threshold.dispersion
        return StrongPixels(
            tuple(given.kernel_size),
            given.min_local,
            given.sigma_background,
            given.sigma_strong,
            given.global_threshold,
            masked_spread=versions.masked_pixels_spread(),
        )

    def _table(self, experiments: Any, images: Sequence[Image], strong: Sequence[npt.NDArray[np.int64]]) -> Any:
        """Spots from strong pixels, as ``SpotFinder.find_spots`` and ``Processor.find_spots`` make them."""
        imageset, filters = experiments[0].imageset, self._spotfinder.filter
        labellers = []
        for image, pixels in zip(images, strong, strict=True):
            values = flumpy.from_numpy(image.reshape(-1)[pixels].astype(np.float64))
            labeller = PixelListLabeller()
            labeller.add(
                PixelList(imageset.indices()[0], image.shape, values, flumpy.from_numpy(pixels.astype(np.uint64)))
            )
            labellers.append(labeller)
        smallest = filters.min_spot_size
        if smallest is libtbx.Auto:
            smallest = 3 if imageset.get_detector()[0].get_type() == "SENSOR_PAD" else 6
        found, _ = pixel_list_to_reflection_table(
            imageset,
            labellers,
            filter_spots=self._filter,
            min_spot_size=smallest,
            max_spot_size=filters.max_spot_size,
            write_hot_pixel_mask=False,
        )
        found["id"] = flex.int(len(found), 0)
        if experiments[0].identifier:
            found.experiment_identifiers()[0] = experiments[0].identifier
        spots = flex.reflection_table()
        spots.extend(found)
        spots.set_flags(flex.size_t_range(len(spots)), spots.flags.strong)
        spots.is_overloaded(experiments)
        x, y, _ = spots["xyzobs.px.value"].parts()
        spots["xyzobs.px.value"] = flex.vec3_double(x, y, flex.double(len(spots), 0.0))
        x0, x1, y0, y1, _, _ = spots["bbox"].parts()
        spots["bbox"] = flex.int6(x0, x1, y0, y1, flex.int(len(spots), 0), flex.int(len(spots), 1))
        return spots


def _is_able(params: Any) -> bool:
    """Whether the parameters require only what is implemented here."""
    spotfinder = params.spotfinder
    dispersion = spotfinder.threshold.dispersion
    window = math.prod(2 * k + 1 for k in dispersion.kernel_size)
    return (
        spotfinder.threshold.algorithm == "dispersion_extended"
        and dispersion.gain is None
        and dispersion.global_threshold is not libtbx.Auto
        and window <= LARGEST_WINDOW
        and dispersion.min_local <= window
        and spotfinder.region_of_interest is None
        and not spotfinder.scan_range
        and not spotfinder.write_hot_mask
        and not spotfinder.compute_mean_background
        and not spotfinder.force_2d
        and params.output.shoeboxes
    )


def _whole_numbers(raw: Any) -> list[Image] | None:
    """Views [rows, columns] of panels; None if they are not 32-bit integers."""
    panels = raw if isinstance(raw, tuple) else (raw,)
    if not all(isinstance(panel, flex.int) for panel in panels):
        return None
    return [flumpy.to_numpy(panel) for panel in panels]


def _is_uncorrected(imageset: Any) -> bool:
    """Whether the pixels are counts that need no correction."""
    lookup = imageset.external_lookup
    return (
        lookup.gain.data.empty()
        and lookup.pedestal.data.empty()
        and all(panel.get_gain() in (0.0, 1.0) and panel.get_pedestal() == 0.0 for panel in imageset.get_detector())
    )


PanelMask = tuple[Mask, int, int]  # where a pixel may be valid, least and largest trusted count


class _Masks:
    """The mask common to all frames, kept as long as the detector and its masks stay the same."""

    def __init__(self, spotfinder: Any) -> None:
        self._filter = spotfinder.filter
        self._given = _load_mask(spotfinder.lookup.mask)
        self._by_resolution = _depends_on_geometry(spotfinder.filter)
        self._key: Any = None
        self._kept: list[PanelMask] | None = None
        self._static: list[npt.NDArray[np.bool_]] = []  # before the masks of spot finding

    def of(self, imageset: Any, images: Sequence[Image]) -> list[PanelMask] | None:
        """Masks of the panels; None if the backend masks something that changes from frame to frame."""
        key = self._key_of(imageset)
        if not _same(key, self._key):
            self._key, self._kept = key, self._make(imageset, images, key[2])
        return self._kept

    def trusted(self, imageset: Any, images: Sequence[Image]) -> tuple[Any, ...] | None:
        """The result of ``get_mask`` of the image set; None if only the backend can determine it."""
        kept = self.of(imageset, images)
        if kept is None:
            return None
        return tuple(
            flumpy.from_numpy(mask & (image >= lowest) & (image <= highest))
            for mask, image, (_, lowest, highest) in zip(self._static, images, kept, strict=True)
        )

    def _key_of(self, imageset: Any) -> tuple[Any, ...]:
        detector = imageset.get_detector()
        panels = [(p.get_image_size(), p.get_trusted_range(), tuple(p.get_mask())) for p in detector]
        models = (imageset.get_beam(), detector) if self._by_resolution else ()
        external = imageset.external_lookup.mask.data
        masks = [flumpy.to_numpy(external.tile(k).data()) for k in range(external.n_tiles())]
        return panels, models, masks

    def _make(self, imageset: Any, images: Sequence[Image], external: Sequence[Any]) -> list[PanelMask] | None:
        if imageset.has_dynamic_mask():
            return None
        ranges = [_trusted_counts(panel) for panel in imageset.get_detector()]
        rectangles = [flumpy.to_numpy(p.get_untrusted_rectangle_mask()) for p in imageset.get_detector()]
        static = [a & b for a, b in zip(rectangles, external or rectangles, strict=True)]
        backends = [flumpy.to_numpy(mask) for mask in imageset.get_mask(0)]
        for mask, image, (lowest, highest), backend in zip(static, images, ranges, backends, strict=True):
            if not np.array_equal(mask & (image >= lowest) & (image <= highest), backend):
                return None
        self._static = static
        for masks in (generate_mask(imageset, self._filter), self._given):
            if masks is not None:
                if [mask.all() for mask in masks] != [image.shape for image in images]:
                    return None
                static = [a & flumpy.to_numpy(b) for a, b in zip(static, masks, strict=True)]
        return [(mask.astype(np.uint8), *counts) for mask, counts in zip(static, ranges, strict=True)]


def _load_mask(path: Any) -> Any:
    try:
        return SpotFinderFactory.load_image(path)
    except Exception as error:
        raise BackendError(f"The mask {path} cannot be read: {error}") from error


def _same(key: Any, other: Any) -> bool:
    return (
        other is not None
        and key[:2] == other[:2]
        and len(key[2]) == len(other[2])
        and all(np.array_equal(a, b) for a, b in zip(key[2], other[2], strict=True))
    )


def _depends_on_geometry(filters: Any) -> bool:
    ranges = [x for x in filters.resolution_range or [] if x]
    return bool(filters.d_min is not None or filters.d_max is not None or ranges or filters.ice_rings.filter)


def _trusted_counts(panel: Any) -> tuple[int, int]:
    """Least and largest count that a panel's trusted range includes; its limits themselves belong to it or not."""
    least, most = panel.get_trusted_range()
    info = np.iinfo(np.int32)
    lowest, highest = max(math.ceil(least), int(info.min)), min(math.floor(most), int(info.max))
    probe = Panel()
    probe.set_image_size((2, 1))
    probe.set_trusted_range((least, most))
    ends = flex.int([lowest, highest])
    ends.reshape(flex.grid(1, 2))
    has_lowest, has_highest = probe.get_trusted_range_mask(ends)
    return lowest + (not has_lowest), highest - (not has_highest)
