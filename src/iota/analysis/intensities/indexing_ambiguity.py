"""Finds the indexing solution of each lattice among those possible, by correlation with intensities of all others.

The reference is made from some lattices whose operators are known; each lattice is assigned the operator with which it
correlates best with this reference, all lattices make the next reference, and so on until nothing changes. Brehm &
Diederichs (Acta Cryst. D70 (2014) 101) compare pairs; with the mean of all lattices instead, the work is proportional
to their number.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from iota.crystallography.shells import members_of_equal_shells

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer[Any]]

UNCLEAR = 1.0  # standard deviations: one in six or seven of those below is wrong, one in a hundred of the next
_N_SHELLS = 10
_MAX_PASSES = 20
_LARGEST_R = 0.999


class AssignedIndexing(NamedTuple):
    """The reindexing operator of each lattice, and how certain it is."""

    operator: npt.NDArray[np.int64]  # number among those possible, `[n_lattices]`
    clarity: Floats  # lead of the best correlation over the next, in its standard deviations, `[n_lattices]`


def assign_indexing(
    unique: Ints, lattice: Ints, intensity: Floats, d_A: Floats, known: Ints, max_passes: int = _MAX_PASSES
) -> AssignedIndexing:
    """Find the reindexing operators that agree best; which of them is the first one is left as ``known`` has it.

    A lattice never is in the reference that it is compared with. Square roots of intensities are compared, relative to
    the mean of their resolution shell and lattice: partiality makes the largest intensities the most uncertain.

    Args:
        unique: number of the unique reflection of each observation by each operator, none below 0, `[n_operators, n]`.
        lattice: number of the lattice of each observation, `[n]`.
        intensity: `[n]`.
        d_A: resolution of the unique reflections, `[n_unique]`.
        known: operator of each lattice, -1 where it is to be found, `[n_lattices]`; some have to be known.
        max_passes: an end for data that are too poor to settle.
    """
    value = np.sqrt(np.maximum(_relative(unique[0], lattice, intensity, d_A, len(known)), 0.0))
    operator = np.asarray(known, dtype=np.int64)
    clarity = np.zeros(len(operator))
    for _ in range(max_passes):
        r, n_common = _correlations(unique, lattice, value, len(d_A), operator)
        best, next_best = np.sort(np.arctanh(np.clip(r, -_LARGEST_R, _LARGEST_R)), axis=0)[[-1, -2]]
        clarity = (best - next_best) * np.sqrt(np.maximum(n_common - 3, 0) / 2)  # Fisher's transformation
        found = r.argmax(axis=0)
        if np.array_equal(found, operator):
            break
        operator = found
    return AssignedIndexing(operator, clarity)


def _relative(unique: Ints, lattice: Ints, intensity: Floats, d_A: Floats, n_lattices: int) -> Floats:
    """Intensities by the mean of their shell and of their lattice, `[n]`."""
    shell_of = np.empty(len(d_A), dtype=np.int64)
    for k, members in enumerate(members_of_equal_shells(d_A, _N_SHELLS)):
        shell_of[members] = k
    relative = intensity
    for group, n in ((shell_of[unique], _N_SHELLS), (lattice, n_lattices)):
        mean = np.bincount(group, relative, n) / np.maximum(np.bincount(group, minlength=n), 1)
        relative = np.where(mean[group] > 0, relative / np.where(mean > 0, mean, 1.0)[group], 0.0)
    return relative


def _correlations(
    unique: Ints, lattice: Ints, value: Floats, n_unique: int, operator: Ints
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Correlation of each lattice, by each operator, with the mean of the others, `[n_operators, n_lattices]`.

    The second array is the smallest number of reflections in common, `[n_lattices]`.
    """
    n = len(operator)
    used = operator[lattice] >= 0
    own = unique[np.maximum(operator[lattice], 0), np.arange(len(lattice))][used]
    total, count = np.bincount(own, value[used], n_unique), np.bincount(own, minlength=n_unique)
    # what a lattice itself has put into the reference: its share of each reflection
    shares, place = np.unique(lattice[used].astype(np.int64) * n_unique + own, return_inverse=True)
    share_total, share_count = np.bincount(place, value[used]), np.bincount(place)
    r, n_common = np.zeros((len(unique), n)), np.full(n, np.iinfo(np.int64).max)
    for k, reflection in enumerate(unique):
        others, n_others = total[reflection], count[reflection]
        if len(shares):
            wanted = lattice.astype(np.int64) * n_unique + reflection
            place = np.minimum(np.searchsorted(shares, wanted), len(shares) - 1)
            is_there = shares[place] == wanted
            others = others - np.where(is_there, share_total[place], 0.0)
            n_others = n_others - np.where(is_there, share_count[place], 0)
        common = n_others > 0
        r[k] = _correlation_by(lattice[common], value[common], others[common] / n_others[common], n)
        n_common = np.minimum(n_common, np.bincount(lattice[common], minlength=n))
    return r, n_common


def _correlation_by(group: Ints, x: Floats, y: Floats, n: int) -> Floats:
    """Pearson's correlation within each group, 0 where there is none, `[n]`."""
    count = np.maximum(np.bincount(group, minlength=n), 1)
    x = x - (np.bincount(group, x, n) / count)[group]
    y = y - (np.bincount(group, y, n) / count)[group]
    power = np.bincount(group, x * x, n) * np.bincount(group, y * y, n)
    r: Floats = np.bincount(group, x * y, n) / np.sqrt(np.where(power > 0, power, np.inf))
    return r
