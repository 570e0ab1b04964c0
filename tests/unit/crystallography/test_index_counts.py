"""Counts of Miller indices agree with counting one by one, however they are buffered and continued."""

from collections import Counter

import numpy as np
import pytest

from iota.crystallography import index_counts
from iota.crystallography.index_counts import IndexCounts


@pytest.mark.parametrize("buffer_size", [0, 250, 1_000_000])
def test_counts_are_those_of_counting_one_by_one(monkeypatch, buffer_size):
    monkeypatch.setattr(index_counts, "_BUFFER_SIZE", buffer_size)
    random = np.random.default_rng(1)
    lattices = [random.integers(-4, 5, (100, 3)) for _ in range(10)]
    counts = IndexCounts()
    for hkl in lattices[:5]:
        counts.add(hkl)
    counts = IndexCounts.of(*counts.result())  # as a later process does
    for hkl in lattices[5:]:
        counts.add(hkl)
    hkl, numbers = counts.result()
    assert Counter(dict(zip(map(tuple, hkl.tolist()), numbers.tolist(), strict=True))) == Counter(
        map(tuple, np.concatenate(lattices).tolist())
    )
    assert hkl.tolist() == sorted(hkl.tolist())


def test_nothing_added_is_nothing_counted():
    hkl, numbers = IndexCounts().result()
    assert hkl.shape == (0, 3) and numbers.shape == (0,)
