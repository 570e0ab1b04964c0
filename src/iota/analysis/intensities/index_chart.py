"""Measured reflections in any space group: reciprocal-space slices, completeness in resolution shells.

Indices as they were counted (P 1) are mapped to the asymmetric unit of a space group; Friedel mates are one reflection.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from cctbx import crystal, miller, sgtbx, uctbx
from cctbx.array_family import flex

from iota.errors import ParameterError
from iota.runs.miller_counts import LatticeCounts, read_miller_counts
from iota.symmetry import Cell, cell_text

AXES = ("h", "k", "l")
BEYOND, ABSENT = -2, -1  # in a slice: outside the resolution; not allowed by the space group
N_SHELLS = 10
MOST_REFLECTIONS = 3_000_000  # possible ones that are looked at; large cells are shown to less resolution
_OUTLIERS = 0.002  # share of reflections that may lie beyond the resolution of the chart
_LENGTH_TOLERANCE, _ANGLE_TOLERANCE_DEG = 0.05, 3.0  # how far a cell may be from what a space group demands


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
        """Share of possible reflections that were measured."""
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
    """Chart of what was counted so far in a run; None when nothing was.

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
    group = space_group_named(space_group or "P 1")
    cell = fitted_cell(counted.unit_cell, group)
    symmetry = crystal.symmetry(unit_cell=cell, space_group=group)
    hkl, observations = counted.hkl.astype(np.int64), counted.counts.astype(np.int64)
    d = _d_spacings(cell, hkl)
    wanted = d_min_A or _resolution(d, observations)
    least = _least_d(cell, group)
    d_min = max(wanted, least)
    inside = d >= d_min
    unique, multiplicity = _merged(symmetry, hkl[inside], observations[inside])
    shells, total = _shells(symmetry, unique, multiplicity, d_min)
    return IndexChart(
        space_group=str(sgtbx.space_group_info(group=group)),
        unit_cell=_cell(cell),
        n_lattices=counted.n_lattices,
        d_min_A=d_min,
        slices=[_slice(symmetry, unique, multiplicity, axis, d_min) for axis in range(3)],
        shells=shells,
        all_shells=total,
        is_cut=least > wanted,
    )


def space_group_named(symbol: str) -> Any:
    """A space group of cctbx.

    Raises:
        ParameterError: there is none of this name.
    """
    try:
        return sgtbx.space_group_info(symbol.strip()).group()
    except RuntimeError as error:
        raise ParameterError(
            f"{symbol.strip()!r} is not a space group. Write it like P 43 21 2, P212121 or a number from 1 to 230."
        ) from error


def fitted_cell(cell: Sequence[float], group: Any) -> Any:
    """The cell as a space group demands it, where it nearly has that shape.

    Raises:
        ParameterError: it does not.
    """
    given = uctbx.unit_cell(tuple(cell))
    symbol = str(sgtbx.space_group_info(group=group))
    fitted = group.average_unit_cell(given)
    before, after = given.parameters(), fitted.parameters()
    if any(abs(x / y - 1) > _LENGTH_TOLERANCE for x, y in zip(before[:3], after[:3], strict=True)) or any(
        abs(x - y) > _ANGLE_TOLERANCE_DEG for x, y in zip(before[3:], after[3:], strict=True)
    ):
        raise ParameterError(
            f"{symbol} does not fit the cell of this run, {cell_text(cell, 1)}: it demands one like"
            f" {cell_text(after, 1)} (Å, degrees)."
        )
    return fitted


def _cell(cell: Any) -> Cell:
    a, b, c, alpha, beta, gamma = (float(value) for value in cell.parameters())
    return (a, b, c, alpha, beta, gamma)


