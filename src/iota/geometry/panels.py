"""Panels of a detector in the laboratory, their hierarchy, and rigid motions of its groups.

Coordinate frames and signs: docs/explanations/coordinate-frames.md.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from iota.errors import UsageError
from iota.geometry.prediction import Array, rotations

Ints = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Panels:
    """Flat panels of a detector.

    ``groups`` is the hierarchy: for each level, the number of the group of each panel, counted from 0. Level 0 is the
    whole detector (all zeros), each further level is finer, and in the last each panel is a group.
    """

    origin_mm: Array  # [p, 3] outer corner of the first pixel
    fast: Array  # [p, 3] unit vectors
    slow: Array  # [p, 3]
    size_px: Ints  # [p, 2] pixels along fast, slow
    pixel_mm: Array  # [p, 2]
    names: tuple[str, ...]
    groups: tuple[Ints, ...]

    def __post_init__(self) -> None:
        """Refuse what is not a detector.

        Raises:
            UsageError: no panels, numbers that are not finite, or a hierarchy that is none.
        """
        if not len(self):
            raise UsageError("The detector has no panels. Give a geometry with at least one.")
        numbers = (self.origin_mm, self.fast, self.slow, self.pixel_mm)
        if not all(np.isfinite(array).all() for array in numbers):
            raise UsageError("The geometry of the detector contains values that are not finite. Check its file.")
        _check_hierarchy(self.groups, len(self))

    def __len__(self) -> int:
        return len(self.origin_mm)

    def n_groups(self, level: int) -> int:
        """Number of groups at a level."""
        return int(self.groups[level].max()) + 1

    def group_name(self, level: int, group: int) -> str:
        """The whole detector, a panel by its name, or a group by the names of its panels."""
        members = np.flatnonzero(self.groups[level] == group)
        if len(members) == len(self):
            return "detector"
        if len(members) == 1:
            return str(self.names[members[0]])
        return f"{self.names[members[0]]} to {self.names[members[-1]]}"

    @property
    def size_mm(self) -> Array:
        """Size of each panel along fast, slow, `[p, 2]`."""
        return np.asarray(self.size_px * self.pixel_mm)

    @property
    def to_panel(self) -> Array:
        """Inverse d matrices `[p, 3, 3]`: the ray v hits a panel at (u1, u2)/u3 mm with u = D v."""
        return np.asarray(np.linalg.inv(np.stack([self.fast, self.slow, self.origin_mm], axis=2)))

    def lab_mm(self, panel: Ints, xy_mm: Array) -> Array:
        """Laboratory positions `[n, 3]` of positions `[n, 2]` (mm) on panels `[n]`."""
        x, y = xy_mm[:, :1], xy_mm[:, 1:]
        return np.asarray(self.origin_mm[panel] + x * self.fast[panel] + y * self.slow[panel])

    def centres_mm(self, level: int) -> Array:
        """Centre of the area of each group of a level, `[g, 3]`."""
        half = 0.5 * self.size_mm
        centre = self.origin_mm + half[:, :1] * self.fast + half[:, 1:] * self.slow
        area = np.prod(self.size_mm, axis=1)
        sums = np.zeros((self.n_groups(level), 4))
        np.add.at(sums, self.groups[level], np.column_stack([area[:, None] * centre, area]))
        return np.asarray(sums[:, :3] / sums[:, 3:])

    def are_groups_together(self, level: int) -> bool:
        """Whether most panels of the groups of a level are closest to a panel of the same group.

        If not, as a rule, the hierarchy is that of another detector, or of panels in another order.
        """
        groups = self.groups[level]
        has_others = np.bincount(groups)[groups] > 1
        if not has_others.any():
            return True
        centres = self.centres_mm(len(self.groups) - 1)[self.groups[-1]]
        _, nearest = KDTree(centres).query(centres, k=2)
        return bool(np.mean(groups[nearest[has_others, 1]] == groups[has_others]) > 0.5)

    def moved(self, groups: Ints, shift_mm: Array, rotation_rad: Array, about_mm: Array) -> Panels:
        """Each group moved as a rigid body.

        Args:
            groups: number of the group of each panel, `[p]`.
            shift_mm: of each group, along the axes of the laboratory, `[g, 3]`.
            rotation_rad: of each group, vectors by whose lengths it is rotated, `[g, 3]`.
            about_mm: points about which the groups are rotated before they are shifted, `[g, 3]`.
        """
        turn = rotations(rotation_rad)[groups]
        about = about_mm[groups]
        origin = np.einsum("pij,pj->pi", turn, self.origin_mm - about) + about + shift_mm[groups]
        fast, slow = (np.einsum("pij,pj->pi", turn, axis) for axis in (self.fast, self.slow))
        return replace(self, origin_mm=origin, fast=fast, slow=slow)


def _check_hierarchy(groups: tuple[Ints, ...], n_panels: int) -> None:
    if not groups or any(level.shape != (n_panels,) for level in groups):
        raise UsageError(f"The hierarchy of the detector does not name a group for each of its {n_panels} panels.")
    if groups[0].any() or len(np.unique(groups[-1])) != n_panels:
        raise UsageError("The hierarchy of the detector must begin with the whole and end with single panels.")
    for coarse, fine in itertools.pairwise(groups):
        if len(np.unique(fine)) != len(np.unique(np.stack([coarse, fine]), axis=1).T):
            raise UsageError("A group of panels belongs to two larger groups. Check the hierarchy of the detector.")


def parents(coarse: Ints, fine: Ints) -> Ints:
    """The group of a coarser level to which each group of a finer level belongs, `[number of fine groups]`."""
    of = np.zeros(int(fine.max()) + 1, dtype=np.int64)
    of[fine] = coarse
    return of
