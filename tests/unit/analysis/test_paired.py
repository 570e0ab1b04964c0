"""Paired comparison of settings, against figures worked out elsewhere."""

import random

import pytest
from scipy.stats import binom

from iota.analysis.paired import compare, holm
from iota.records import FrameRef


def _outcomes(both, lost, gained, neither):
    before = [True] * both + [True] * lost + [False] * gained + [False] * neither
    after = [True] * both + [False] * lost + [True] * gained + [False] * neither
    frames = [FrameRef(f"/x/{k}") for k in range(len(before))]
    return dict(zip(frames, before, strict=True)), dict(zip(frames, after, strict=True))


def test_the_counts_and_the_exact_p_value():
    found = compare(*_outcomes(10, 1, 9, 20))
    assert (found.n_frames, found.n_before, found.n_after) == (40, 11, 19)
    assert (found.n_gained, found.n_lost, found.difference) == (9, 1, 0.2)
    assert found.p == pytest.approx(2 * binom.cdf(1, 10, 0.5))


def test_the_interval_is_that_of_agresti_and_min():
    """The approval ratings of Agresti's textbook: 794 + 150 + 86 + 570 answers, interval -0.0587 to -0.0213 (Wald).

    With so many answers the added halves change the fourth digit only.
    """
    found = compare(*_outcomes(794, 150, 86, 570))
    assert found.difference == pytest.approx(-0.04)
    assert found.interval == pytest.approx((-0.0587, -0.0213), abs=2e-4)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    chosen = random.Random(5)
    held = 0
    for _ in range(400):
        before, after = {}, {}
        for k in range(40):
            frame = FrameRef(f"/x/{k}")
            before[frame], after[frame] = chosen.choices(
                [(True, True), (True, False), (False, True), (False, False)], [0.3, 0.05, 0.25, 0.4]
            )[0]
        low, high = compare(before, after).interval
        held += low <= 0.2 <= high
    assert 0.92 <= held / 400 <= 0.99


def test_nothing_changed_and_nothing_at_all():
    same = compare(*_outcomes(5, 0, 0, 5))
    assert (same.p, same.difference) == (1.0, 0.0)
    assert same.interval[0] < 0 < same.interval[1]
    assert compare({}, {}).p == 1.0


def test_p_values_are_corrected_for_their_number():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
