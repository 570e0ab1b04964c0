"""Computes table 1: CC1/2, Rsplit, completeness and multiplicity of merged intensities in resolution shells.

Observations of stills are merged with equal weights: what a still records of a reflection varies by far more than its
counting statistics, so weights from these are wrong (Kirian et al., Acta Cryst. A (2011) 67, 131).  The scatter of the
observations gives the standard deviations.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from iota.crystallography.shells import members_of_equal_shells

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_PRIOR = 2.0  # observations' worth of the typical scatter that each reflection's own is mixed with
_CURVE_POINTS = 12


class Observations(msgspec.Struct, frozen=True):
    """Scaled observations, and the reflections that are possible."""

    unique: Ints  # number of the unique reflection, `[n]`
    frame: Ints  # number of the lattice, in the order of collection, `[n]`
    intensity: Floats  # `[n]`
    variance: Floats  # of counting, `[n]`
    d_A: Floats  # of all possible unique reflections, `[n_unique]`

    @property
    def n_lattices(self) -> int:
        """Number of lattices, including those without observations."""
        return int(self.frame.max(initial=-1)) + 1


class Shell(msgspec.Struct, kw_only=True):
    """A line of table 1."""

    d_max_A: float
    d_min_A: float
    n_observations: int
    n_unique: int
    n_possible: int
    completeness: float
    multiplicity: float  # of those that were observed
    mean_intensity: float | None = None
    i_over_sigma: float | None = None  # mean of I/sigma(I) of merged reflections
    cc_half: float | None = None
    r_split: float | None = None


def scatter_variance(data: Observations, n_shells: int = 10) -> Floats:
    """Variance of single observations from the scatter within each reflection, equal for all its observations, `[n]`.

    A reflection's own scatter is mixed with what is typical of its shell, which stands for it where there is only one.
    """
    n = len(data.d_A)
    count = np.bincount(data.unique, minlength=n)
    mean = _means(data, np.ones(len(data.unique), dtype=bool))
    away = data.intensity - mean[data.unique]
    squares = np.bincount(data.unique, weights=away**2, minlength=n)
    counting = np.bincount(data.unique, weights=data.variance, minlength=n) / np.maximum(count, 1)
    typical = np.zeros(n)
    for members in members_of_equal_shells(data.d_A, n_shells):
        several = members[count[members] > 1]
        excess = squares[several].sum() - ((count[several] - 1) * counting[several]).sum()
        power = ((count[several] - 1) * mean[several] ** 2).sum()
        relative = max(0.0, excess / power) if power > 0 else 0.0
        typical[members] = counting[members] + relative * np.nan_to_num(mean[members]) ** 2
    mixed = (squares + _PRIOR * typical) / (np.maximum(count - 1, 0) + _PRIOR)
    floor = 1e-6 * float(np.median(data.variance)) if len(data.variance) else 0.0
    found: Floats = np.maximum(mixed, max(floor, 1e-12))[data.unique]
    return found


def table_one(data: Observations, n_shells: int = 10, seed: int = 1) -> tuple[list[Shell], Shell]:
    """Table 1, in resolution shells with equal numbers of possible reflections, and its overall line.

    CC1/2 and Rsplit compare two halves of the lattices, drawn at random (White et al., J. Appl. Cryst. (2012) 45, 335).
    """
    one, other = _halves(data, seed)
    sigma2 = scatter_variance(data, n_shells)
    count = np.bincount(data.unique, minlength=len(data.d_A))
    mean = _means(data, np.ones(len(data.unique), dtype=bool))
    of_unique = np.full(len(data.d_A), np.nan)
    of_unique[data.unique] = sigma2
    with np.errstate(divide="ignore", invalid="ignore"):
        i_over_sigma = mean / np.sqrt(of_unique / count)

    def line(members: npt.NDArray[np.intp]) -> Shell:
        seen = members[count[members] > 0]
        return Shell(
            d_max_A=float(data.d_A[members].max()),
            d_min_A=float(data.d_A[members].min()),
            n_observations=int(count[members].sum()),
            n_unique=len(seen),
            n_possible=len(members),
            completeness=len(seen) / len(members),
            multiplicity=float(count[seen].mean()) if len(seen) else 0.0,
            mean_intensity=float(mean[seen].mean()) if len(seen) else None,
            i_over_sigma=float(i_over_sigma[seen].mean()) if len(seen) else None,
            cc_half=correlation(one[members], other[members]),
            r_split=r_split(one[members], other[members]),
        )

    shells = [line(members) for members in members_of_equal_shells(data.d_A, n_shells)]
    return shells, line(np.arange(len(data.d_A)))


class CurvePoint(msgspec.Struct, frozen=True):
    """Quality of the data merged from the first lattices of a run."""

    n_lattices: int
    cc_half: float | None
    completeness: float


def cumulative(data: Observations, seed: int = 1) -> list[CurvePoint]:
    """CC1/2 and completeness as functions of the number of lattices, in the order of collection."""
    n = data.n_lattices
    found = []
    for number in np.unique(np.linspace(0, n, _CURVE_POINTS + 1).astype(int))[1:].tolist():
        early = data.frame < number
        part = Observations(
            data.unique[early], data.frame[early], data.intensity[early], data.variance[early], data.d_A
        )
        one, other = _halves(part, seed)
        share = len(np.unique(part.unique)) / len(data.d_A)
        found.append(CurvePoint(number, correlation(one, other), share))
    return found


def _means(data: Observations, chosen: npt.NDArray[np.bool_]) -> Floats:
    """Mean intensity of each unique reflection, nan if no observation was selected, `[n_unique]`."""
    n = len(data.d_A)
    count = np.bincount(data.unique[chosen], minlength=n)
    total = np.bincount(data.unique[chosen], weights=data.intensity[chosen], minlength=n)
    mean: Floats = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean


def _halves(data: Observations, seed: int) -> tuple[Floats, Floats]:
    first = np.random.default_rng(seed).permutation(data.n_lattices) % 2 == 0
    chosen = first[data.frame]
    return _means(data, chosen), _means(data, ~chosen)


def correlation(one: Floats, other: Floats) -> float | None:
    """Pearson correlation of the common reflections; None if there are fewer than three."""
    both = np.isfinite(one) & np.isfinite(other)
    if np.count_nonzero(both) < 3 or one[both].std() == 0 or other[both].std() == 0:
        return None
    return float(np.corrcoef(one[both], other[both])[0, 1])


def r_split(one: Floats, other: Floats) -> float | None:
    """Rsplit of two halves of the data; None if they have no reflections in common."""
    both = np.isfinite(one) & np.isfinite(other)
    total = (one[both] + other[both]).sum() / 2
    return float(np.abs(one[both] - other[both]).sum() / np.sqrt(2) / total) if total > 0 else None
