"""Spots of a still that belong to no lattice, added to those that do.

As in files of dials.index, their number of a lattice is -1 and their indices are zero.  A refinement of the detector
geometry may find that they were far from their predictions because of the geometry, and index them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from dials.array_family import flex


def with_unindexed(indexed: Any, spots: Any, experiments: Any) -> Any:
    """Indexed spots, followed by those that were not indexed.

    Args:
        indexed: table of indexed spots, which come from ``spots``.
        spots: table of all spots of a still.
        experiments: one, with the detector on which they were found.
    """
    is_left = ~np.isin(_places(spots), _places(indexed))
    left = spots.select(flex.bool(is_left))
    left["id"] = flex.int(len(left), -1)
    left["imageset_id"] = flex.int(len(left), 0)
    left["miller_index"] = flex.miller_index(len(left), (0, 0, 0))
    for identifier in list(left.experiment_identifiers().keys()):
        del left.experiment_identifiers()[identifier]
    left.unset_flags(flex.bool(len(left), True), left.flags.indexed)
    left.centroid_px_to_mm(experiments)
    both = indexed.copy()
    both.extend(left)
    return both


def _places(table: Any) -> npt.NDArray[np.void]:
    """Panel and position (px) of each spot, as one value that is the same for the same spot."""
    xyz = table["xyzobs.px.value"].as_double().as_numpy_array().reshape(-1, 3)
    rows = np.ascontiguousarray(np.column_stack([table["panel"].as_numpy_array(), xyz[:, :2]]))
    return rows.view([("panel", float), ("x", float), ("y", float)]).ravel()
