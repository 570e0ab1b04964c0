"""Indexed spots of many stills as flat arrays, with the crystal of each lattice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from iota.errors import UsageError
from iota.geometry.prediction import Array

Ints = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Observations:
    """Spots `[n]` of lattices `[m]`.

    Lattices with the same number in ``cell_group`` share one unit cell; -1 stands for a cell of its own.
    """

    lattice: Ints  # [n] number of the lattice of each spot, sorted
    hkl: Ints  # [n, 3], 0 0 0: not indexed
    panel: Ints  # [n]
    xy_mm: Array  # [n, 2] observed position on the panel
    weight: Array  # [n, 2] 1/variance (1/mm^2); 0: not used
    a_star: Array  # [m, 3, 3] reciprocal setting matrices (1/A), in the setting of the space group
    s0: Array  # [m, 3] incident beam (1/A)
    cell_group: Ints  # [m]
    space_group: tuple[str, ...]  # [m] symbols
    time: Array  # [m] order or seconds, NaN if not known

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit together or contain values that are not finite.

        Raises:
            UsageError: says which.
        """
        n, m = len(self.lattice), len(self.a_star)
        of_spots = [(self.hkl, (n, 3)), (self.panel, (n,)), (self.xy_mm, (n, 2)), (self.weight, (n, 2))]
        of_lattices = [(self.a_star, (m, 3, 3)), (self.s0, (m, 3)), (self.cell_group, (m,)), (self.time, (m,))]
        if any(array.shape != shape for array, shape in of_spots + of_lattices) or len(self.space_group) != m:
            raise UsageError(f"The arrays of {n} spots of {m} lattices do not have matching lengths.")
        if n and (np.any(np.diff(self.lattice) < 0) or self.lattice[0] < 0 or self.lattice[-1] >= m):
            raise UsageError(f"Spots must be sorted by lattice, and lattices be numbered from 0 to {m - 1}.")
        self._check_values()

    def _check_values(self) -> None:
        for name, array in (("position", self.xy_mm), ("weight", self.weight)):
            bad = ~np.isfinite(array).all(axis=1)
            if bad.any():
                raise UsageError(
                    f"{int(bad.sum())} of {len(bad)} spots have a {name} that is not finite. Leave them out."
                )
        if (self.weight < 0).any():
            raise UsageError("Some spots have a negative weight. Leave them out.")
        finite = np.isfinite(self.a_star).all(axis=(1, 2)) & np.isfinite(self.s0).all(axis=1)
        bad = ~finite | ~self.s0.any(axis=1)
        bad[finite] |= np.linalg.det(self.a_star[finite]) == 0
        if bad.any():
            raise UsageError(
                f"{int(bad.sum())} of {len(bad)} lattices have an orientation matrix or beam that is not valid."
                " Leave them out."
            )

    def __len__(self) -> int:
        return len(self.lattice)

    @property
    def n_lattices(self) -> int:
        """Number of lattices."""
        return len(self.a_star)

    @property
    def n_spots(self) -> Ints:
        """Number of spots of each lattice, `[m]`."""
        return np.asarray(np.bincount(self.lattice, minlength=self.n_lattices))

    @property
    def indexed(self) -> Observations:
        """The spots that have indices."""
        return self.select_spots(self.hkl.any(axis=1))

    def select(self, lattices: npt.NDArray[np.bool_] | Ints) -> Observations:
        """Some of the lattices with their spots, renumbered in the order given.

        Args:
            lattices: a mask `[m]`, or numbers of lattices.
        """
        chosen = np.flatnonzero(lattices) if np.asarray(lattices).dtype == bool else np.asarray(lattices, dtype=int)
        counts = self.n_spots
        starts = np.cumsum(counts) - counts
        lengths = counts[chosen]
        new = np.repeat(np.arange(len(chosen)), lengths)
        rows = np.arange(len(new)) + np.repeat(starts[chosen] - (np.cumsum(lengths) - lengths), lengths)
        return replace(
            self,
            lattice=new.astype(np.int32),
            **{name: getattr(self, name)[rows] for name in ("hkl", "panel", "xy_mm", "weight")},
            **{name: getattr(self, name)[chosen] for name in ("a_star", "s0", "cell_group", "time")},
            space_group=tuple(self.space_group[i] for i in chosen),
        )

    def select_spots(self, spots: npt.NDArray[np.bool_]) -> Observations:
        """Some of the spots, `[n]`; all lattices stay, even those that are left without spots."""
        chosen = {name: getattr(self, name)[spots] for name in ("lattice", "hkl", "panel", "xy_mm", "weight")}
        return replace(self, **chosen)
