"""When is there enough data: determined from some frames, and held against what more frames bring."""

import numpy as np
import pytest
from cctbx import crystal as cctbx_crystal
from cctbx import miller, uctbx

from iota.analysis.intensities.frames_needed import growth
from iota.crystallography.indices import unique_reflections

CELL, SPACE_GROUP, D_MIN_A = (60.0, 60.0, 40.0, 90, 90, 90), "P 43 21 2", 2.5
WAVELENGTH_A = 1.0


class Stills:
    """Which reflections are on stills of randomly oriented crystals: those near the Ewald sphere, to a resolution."""

    def __init__(self, seed, preferred=0.0):
        self.rng = np.random.default_rng(seed)
        self.preferred = preferred  # 0: all orientations alike, towards 1: plates that lie flat
        box = [np.arange(-24, 25), np.arange(-24, 25), np.arange(-16, 17)]
        hkl = np.stack(np.meshgrid(*box, indexing="ij"), axis=-1).reshape(-1, 3)
        q = hkl / np.array(CELL[:3])
        length = np.linalg.norm(q, axis=1)
        chosen = (length > 0) & (length <= 1 / D_MIN_A)
        self.hkl, self.q = hkl[chosen], q[chosen]
        possible, d_A, self.number = _unique(self.hkl)
        self.d_A, self.n_unique = d_A, possible

    def frame(self):
        """Numbers of unique reflections on one more frame."""
        w = self.rng.normal(size=4)
        w[1:3] *= 1 - self.preferred
        a, b, c, d = w / np.linalg.norm(w)
        rotation = np.array(
            [
                [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
                [2 * (b * c + a * d), a * a - b * b + c * c - d * d, 2 * (c * d - a * b)],
                [2 * (b * d - a * c), 2 * (c * d + a * b), a * a - b * b - c * c + d * d],
            ]
        )
        self.d_min = self.rng.uniform(D_MIN_A * 0.9, 4.0)
        q = self.q @ rotation.T
        off = np.abs(np.linalg.norm(q + np.array([0, 0, 1 / WAVELENGTH_A]), axis=1) - 1 / WAVELENGTH_A)
        on = (off < 0.0008) & (np.linalg.norm(q, axis=1) < 1 / self.d_min)
        return np.unique(self.number[on & (self.number >= 0)])

    def until(self, completeness):
        """Counts after so many frames are complete, and their number."""
        counts, n = np.zeros(self.n_unique, dtype=int), 0
        while np.count_nonzero(counts) < completeness * self.n_unique:
            counts[self.frame()] += 1
            n += 1
        return n


def _unique(hkl):
    possible, d_A, number = unique_reflections(CELL, SPACE_GROUP, D_MIN_A, hkl)
    return len(possible), d_A, number


def test_unique_reflections_are_those_of_cctbx():
    symmetry = cctbx_crystal.symmetry(unit_cell=CELL, space_group_symbol=SPACE_GROUP)
    wanted = miller.build_set(symmetry, False, d_min=D_MIN_A)
    everything = Stills(1).hkl
    n_possible, d_A, number = _unique(everything)
    assert n_possible == wanted.size()
    counts = np.bincount(number[number >= 0], minlength=n_possible)
    assert set(counts.tolist()) <= {2, 4, 8, 16}  # equivalents of each, Friedel mates among them
    assert d_A.min() >= D_MIN_A
    some = np.array([(1, 2, 3), (-1, -2, -3), (2, 1, 3), (0, 0, 1), (90, 0, 0)])  # 001 is absent, 90 0 0 too far
    _, d_A, number = _unique(some)
    assert len(set(number[:3].tolist())) == 1 and number[3:].tolist() == [-1, -1]
    assert d_A[number[0]] == pytest.approx(uctbx.unit_cell(CELL).d((1, 2, 3)))


@pytest.mark.slow
@pytest.mark.parametrize("preferred", [0.0, 0.6])
def test_frames_needed_hold_against_frames_that_are_collected(preferred):
    held, ratios = 0, []
    for seed in range(5):
        stills = Stills(seed, preferred)
        counts = np.zeros(stills.n_unique, dtype=int)
        n_frames, d_min = 60, []
        for _ in range(n_frames):
            counts[stills.frame()] += 1
            d_min.append(stills.d_min)
        found = growth(counts, stills.d_A, d_min)
        assert found.completeness(n_frames) == pytest.approx(found.completeness_now, abs=0.03)
        for wanted in (0.95, 0.99):
            needed, true = found.frames_needed(wanted), stills.until(wanted)
            held += needed.interval[0] <= true <= needed.interval[1]
            ratios.append(needed.n_frames / true)
    assert np.median(ratios) == pytest.approx(1.0, abs=0.2)
    assert held >= 8  # of 10


def test_nothing_seen_never_is_enough():
    found = growth(np.zeros(100, dtype=int), np.linspace(50, 2, 100), [2.0] * 5)
    assert found.completeness_now == 0
    assert found.frames_needed(0.95).n_frames is None


def test_completeness_grows_with_frames_and_multiplicity_in_proportion():
    counts = np.random.default_rng(1).poisson(1.0, 5000)
    found = growth(counts, np.linspace(50, 2, 5000), [np.nan] * 100)
    assert found.completeness([50, 100, 300]) == pytest.approx(1 - np.exp([-0.5, -1, -3]), abs=0.02)
    assert found.multiplicity(300) == pytest.approx(3.0, rel=0.05)
    assert found.frames_needed(0.95).n_frames == pytest.approx(300, rel=0.1)  # -100 ln(0.05)
