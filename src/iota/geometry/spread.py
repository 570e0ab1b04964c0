"""How far parts of a detector are displaced, as found from all of them together, and what that says about each.

Some motions of a panel, such as its tilts, are poorly determined by its spots, so that their errors may be larger than
the motions themselves. Motions of one kind, e.g. the shifts along x of all panels, are similar in size, however, and
this size is well determined. Each kind therefore has a normal distribution about zero whose width makes the
observations most likely (empirical Bayes; MacKay, Neural Comput. (1992) 4, 415). Motions that are well determined are
hardly affected; kinds of motions of which there is no evidence become zero.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from iota.geometry.degeneracy import Directions
from iota.geometry.prediction import Array

_MAX_ITERATIONS = 50
_SETTLED = 0.02  # change of the logarithm of all widths, squared
_SMALLEST = 1e-4  # of a width relative to that without a prior, squared
_MIN_DETERMINED = 0.01  # of the number of motions of one kind


@dataclass(frozen=True)
class Spread:
    """Precisions (1/width^2) of the distributions of values `[v]`; 0 where nothing is known."""

    likely: Array  # with which the observations are most likely
    cautious: Array  # for uncertainties: widths are larger by their own standard uncertainties


def unknown_spread(n_values: int) -> Spread:
    """Values may be anything."""
    return Spread(np.zeros(n_values), np.zeros(n_values))


def spread_of(
    directions: Directions, gradient: Array, theta: Array, to_values: Array, kinds: Sequence[Hashable | None]
) -> Spread:
    """Find the distributions of values.

    Args:
        directions: in which the detector is moved.
        gradient: of the spots alone, at ``theta``, `[t]`.
        theta: free parameters, `[t]`.
        to_values: values from free parameters, `[v, t]`.
        kinds: of each value; values of the same kind have one distribution, and None has no distribution, `[v]`.
    """
    numbers = {kind: number for number, kind in enumerate(dict.fromkeys(kind for kind in kinds if kind is not None))}
    kind_of = np.array([numbers.get(kind, -1) for kind in kinds])
    parts = np.flatnonzero(kind_of >= 0)
    found = unknown_spread(len(kinds))
    if not len(parts):
        return found
    kind_of, by_direction = kind_of[parts], to_values[parts] @ directions.free
    # motions of the parents as a whole are not among the free parameters
    n_free = np.bincount(kind_of) * (np.linalg.matrix_rank(to_values[parts]) / len(parts))
    widths2, first_variances = np.full(len(numbers), np.inf), np.zeros(len(numbers))
    for iteration in range(_MAX_ITERATIONS):
        prior = precision_of_parameters(found.likely, to_values)
        covariance = directions.covariance(prior)
        best = theta - directions.free @ (covariance @ (directions.free.T @ (gradient + prior @ theta)))
        squares = np.bincount(kind_of, weights=(to_values[parts] @ best) ** 2)
        variances = np.bincount(
            kind_of, weights=np.einsum("vd,de,ve->v", by_direction, covariance, by_direction, optimize=True)
        )
        if iteration == 0:
            first_variances, limits = variances / n_free, squares / n_free
        undetermined = variances / widths2
        before, widths2 = widths2, squares / np.maximum(n_free - undetermined, _MIN_DETERMINED * n_free)
        widths2 = np.maximum(np.clip(widths2, _SMALLEST * limits, limits), 1e-30)
        found.likely[parts] = 1.0 / widths2[kind_of]
        if np.abs(np.log(before / widths2)).max() < _SETTLED:
            break
    found.cautious[parts] = 1.0 / (widths2 + first_variances * np.sqrt(2.0 / n_free))[kind_of]
    return found


def precision_of_parameters(precision: Array, to_values: Array) -> Array:
    """Precision of free parameters, `[t, t]`, from that of values, `[v]`."""
    return np.asarray(to_values.T @ (to_values * precision[:, None]))