def _metric(cell: Any) -> npt.NDArray[np.float64]:
    """Reciprocal metric (1/A^2), `[3, 3]`."""
    xx, yy, zz, xy, xz, yz = cell.reciprocal_metrical_matrix()
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def _d_spacings(cell: Any, hkl: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Spacings (A); infinite for 0 0 0."""
    d_star_squared = np.einsum("ni,ij,nj->n", hkl, _metric(cell), hkl, optimize=True)
    with np.errstate(divide="ignore"):
        return np.asarray(1.0 / np.sqrt(np.maximum(d_star_squared, 0.0)))


def _resolution(d: npt.NDArray[np.float64], observations: npt.NDArray[np.int64]) -> float:
    """To which spacing nearly all observations lie (A), rounded down to 0.01 A."""
    order = np.argsort(d)
    sums = np.cumsum(observations[order])
    place = int(np.searchsorted(sums, _OUTLIERS * sums[-1], side="right"))
    return float(np.floor(100.0 * d[order][place]) / 100.0)


def _least_d(cell: Any, group: Any) -> float:
    """Spacing to which there are as many possible reflections as are looked at (A)."""
    laue = int(group.build_derived_laue_group().order_p())
    primitive_volume = cell.volume() / int(group.n_ltr())
    return float((4.0 / 3.0 * np.pi * primitive_volume / laue / MOST_REFLECTIONS) ** (1.0 / 3.0))


def _flex(hkl: npt.NDArray[np.int64]) -> Any:
    columns = [flex.int(np.ascontiguousarray(hkl[:, k], dtype=np.int32)) for k in range(3)]
    return flex.miller_index(*columns)


def _numpy(indices: Any) -> npt.NDArray[np.int64]:
    values: npt.NDArray[np.int64] = indices.as_vec3_double().as_double().as_numpy_array().astype(np.int64)
    return values.reshape(-1, 3)


def _in_asymmetric_unit(symmetry: Any, hkl: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    mapped = _flex(hkl)
    miller.map_to_asu(symmetry.space_group().type(), False, mapped)
    return _numpy(mapped)


_OFFSET, _SPAN = 16384, 32768


def _keys(hkl: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    keys: npt.NDArray[np.int64] = ((hkl[:, 0] + _OFFSET) * _SPAN + hkl[:, 1] + _OFFSET) * _SPAN + hkl[:, 2] + _OFFSET
    return keys


def _allowed(symmetry: Any, hkl: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    absent = symmetry.space_group().is_sys_absent(_flex(hkl))
    return ~np.asarray(absent.as_numpy_array(), dtype=bool)


def _merged(
    symmetry: Any, hkl: npt.NDArray[np.int64], observations: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Keys of unique allowed reflections, sorted, and how often each was measured."""
    mapped = _in_asymmetric_unit(symmetry, hkl)
    allowed = _allowed(symmetry, mapped)
    keys, places = np.unique(_keys(mapped[allowed]), return_inverse=True)
    return keys, np.bincount(places, weights=observations[allowed], minlength=len(keys)).astype(np.int64)


def _looked_up(
    keys: npt.NDArray[np.int64], unique: npt.NDArray[np.int64], multiplicity: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """How often each was measured; 0 for those that never were."""
    if not len(unique):
        return np.zeros(len(keys), np.int64)
    places = np.minimum(np.searchsorted(unique, keys), len(unique) - 1)
    return np.where(unique[places] == keys, multiplicity[places], 0)


def _slice(
    symmetry: Any, unique: npt.NDArray[np.int64], multiplicity: npt.NDArray[np.int64], zero: int, d_min: float
) -> Slice:
    across, up = (axis for axis in range(3) if axis != zero)
    largest = symmetry.unit_cell().max_miller_indices(d_min)
    grid = np.zeros((2 * largest[up] + 1, 2 * largest[across] + 1, 3), np.int64)
    grid[..., across] = np.arange(-largest[across], largest[across] + 1)[None, :]
    grid[..., up] = np.arange(-largest[up], largest[up] + 1)[:, None]
    hkl = grid.reshape(-1, 3)
    d = _d_spacings(symmetry.unit_cell(), hkl)
    inside = (d >= d_min) & np.isfinite(d)
    values = np.full(len(hkl), BEYOND, np.int32)
    places = np.flatnonzero(inside)
    allowed = _allowed(symmetry, hkl[places])
    values[places[~allowed]] = ABSENT
    shown = places[allowed]
    values[shown] = _looked_up(_keys(_in_asymmetric_unit(symmetry, hkl[shown])), unique, multiplicity)
    metric = np.sqrt(np.diag(_metric(symmetry.unit_cell())))
    return Slice(
        zero=AXES[zero],
        across=AXES[across],
        up=AXES[up],
        multiplicity=values.reshape(grid.shape[:2]),
        across_per_A=float(metric[across]),
        up_per_A=float(metric[up]),
    )


def _shells(
    symmetry: Any, unique: npt.NDArray[np.int64], multiplicity: npt.NDArray[np.int64], d_min: float
) -> tuple[list[Shell], Shell]:
    """Shells of equal volume, and all in one."""
    possible = miller.build_set(crystal_symmetry=symmetry, anomalous_flag=False, d_min=d_min)
    possible = possible.map_to_asu()
    hkl = _numpy(possible.indices())
    s_cubed = possible.d_spacings().data().as_numpy_array() ** -3.0
    observed = _looked_up(_keys(hkl), unique, multiplicity)
    edges = np.linspace(0.0, d_min**-3.0, N_SHELLS + 1)
    number = np.clip(np.searchsorted(edges, s_cubed, side="left") - 1, 0, N_SHELLS - 1)
    n_possible = np.bincount(number, minlength=N_SHELLS)
    n_measured = np.bincount(number[observed > 0], minlength=N_SHELLS)
    n_observations = np.bincount(number, weights=observed, minlength=N_SHELLS).astype(np.int64)
    d_edges = [float(s_cubed.min() ** (-1 / 3)) if len(s_cubed) else d_min, *(edges[1:] ** (-1 / 3)).tolist()]

    def shell(first: int, last: int) -> Shell:
        chosen = slice(first, last + 1)
        return Shell(
            d_max_A=d_edges[first],
            d_min_A=d_edges[last + 1],
            n_possible=int(n_possible[chosen].sum()),
            n_measured=int(n_measured[chosen].sum()),
            n_observations=int(n_observations[chosen].sum()),
        )

    return [shell(k, k) for k in range(N_SHELLS) if n_possible[k]], shell(0, N_SHELLS - 1)
