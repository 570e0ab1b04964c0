"""Wilson B factor of one frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from iota.crystallography.shells import shell_numbers

# Sum of squared scattering factors of an average protein residue, C5 H8 N1.4 O1.5 S0.03 at rest, is close to a Gaussian
# in s = 1/(2d) over the range used here; its own fall-off must not be counted as a B factor.
_ATOMS = {"C": 5.0, "N": 1.4, "O": 1.5, "S": 0.03, "H": 8.0}
_N_SHELLS = 12
_MIN_REFLECTIONS = 60


def wilson_b_A2(d_A: npt.NDArray[np.float64], intensity: npt.NDArray[np.float64], d_max_A: float = 4.5) -> float | None:
    """Slope of the Wilson plot of one frame.  Has unit A^2.

    ln(<I>/sum f^2) = const - 2 B s^2 with s = 1/(2d) (Wilson, Nature (1942) 150, 152), fitted over shells of equal
    volume beyond ``d_max_A``, where the intensities of a protein follow Wilson statistics.

    Args:
        d_A: resolution of each reflection (A), `[n]`.
        intensity: intensity of each reflection, any scale, `[n]`.
        d_max_A: low-resolution end of the fit (A).

    Returns:
        B (A^2), or None with fewer than 60 reflections or a range shorter than 4.5 to 4.0 A.
    """
    used = (d_A > 0) & (d_A < d_max_A) & np.isfinite(intensity)
    d_used_A = d_A[used]
    s2 = 1.0 / (4.0 * d_used_A**2)
    if len(s2) < _MIN_REFLECTIONS or s2.max() < 1.0 / (4.0 * 4.0**2):
        return None
    shell = shell_numbers(d_used_A, _N_SHELLS, float(d_used_A.min()), float(d_used_A.max()))
    count = np.bincount(shell, minlength=_N_SHELLS)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_i = np.bincount(shell, weights=intensity[used], minlength=_N_SHELLS) / count
        mean_s2 = np.bincount(shell, weights=s2, minlength=_N_SHELLS) / count
    good = (count >= 4) & (mean_i > 0)
    if good.sum() < 3:
        return None
    y = np.log(mean_i[good] / _sum_f2(mean_s2[good]))
    slope, _ = np.polyfit(mean_s2[good], y, 1, w=np.sqrt(count[good]))
    return float(-slope / 2.0)


def _sum_f2(s2: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    from cctbx.eltbx import xray_scattering

    total = np.zeros_like(s2)
    for element, number in _ATOMS.items():
        gaussian = xray_scattering.wk1995(element).fetch()
        total += number * np.array([gaussian.at_stol_sq(float(x)) for x in s2]) ** 2
    return total
