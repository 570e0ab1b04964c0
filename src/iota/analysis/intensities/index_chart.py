"""Measured reflections in any space group: reciprocal-space slices, completeness in resolution shells.

Indices as they were counted (P 1) are mapped to the asymmetric unit of a space group; Friedel mates are one reflection.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from cctbx import sgtbx, uctbx

from iota.crystallography.cells import Cell, volume_A3
from iota.crystallography.compatibility import fitted_cell
from iota.crystallography.indices import (
    are_absent,
    d_spacings_A,
    hkl_in_asymmetric_unit,
    packed_from_hkl,
    positions_of,
    possible_reflections,
    reciprocal_metric,
)
from iota.crystallography.shells import shell_limits, shell_numbers
from iota.crystallography.space_groups import space_group_from_symbol
from iota.runs.miller_counts import LatticeCounts, read_miller_counts

AXES = ("h", "k", "l")
BEYOND, ABSENT = -2, -1  # in a slice: outside the resolution; not allowed by the space group
N_SHELLS = 10
MAX_REFLECTIONS = 3_000_000  # possible ones that are looked at; large cells are shown to less resolution
_OUTLIERS = 0.002  # share of reflections that may lie beyond the resolution of the chart


class Slice(msgspec.Struct, kw_only=True):
    """The plane where one index is 0: how often each reflection was measured, with its equivalents."""

    zero: str  # which index is 0
    across: str  # the index that grows to the right, and its largest value
    up: str
    multiplicity: npt.NDArray[np.int32]  # `[2 up_max + 1, 2 across_max + 1]`, first row is the least index
    across_per_A: float  # length of one step (1/A)
    up_per_A: float

    @property
    def across_max(self) -> int:
        """Largest index to the right."""
        return self.multiplicity.shape[1] // 2

    @property
    def up_max(self) -> int:
        """Largest index upwards."""
        return self.multiplicity.shape[0] // 2


class Shell(msgspec.Struct, kw_only=True):
    """Completeness and multiplicity of a shell of resolution."""

    d_max_A: float
    d_min_A: float
    n_possible: int
    n_measured: int  # unique ones
    n_observations: int

    @property
    def completeness(self) -> float:
        """Fraction of the possible reflections that were measured."""
        return self.n_measured / self.n_possible if self.n_possible else 0.0

    @property
    def multiplicity(self) -> float:
        """Mean number of measurements of a measured reflection."""
        return self.n_observations / self.n_measured if self.n_measured else 0.0


class IndexChart(msgspec.Struct, kw_only=True):
    """Slices and shells of the most common lattice of a run."""

    space_group: str
    unit_cell: Cell  # as the space group demands it (A, degrees)
    n_lattices: int
    n_other_lattices: int = 0  # of other cells or space groups, which are not counted here
    n_missing: int = 0  # frames whose reflections could not be read
    d_min_A: float  # of slices and shells
    slices: list[Slice]
    shells: list[Shell]
    all_shells: Shell
    is_cut: bool = False  # to less resolution than was measured, for there is too much of reciprocal space


def run_index_chart(run_folder: Path, space_group: str | None) -> IndexChart | None:
    """Index chart of a run from the reflections counted so far; None if there are none.

    Args:
        run_folder: where the counts are.
        space_group: as people write it, e.g. ``P 43 21 2``; None is P 1.

    Raises:
        ParameterError: no such space group, or it does not fit the cell.
    """
    found = read_miller_counts(run_folder)
    if found is None or not found.lattices:
        return None
    chart = index_chart(found.lattices[0], space_group)
    chart.n_other_lattices = found.n_other_lattices + sum(lattice.n_lattices for lattice in found.lattices[1:])
    chart.n_missing = found.n_missing
    return chart


def index_chart(counted: LatticeCounts, space_group: str | None = None, *, d_min_A: float | None = None) -> IndexChart:
    """Map counts to a space group.

    Args:
        counted: indices in P 1 and how often each was measured.
        space_group: None is P 1.
        d_min_A: to which resolution; None is that of nearly all reflections.

    Raises:
        ParameterError: no such space group, or it does not fit the cell.
    """
    group = space_group_from_symbol(space_group or "P 1")
    cell = fitted_cell(counted.unit_cell, group)
    hkl, observations = counted.hkl.astype(np.int64), counted.counts.astype(np.int64)
    d_A = d_spacings_A(hkl, cell)
    wanted = d_min_A or _resolution(d_A, observations)
    least = _least_d(cell, group)
    d_min = max(wanted, least)
    inside = d_A >= d_min
    unique, multiplicity = _merged(group, hkl[inside], observations[inside])
    shells, total = _shells(cell, group, unique, multiplicity, d_min)
    return IndexChart(
        space_group=str(sgtbx.space_group_info(group=group)),
        unit_cell=cell,
        n_lattices=counted.n_lattices,
        d_min_A=d_min,
        slices=[_slice(cell, group, unique, multiplicity, axis, d_min) for axis in range(3)],
        shells=shells,
        all_shells=total,
        is_cut=least > wanted,
    )


def _resolution(d: npt.NDArray[np.float64], observations: npt.NDArray[np.int64]) -> float:
    """Resolution that includes nearly all observations (A), rounded down to 0.01 A."""
    order = np.argsort(d)
    sums = np.cumsum(observations[order])
    place = int(np.searchsorted(sums, _OUTLIERS * sums[-1], side="right"))
    return float(np.floor(100.0 * d[order][place]) / 100.0)


def _least_d(cell: Cell, group: Any) -> float:
    """Spacing to which there are as many possible reflections as are looked at (A)."""
    laue = int(group.build_derived_laue_group().order_p())
    primitive_volume = volume_A3(cell) / int(group.n_ltr())
    return float((4.0 / 3.0 * np.pi * primitive_volume / laue / MAX_REFLECTIONS) ** (1.0 / 3.0))


def _merged(
    group: Any, hkl: npt.NDArray[np.int64], observations: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Unique allowed reflections, packed and sorted, and how often each was measured."""
    mapped = hkl_in_asymmetric_unit(hkl, group)
    allowed = ~are_absent(mapped, group)
    packed, places = np.unique(packed_from_hkl(mapped[allowed]), return_inverse=True)
    return packed, np.bincount(places, weights=observations[allowed], minlength=len(packed)).astype(np.int64)


