"""Indices of spots with the geometry and the crystals as they have been refined.

If a geometry is wrong, spots far from their predictions are not indexed, and those that are favour that geometry. With
the refined geometry they can be indexed as well.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from iota.geometry.observations import Observations
from iota.geometry.panels import Panels
from iota.geometry.prediction import Array

_NEAR = 0.3  # of each index from an integer, as in DIALS


def reindexed(spots: Observations, panels: Panels, a_star: Array, s0: Array) -> Observations:
    """All spots, with indices if they are near a reciprocal lattice point, 0 0 0 if not; one spot for each point.

    Whether they are where the reflection is predicted is left to the rejection of outliers.

    Args:
        spots: all spots, whatever indices they have, `[n]`.
        panels: the refined detector.
        a_star: refined crystals, `[m, 3, 3]`.
        s0: refined beams, `[m, 3]`.
    """
    rays = panels.lab_mm(spots.panel, spots.xy_mm)
    beams = s0[spots.lattice]
    rays *= (np.linalg.norm(beams, axis=1) / np.linalg.norm(rays, axis=1))[:, None]
    exact = np.einsum("nij,nj->ni", np.linalg.inv(a_star)[spots.lattice], rays - beams)
    rounded = np.rint(exact)
    off = np.abs(exact - rounded).max(axis=1)
    near = np.flatnonzero((off < _NEAR) & rounded.any(axis=1))
    point = np.column_stack([spots.lattice, spots.panel, rounded])[near]
    order = np.lexsort((off[near], *point.T))
    is_nearest = np.ones(len(order), dtype=bool)
    is_nearest[1:] = (point[order[1:]] != point[order[:-1]]).any(axis=1)
    chosen = near[order[is_nearest]]
    hkl = np.zeros(spots.hkl.shape, dtype=np.int32)
    hkl[chosen] = rounded[chosen]
    return replace(spots, hkl=hkl)
