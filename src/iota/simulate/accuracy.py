"""Compares lattices and intensities found on simulated frames with the truth.

Matrices take Miller indices (columns) to reciprocal space (1/A), as in ``truth_frames.jsonl``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from iota.crystallography.nearness import ONE_SETTING

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FoundLattice:
    """One lattice that was found and integrated on the frame ``frame`` (file name, index in the file).

    ``A`` [3, 3] and ``unit_cell`` (A, degrees) describe it; ``hkl`` [n, 3] and ``intensity`` [n] are its reflections.
    """

    frame: tuple[str, int]
    A: FloatArray
    unit_cell: tuple[float, ...]
    hkl: IntArray
    intensity: FloatArray


def orientation_error_deg(A: npt.ArrayLike, lattices: Sequence[dict[str, Any]]) -> float:
    """Smallest angle to a true lattice of the frame, whatever axes describe it; 180 when the lattice is another.

    ``lattices`` is what a line of ``truth_frames.jsonl`` says.
    """
    found = np.reshape(np.asarray(A, dtype=np.float64), (3, 3))
    angles = [180.0]
    for lattice in lattices:
        truth = np.reshape(lattice["A"], (3, 3))
        # Other axes of a lattice are whole-number combinations; symmetry operators are among them.
        axes = np.rint(np.linalg.inv(truth) @ found)
        if abs(abs(np.linalg.det(axes)) - 1.0) > 0.5:
            continue
        left, stretch, right = np.linalg.svd(found @ np.linalg.inv(truth @ axes))
        if np.abs(stretch - 1).max() < ONE_SETTING.length:
            angles.append(float(np.degrees(np.arccos(np.clip((np.trace(left @ right) - 1) / 2, -1, 1)))))
    return min(angles)


def merge(found: Sequence[FoundLattice], asu_hkl: npt.ArrayLike) -> tuple[FloatArray, IntArray]:
    """Mean intensity and multiplicity [n] of each of ``asu_hkl`` [n, 3]: one scale per lattice, no other correction.

    The lattices' own indices have to be in the asymmetric unit.  Reflections that are not in ``asu_hkl``, such as
    absent ones, count for nothing.
    """
    place = {tuple(index): i for i, index in enumerate(np.asarray(asu_hkl).tolist())}
    lattice = np.concatenate([np.full(len(one.hkl), i) for i, one in enumerate(found)])
    unique = np.array([place.get(tuple(index), -1) for one in found for index in one.hkl.tolist()])
    observed = np.concatenate([one.intensity for one in found])
    known = unique >= 0
    lattice, unique, observed = lattice[known], unique[known], observed[known]
    multiplicity = np.bincount(unique, minlength=len(place))
    scale = np.ones(len(found))
    for _ in range(10):
        merged = np.bincount(unique, observed * scale[lattice], len(place)) / np.maximum(multiplicity, 1)
        expected = merged[unique]
        scale = np.bincount(lattice, expected**2, len(found)) / np.bincount(lattice, expected * observed, len(found))
        scale /= np.median(scale)
    return merged, multiplicity
