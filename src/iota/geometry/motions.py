"""Free motions of a detector by the levels of its hierarchy.

Each group of panels can be shifted along and rotated about three axes: x, y, and the beam.  The groups of a finer level
move relative to their parent: it is imposed exactly that together they do not move as a rigid body, so that the sums of
shifts and rotations are zero.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import block_diag, null_space

from iota.errors import UsageError
from iota.geometry.deviations import DISTANCE, SHIFTS, TILTS
from iota.geometry.panels import Ints, Panels, parents
from iota.geometry.prediction import GENERATORS, Array, rotations

ROTATIONS = (*TILTS, "rotation about the beam")
MOTIONS = (*SHIFTS, DISTANCE, *ROTATIONS)


@dataclass(frozen=True)
class LevelOfMotions:
    """The groups of one level, and the points about which they are rotated."""

    level: int
    groups: Ints  # [p]
    about_mm: Array  # [g, 3]
    free: Ints  # [f] numbers of the groups that can move
    to_values: Array  # [6 f, t] motions of these groups from free parameters


@dataclass(frozen=True)
class Motions:
    """How parameters move a detector; get one from :func:`motions_of`.

    ``values`` are six numbers for each free group, level by level: shifts of its point (mm) and rotations about it
    (rad) in the order of ``MOTIONS``. They are ``to_values @ theta``, with a free parameter theta per permitted motion;
    below level 0, thetas are displacements (mm, root mean square over a group). To first order, the groups of the
    finest level are moved by ``to_base @ theta``: shifts and rotations along x, y, z of the laboratory, about one
    point, ``origin_mm``.
    """

    levels: tuple[LevelOfMotions, ...]
    axes: Array  # [3, 3] rows
    origin_mm: Array  # [3]
    base: Ints  # [p] group of each panel at the finest level

    @property
    def to_values(self) -> Array:
        """Values of free parameters, `[v, t]`."""
        return np.asarray(block_diag(np.empty((0, 0)), *(level.to_values for level in self.levels)))

    @property
    def to_base(self) -> Array:
        """Motions of the finest groups of free parameters, to first order, `[6 b, t]`."""
        empty = np.zeros((6 * (int(self.base.max()) + 1), 0))
        parts = [_base_motions(level, self.base, self.axes, self.origin_mm) @ level.to_values for level in self.levels]
        return np.concatenate([empty, *parts], axis=1)

    def apply(self, panels: Panels, values: Array) -> tuple[Panels, Motions]:
        """Move panels by ``values`` `[v]`, the whole first, then its parts, and the points about which they rotate."""
        start, moved = 0, list(self.levels)
        for number, level in enumerate(self.levels):
            moves = np.zeros((len(level.about_mm), 2, 3))
            end = start + 6 * len(level.free)
            moves[level.free] = values[start:end].reshape(-1, 2, 3) @ self.axes
            start = end
            shift, turn, about = moves[:, 0], moves[:, 1], moved[number].about_mm
            panels = panels.moved(level.groups, shift, turn, about)
            for finer in range(number, len(moved)):
                parent = parents(level.groups, moved[finer].groups)
                lever = np.einsum("gij,gj->gi", rotations(turn)[parent], moved[finer].about_mm - about[parent])
                moved[finer] = replace(moved[finer], about_mm=lever + (about + shift)[parent])
        return panels, replace(self, levels=tuple(moved))

    def labels(self) -> list[tuple[int, int, str]]:
        """Level, group and kind of motion of each of the values."""
        return [(level.level, int(group), axis) for level in self.levels for group in level.free for axis in MOTIONS]


def laboratory_axes(beam: Array) -> Array:
    """Axes of motions, as rows `[3, 3]`: right-handed, the third along the beam, as close to x, y, z as possible.

    If the beam is along -z, they are x, y, z: the third is always parallel to the beam or antiparallel.
    """
    third = beam / np.linalg.norm(beam)
    if third[np.argmax(np.abs(third))] < 0:
        third = -third
    x = np.eye(3)[0 if abs(third[0]) < 0.9 else 1]
    first = x - (x @ third) * third
    first /= np.linalg.norm(first)
    return np.array([first, np.cross(third, first), third])


def motions_of(panels: Panels, levels: tuple[int, ...], beam: Array, n_spots: Ints, minimum_spots: int) -> Motions:
    """The motions of a detector that are permitted at some levels of its hierarchy.

    Args:
        panels: the detector.
        levels: numbers of levels, from coarse to fine.
        beam: direction of the beam, `[3]`.
        n_spots: number of spots on each panel, `[p]`.
        minimum_spots: groups with fewer spots do not move relative to their parent.

    Raises:
        UsageError: a level that the hierarchy does not have.
    """
    if list(levels) != sorted(set(levels)) or any(level not in range(len(panels.groups)) for level in levels):
        raise UsageError(
            f"Levels {', '.join(map(str, levels))} are not levels of this detector, from coarse to fine."
            f" Its levels are {_levels_text(panels)}."
        )
    axes = laboratory_axes(beam)
    whole = _where_beam_hits(panels, beam)
    parts = []
    coarse = panels.groups[0]
    for level in levels:
        groups = panels.groups[level]
        about = whole[None] if level == 0 else panels.centres_mm(level)
        free = np.flatnonzero(np.bincount(groups, weights=n_spots) >= minimum_spots)
        if level > 0:
            parent = parents(coarse, groups)[free]
            free = free[np.bincount(parent)[parent] > 1]  # a single part cannot move relative to its parent
        part = LevelOfMotions(level, groups, about, free, np.eye(6 * len(free)))
        parts.append(part if level == 0 else replace(part, to_values=_relative_to_parents(panels, part, coarse, axes)))
        coarse = groups
    return Motions(tuple(parts), axes, whole, base=panels.groups[levels[-1]] if levels else panels.groups[0])


def distance_mm(panels: Panels, beam: Array) -> float:
    """Distance along the beam from the sample to the mean plane of the panels (mm)."""
    return float(np.linalg.norm(_where_beam_hits(panels, beam)))


def _levels_text(panels: Panels) -> str:
    """The levels of a detector: their numbers, and what is on them."""
    last = len(panels.groups) - 1
    parts = [
        f"{level} ({panels.n_groups(level)} {'panels' if level == last else 'groups'})" for level in range(1, last + 1)
    ]
    return ", ".join(["0 (the whole)", *parts])


def _where_beam_hits(panels: Panels, beam: Array) -> Array:
    """The point of the beam in the mean plane of the panels; if there is none, the closest to their centre."""
    direction = beam / np.linalg.norm(beam)
    centre = panels.centres_mm(0)[0]
    normal = np.cross(panels.fast, panels.slow).sum(axis=0)
    is_steep = abs(normal @ direction) > 0.1 * np.linalg.norm(normal)
    distance = (normal @ centre) / (normal @ direction) if is_steep else centre @ direction
    return np.asarray(max(distance, 0.0) * direction)


def _base_motions(part: LevelOfMotions, base: Ints, axes: Array, origin_mm: Array) -> Array:
    """Motions of the finest groups about the common point that follow from those of the free groups, `[6 b, 6 f]`."""
    parent = parents(part.groups, base)
    place = {int(group): number for number, group in enumerate(part.free)}
    result = np.zeros((len(parent), 6, len(part.free), 6))
    for number, group in enumerate(parent):
        if group in place:
            # shift + rotation x (P - about) = (shift + rotation x (origin - about)) + rotation x (P - origin)
            result[number, :, place[int(group)]] = _about(origin_mm - part.about_mm[group]) @ block_diag(axes.T, axes.T)
    return result.reshape(6 * len(parent), -1)


def _about(lever_mm: Array) -> Array:
    """The same motion as shift and rotation about a point that lies farther by a lever, `[6, 6]`."""
    change = np.eye(6)
    change[:3, 3:] = -np.tensordot(lever_mm, GENERATORS, axes=1)
    return change


def _relative_to_parents(panels: Panels, part: LevelOfMotions, coarse: Ints, axes: Array) -> Array:
    """Motions of the free groups of a level, without those of their parents as a whole, `[6 f, t]`."""
    parent = parents(coarse, part.groups)[part.free]
    columns = []
    for one in np.unique(parent):
        members = np.flatnonzero(parent == one)
        roots = [_root_of_metric(panels, part, int(part.free[member])) for member in members]
        # with the root of the metric, lengths are root mean square displacements over the area
        rigid = [
            root.T @ _about(part.about_mm[part.free[member]] - part.about_mm[part.free[members[0]]])
            for root, member in zip(roots, members, strict=True)
        ]
        relative = null_space(np.concatenate(rigid).T)
        block = np.zeros((len(part.free), 6, relative.shape[1]))
        for number, (root, member) in enumerate(zip(roots, members, strict=True)):
            block[member] = block_diag(axes, axes) @ np.linalg.solve(root.T, relative[6 * number : 6 * number + 6])
        columns.append(block.reshape(6 * len(part.free), -1))
    return np.concatenate(columns, axis=1) if columns else np.zeros((0, 0))


def _root_of_metric(panels: Panels, part: LevelOfMotions, group: int) -> Array:
    """Cholesky factor `[6, 6]` of the metric in which motions are as long as the group's displacement (mm, rms)."""
    members = np.flatnonzero(part.groups == group)
    areas = np.prod(panels.size_mm[members], axis=1)
    metric = np.zeros((6, 6))
    gauss = 0.5 + np.array([-0.5, 0.5]) / np.sqrt(3.0)  # two points are exact for squares
    for panel, area in zip(members, areas / areas.sum(), strict=True):
        size = panels.size_mm[panel]
        for x in gauss:
            for y in gauss:
                point = panels.origin_mm[panel] + x * size[0] * panels.fast[panel] + y * size[1] * panels.slow[panel]
                field = _about(point - part.about_mm[group])[:3]
                metric += 0.25 * area * field.T @ field
    return np.asarray(np.linalg.cholesky(metric))
