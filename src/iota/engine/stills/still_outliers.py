"""Rejects outliers among indexed spots by their positional residuals."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from dials.array_family import flex
from rstbx.indexing_api import find_green_bar, rayleigh_cpp
from rstbx.outlier_spots.fit_distribution import fit_cdf

from iota.causes import Cause, why
from iota.engine.backend.sentences import SentenceError

_FITTED_FRACTION = 0.4  # of the spots, the nearest ones, to which the distribution is fitted
_MIN_FITTED = 4
_CURVE_MM = np.arange(500) / 500.0  # where the fitted curve is compared with the data


def inliers(residual_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which spots are consistent with a Rayleigh distribution of the distances.

    The procedure of DIALS' still indexer (Sauter & Poon, J. Appl. Cryst. (2010) 43, 611), with its fit and its test of
    the severity, without its loops over spots.

    Args:
        residual_mm: predicted less observed position, `[n, 2]`.

    Raises:
        ValueError: there are too few spots to fit a distribution.
    """
    distance = np.hypot(residual_mm[:, 0], residual_mm[:, 1])
    order = np.argsort(distance, kind="stable")
    n_fitted = int(_FITTED_FRACTION * len(distance))
    if n_fitted < _MIN_FITTED:
        raise SentenceError(why(Cause.TOO_FEW_FOR_OUTLIERS, n_spots=len(distance)))
    sorted_distance = flex.double(distance[order])
    cumulative = flex.double(np.arange(len(distance)) / len(distance))
    fitted = fit_cdf(sorted_distance[:n_fitted], cumulative[:n_fitted], rayleigh_cpp)
    curve_x = flex.double(_CURVE_MM)
    deviation = float(np.sqrt((4.0 - np.pi) / 2.0)) * abs(fitted.x[0])
    limit = find_green_bar(
        rayleigh_cdf_x=curve_x,
        rayleigh_cdf=fitted.distribution.cdf(x=curve_x),
        dr=sorted_distance,
        x=cumulative,
        sd=deviation,
    )
    result = np.ones(len(distance), dtype=bool)
    if limit.is_set:
        result[order[limit.radius_outlier_index :]] = False
    return result
