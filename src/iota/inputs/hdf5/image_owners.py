"""Finds images that several masters contain, so that each is processed once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from iota.inputs.hdf5.image_map import ImageMap, Segment
from iota.inputs.hdf5.virtual import Box

Flags = npt.NDArray[np.bool_]


class ImageOwners:
    """The owner of each row of each dataset: four bytes per row."""

    def __init__(self) -> None:
        self._owners: dict[str, int] = {}  # path -> number, from 1
        self._paths: dict[int, str] = {}  # the other way round
        self._rows: dict[tuple[str, str, Box | None], npt.NDArray[np.int32]] = {}

    def rename(self, before: str, path: str, resolved_before: str, resolved: str) -> None:
        """Rename a file; the images that it owns remain its own."""
        if before in self._owners:
            self._owners[path] = self._owners.pop(before)
            self._paths[self._owners[path]] = path
        for key in [key for key in self._rows if key[0] == resolved_before]:
            _, dataset, part = key
            self._rows[resolved, dataset, part] = self._rows.pop(key)

    def claim(self, path: str, found: ImageMap, wanted: Flags) -> tuple[Flags, str]:
        """Assign images to a file, and return which of them were free, and who owned the first of the others.

        Args:
            path: the file.
            found: its images.
            wanted: which of them `[n]`.
        """
        mine = self._owners.setdefault(path, len(self._paths) + 1)
        self._paths[mine] = path
        theirs = self._owners_of_images(found)
        theirs[theirs == mine] = 0
        free = wanted & (theirs == 0)
        for segment in found.segments:
            if segment.file:
                owners, rows = self._owners_of(segment), segment.rows()
                rows = rows[free[segment.images()]]
                owners[rows[owners[rows] == 0]] = mine
        others = theirs[wanted & (theirs > 0)]
        return free, self._paths[int(others[0])] if len(others) else ""

    def _owners_of_images(self, found: ImageMap) -> npt.NDArray[np.int32]:
        """Number of the owner of each image `[n]` of which all pixels are taken; 0 for others."""
        theirs = np.full(found.n_images, np.iinfo(np.int32).max, dtype=np.int32)
        for segment in found.segments:
            images = segment.images()
            owners = self._owners_of(segment)[segment.rows()] if segment.file else np.int32(0)
            theirs[images] = np.minimum(theirs[images], owners)
        theirs[theirs == np.iinfo(np.int32).max] = 0
        return theirs

    def _owners_of(self, segment: Segment) -> npt.NDArray[np.int32]:
        key = (segment.file, segment.dataset, segment.part)
        owners = self._rows.get(key, np.zeros(0, np.int32))
        n_rows = int(segment.rows().max()) + 1
        if len(owners) < n_rows:
            owners = np.concatenate([owners, np.zeros(n_rows - len(owners), np.int32)])
            self._rows[key] = owners
        return owners
