"""Uncertainties from fits without a part of the images at a time."""

from types import SimpleNamespace

import numpy as np
import pytest

from iota.geometry.joint import Parameter
from iota.refinement.fitting import jackknife


def _fit(**values):
    return SimpleNamespace(
        parameters=[
            Parameter(name, 0, 0, 0.0 if value is None else value, None if value is None else 0.01, "mm")
            for name, value in values.items()
        ]
    )


def test_a_parameter_that_a_fit_cannot_determine_has_no_part_in_its_uncertainty():
    without = [_fit(shift=0.1, tilt=value) for value in (0.2, None, -0.2, 0.2, -0.2)]
    shift, tilt = jackknife(_fit(shift=0.0, tilt=0.0), without)
    assert shift == 0.01  # that of the fit: all agree
    assert tilt == pytest.approx(np.sqrt(0.75 * 4 * 0.04))  # of four fits; with the fifth as 0 it would be less certain


def test_a_parameter_that_no_fit_determines_keeps_its_own_uncertainty():
    assert jackknife(_fit(tilt=0.0), [_fit(tilt=None)] * 5) == [0.01]
