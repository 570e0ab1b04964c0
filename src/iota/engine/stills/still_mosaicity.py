"""Estimates mosaicity and domain size from the excitation errors of spots.

The model of Sauter et al., Acta Cryst. (2014) D70, 3299, as DIALS fits it (``NaveParameters``), without its loops.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from dials.array_family import flex
from scipy.special import expit
from scitbx import lbfgs

from iota.causes import Cause, why
from iota.engine.backend.sentences import SentenceError
from iota.geometry.prediction import Array

_SOFTNESS = 10.0  # of the edges of the acceptance function; DIALS' choice
_LARGEST_LOGARITHM = 100.0  # of a parameter; beyond it the model has diverged
_EXPANSION = 1.4  # by which DIALS widens the fitted model, so that prediction finds what was observed
_SPOTS_A_BIN, _MIN_BINS, _MAX_BINS = 25, 3, 50
_N_VOLUME_TERMS = 100


@dataclass(frozen=True)
class Mosaicity:
    """Fitted model; ``accepted`` `[n]` tells which spots lie inside it."""

    half_mosaicity_deg: float
    domain_size_A: float
    accepted: npt.NDArray[np.bool_]
    ewald_proximal_volume: float  # 1/A^3


def fit_mosaicity(
    d_A: Array, delpsi_rad: Array, cell_volume_A3: float, wavelength_A: float, resolution_cutoff_A: float
) -> Mosaicity:
    """Fit the largest excitation error as a function of resolution, by maximum likelihood.

    Args:
        d_A: resolution of each spot (A), `[n]`.
        delpsi_rad: excitation error of each spot (rad), `[n]`.
        cell_volume_A3: volume of the unit cell (A^3); domains are at least three cells wide.
        wavelength_A: of the beam (A).
        resolution_cutoff_A: resolution (A) to which the Ewald proximal volume is counted.

    Raises:
        ValueError: too few spots, or the model diverges.
    """
    slope, intercept = _envelope(d_A, np.abs(delpsi_rad))
    start_size = max(0.5 / slope, 3.0 * cell_volume_A3 ** (1.0 / 3.0))
    inverse_size, mosaicity_rad = _maximum_likelihood(d_A, delpsi_rad, 2.0 / start_size, 2.0 * abs(intercept))
    limit_rad = 0.5 * (d_A * inverse_size + mosaicity_rad)
    return Mosaicity(
        half_mosaicity_deg=math.degrees(0.5 * mosaicity_rad) * _EXPANSION,
        domain_size_A=2.0 / inverse_size / _EXPANSION,
        accepted=np.abs(delpsi_rad) < limit_rad,
        ewald_proximal_volume=_proximal_volume(2.0 / inverse_size, mosaicity_rad, wavelength_A, resolution_cutoff_A),
    )


def _envelope(d_A: Array, excursion_rad: Array) -> tuple[float, float]:
    """Straight line through the largest excursions in bins of equal size: slope (rad/A) and intercept (rad)."""
    n_bins = min(max(_MIN_BINS, len(d_A) // _SPOTS_A_BIN), _MAX_BINS)
    size = len(d_A) // n_bins
    if size == 0:
        raise SentenceError(why(Cause.TOO_FEW_FOR_MOSAICITY, n_spots=len(d_A)))
    order = np.argsort(-d_A, kind="stable")[: n_bins * size].reshape(n_bins, size)
    x, y = d_A[order].mean(axis=1), excursion_rad[order].max(axis=1)
    slope, intercept = np.linalg.solve([[x @ x, x.sum()], [x.sum(), n_bins]], [x @ y, y.sum()])
    return float(slope), float(intercept)


class _Likelihood:
    """Minus log likelihood of 2/(domain size) and of the full mosaicity, both as logarithms."""

    def __init__(self, d_A: Array, delpsi_rad: Array, inverse_size: float, mosaicity_rad: float) -> None:
        self.d_A, self.delpsi_rad = d_A, delpsi_rad
        self.x = flex.double([math.log(inverse_size), math.log(mosaicity_rad)])

    def compute_functional_and_gradients(self) -> tuple[float, Any]:
        """Value and gradient, as scitbx asks for them."""
        if not max(abs(x) for x in self.x) < _LARGEST_LOGARITHM:
            raise SentenceError(why(Cause.MOSAICITY_DIVERGES))
        inverse_size, mosaicity = math.exp(self.x[0]), math.exp(self.x[1])
        limit = 0.5 * (self.d_A * inverse_size + mosaicity)
        ratio = self.delpsi_rad / limit
        outside = _SOFTNESS * np.stack([1.0 + ratio, 1.0 - ratio])
        value = np.sum(np.log(2.0 * limit)) + np.logaddexp(0.0, outside).sum()
        value -= 2.0 * len(ratio) * math.log1p(math.exp(_SOFTNESS))
        above, below = expit(outside)
        slope = (1.0 - _SOFTNESS * ratio * (above - below)) / limit
        return float(value), flex.double(
            [0.5 * inverse_size * float(slope @ self.d_A), 0.5 * mosaicity * float(slope.sum())]
        )


def _maximum_likelihood(d_A: Array, delpsi_rad: Array, inverse_size: float, mosaicity: float) -> tuple[float, float]:
    if not mosaicity > 0.0:
        raise SentenceError(why(Cause.MOSAICITY_DIVERGES))
    likelihood = _Likelihood(d_A, delpsi_rad, inverse_size, mosaicity)
    lbfgs.run(  # with the tolerances of DIALS, so that both end at the same numbers
        target_evaluator=likelihood,
        core_params=lbfgs.core_parameters(gtol=0.1),
        termination_params=lbfgs.termination_parameters(
            traditional_convergence_test=False,
            drop_convergence_test_max_drop_eps=1e-5,
            min_iterations=0,
            max_iterations=100,
            max_calls=200,
        ),
        exception_handling_params=lbfgs.exception_handling_parameters(
            ignore_line_search_failed_rounding_errors=True,
            ignore_line_search_failed_step_at_lower_bound=True,
            ignore_line_search_failed_step_at_upper_bound=False,
            ignore_line_search_failed_maxfev=False,
            ignore_line_search_failed_xtol=False,
            ignore_search_direction_not_descent=False,
        ),
    )
    return math.exp(likelihood.x[0]), math.exp(likelihood.x[1])


def _proximal_volume(size_A: float, mosaicity_rad: float, wavelength_A: float, cutoff_A: float) -> float:
    """Half the volume of reciprocal space in which lattice points are predicted (1/A^3), as DIALS integrates it."""
    radius = 1.0 / wavelength_A
    two_theta = 2.0 * math.asin(wavelength_A / (2.0 * cutoff_A))
    cap = math.pi * (2.0 / 3.0) * (1.0 - math.cos(two_theta))
    outer = radius + 1.0 / size_A
    angle = np.arange(_N_VOLUME_TERMS) / _N_VOLUME_TERMS * two_theta
    shell = (outer + 0.5 * mosaicity_rad * radius * np.sin(angle)) ** 3 - outer**3
    spread = (2.0 / 3.0) * math.pi * float(shell @ np.sin(angle)) * two_theta / _N_VOLUME_TERMS
    return cap * (outer**3 - radius**3) + spread