def _values_at(
    packed: npt.NDArray[np.int64], unique: npt.NDArray[np.int64], multiplicity: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """How often each was measured; 0 for those that never were."""
    places = positions_of(packed, unique)
    found = np.zeros(len(packed), np.int64)
    found[places >= 0] = multiplicity[places[places >= 0]]
    return found


def _slice(
    cell: Cell, group: Any, unique: npt.NDArray[np.int64], multiplicity: npt.NDArray[np.int64], zero: int, d_min: float
) -> Slice:
    across, up = (axis for axis in range(3) if axis != zero)
    largest = uctbx.unit_cell(cell).max_miller_indices(d_min)
    grid = np.zeros((2 * largest[up] + 1, 2 * largest[across] + 1, 3), np.int64)
    grid[..., across] = np.arange(-largest[across], largest[across] + 1)[None, :]
    grid[..., up] = np.arange(-largest[up], largest[up] + 1)[:, None]
    hkl = grid.reshape(-1, 3)
    d_A = d_spacings_A(hkl, cell)
    inside = (d_A >= d_min) & np.isfinite(d_A)
    values = np.full(len(hkl), BEYOND, np.int32)
    places = np.flatnonzero(inside)
    allowed = ~are_absent(hkl[places], group)
    values[places[~allowed]] = ABSENT
    shown = places[allowed]
    values[shown] = _values_at(packed_from_hkl(hkl_in_asymmetric_unit(hkl[shown], group)), unique, multiplicity)
    steps_per_A = np.sqrt(np.diag(reciprocal_metric(cell)))
    return Slice(
        zero=AXES[zero],
        across=AXES[across],
        up=AXES[up],
        multiplicity=values.reshape(grid.shape[:2]),
        across_per_A=float(steps_per_A[across]),
        up_per_A=float(steps_per_A[up]),
    )


def _shells(
    cell: Cell, group: Any, unique: npt.NDArray[np.int64], multiplicity: npt.NDArray[np.int64], d_min: float
) -> tuple[list[Shell], Shell]:
    """Shells of equal volume, and the overall shell."""
    possible, d_A = possible_reflections(cell, group, d_min)
    observed = _values_at(packed_from_hkl(possible), unique, multiplicity)
    number = shell_numbers(d_A, N_SHELLS, d_min)
    n_possible = np.bincount(number, minlength=N_SHELLS)
    n_measured = np.bincount(number[observed > 0], minlength=N_SHELLS)
    n_observations = np.bincount(number, weights=observed, minlength=N_SHELLS).astype(np.int64)
    limits_A = [float(d_A.max(initial=d_min)), *shell_limits(N_SHELLS, d_min)[1:].tolist()]

    def shell(first: int, last: int) -> Shell:
        chosen = slice(first, last + 1)
        return Shell(
            d_max_A=limits_A[first],
            d_min_A=limits_A[last + 1],
            n_possible=int(n_possible[chosen].sum()),
            n_measured=int(n_measured[chosen].sum()),
            n_observations=int(n_observations[chosen].sum()),
        )

    return [shell(k, k) for k in range(N_SHELLS) if n_possible[k]], shell(0, N_SHELLS - 1)
