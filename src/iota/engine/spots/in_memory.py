"""Passes an image that was already read to integration, which would otherwise read it again."""

from __future__ import annotations

from typing import Any

from dxtbx.format.image import ImageBool
from dxtbx.imageset import ImageSet


class ImageInMemory(ImageSet):  # type: ignore[misc]  # DIALS has no annotations
    """Image set of one image with its counts and mask in memory; everything else is that of the original set."""

    def __init__(self, imageset: Any, counts: tuple[Any, ...], trusted: tuple[Any, ...]) -> None:
        """Share the models and masks of an image set.

        Args:
            imageset: of one image.
            counts: ``flex.int`` of each panel, which need no correction.
            trusted: ``flex.bool`` of each panel, as ``get_mask`` gives it.
        """
        super().__init__(imageset.data(), imageset.indices())
        self._counts, self._trusted = counts, trusted

    def get_corrected_data(self, _index: int) -> tuple[Any, ...]:
        """Counts of each panel as ``flex.double``."""
        return tuple(panel.as_double() for panel in self._counts)

    def get_mask(self, _index: int) -> tuple[Any, ...]:
        """Which pixels of each panel are trusted."""
        return self._trusted

    def forget(self) -> None:
        """Release pixels and mask, even if the set is still referenced."""
        self._counts = self._trusted = ()
        forget_mask(self)


def forget_mask(imageset: Any) -> None:
    """Release the mask of an image set, which is still kept by the set that it was made from."""
    imageset.external_lookup.mask.data = ImageBool()
