"""Indices in P 1 mapped to space groups, against cctbx."""

import numpy as np
import pytest
from cctbx import crystal, miller
from cctbx.array_family import flex

from iota.analysis.intensities.index_chart import ABSENT, BEYOND, index_chart, run_index_chart
from iota.charts.indices import colour_bar, completeness_chart, largest_multiplicity, slice_chart
from iota.charts.svg import svg
from iota.errors import ParameterError
from iota.runs.miller_counts import FILE_NAME, LatticeCounts, MillerCounts, read_miller_counts, write_miller_counts

CELL = (79.2, 79.2, 38.1, 90.0, 90.0, 90.0)


@pytest.fixture(scope="module")
def counted():
    """A third of all indices to 3 A, in all of reciprocal space, each measured one to five times."""
    p1 = crystal.symmetry(unit_cell=CELL, space_group_symbol="P1")
    half = miller.build_set(p1, anomalous_flag=False, d_min=3.0)
    hkl = half.indices().as_vec3_double().as_double().as_numpy_array().reshape(-1, 3).astype(np.int16)
    rng = np.random.default_rng(1)
    both = np.concatenate([hkl, -hkl])
    chosen = both[np.sort(rng.choice(len(both), len(both) // 6, replace=False))]
    return LatticeCounts(
        space_group="P 4 2 2",
        unit_cell=CELL,
        n_lattices=50,
        n_reflections=0,
        hkl=chosen,
        counts=rng.integers(1, 6, len(chosen)).astype(np.uint32),
    )


def of_cctbx(counted, space_group, d_min):
    """All observations as cctbx merges them."""
    symmetry = crystal.symmetry(unit_cell=CELL, space_group_symbol=space_group)
    repeated = np.repeat(counted.hkl.astype(int), counted.counts.astype(int), axis=0)
    indices = flex.miller_index([tuple(int(x) for x in hkl) for hkl in repeated])
    array = miller.set(symmetry, indices, anomalous_flag=False).array(data=flex.double(len(indices), 1.0))
    array = array.resolution_filter(d_min=d_min).remove_systematic_absences()
    return array.merge_equivalents()


@pytest.mark.parametrize("space_group", ["P 1", "P 4 2 2", "P 43 21 2", "P 21 21 21", "C 2 2 2"])
def test_completeness_and_multiplicity_are_those_of_cctbx(counted, space_group):
    chart = index_chart(counted, space_group, d_min_A=3.2)
    merged = of_cctbx(counted, space_group, 3.2)
    assert chart.all_shells.n_measured == merged.array().size()
    assert chart.all_shells.n_observations == sum(merged.redundancies().data())
    assert chart.all_shells.completeness == pytest.approx(merged.array().completeness(d_max=1e6), abs=1e-9)
    assert sum(shell.n_possible for shell in chart.shells) == chart.all_shells.n_possible


def test_shells_are_those_of_cctbx(counted):
    chart = index_chart(counted, "P 43 21 2", d_min_A=3.2)
    array = of_cctbx(counted, "P 43 21 2", 3.2).array()
    for shell in chart.shells[1:]:
        part = array.resolution_filter(d_max=shell.d_max_A, d_min=shell.d_min_A)
        assert shell.n_measured == part.size()


def test_a_slice_holds_the_multiplicity_of_equivalents(counted):
    chart = index_chart(counted, "P 43 21 2", d_min_A=3.2)
    merged = of_cctbx(counted, "P 43 21 2", 3.2)
    known = dict(zip(merged.array().indices(), merged.redundancies().data(), strict=True))
    hk0 = chart.slices[2]
    assert (hk0.zero, hk0.across, hk0.up) == ("l", "h", "k")
    symmetry = merged.array()
    seen = 0
    for k in range(-hk0.up_max, hk0.up_max + 1):
        for h in range(-hk0.across_max, hk0.across_max + 1):
            value = hk0.multiplicity[k + hk0.up_max, h + hk0.across_max]
            if value in (ABSENT, BEYOND):
                continue
            mapped = miller.set(symmetry, flex.miller_index([(h, k, 0)]), anomalous_flag=False).map_to_asu()
            assert value == known.get(mapped.indices()[0], 0)
            seen += value > 0
    assert seen > 300


def test_absences_and_what_lies_beyond_are_told_apart(counted):
    chart = index_chart(counted, "P 43 21 2", d_min_A=3.2)
    h0l = chart.slices[1]
    axis = {el: h0l.multiplicity[el + h0l.up_max, h0l.across_max] for el in range(-h0l.up_max, h0l.up_max + 1)}
    assert axis[0] == BEYOND
    assert all(axis[el] == ABSENT for el in (1, 2, 3, 5, 6, 7))
    assert axis[4] >= 0
    assert h0l.multiplicity[0, 0] == BEYOND


def test_higher_symmetry_fills_gaps(counted):
    low, high = (index_chart(counted, name).all_shells for name in (None, "P422"))
    assert high.completeness > 1.5 * low.completeness


@pytest.mark.parametrize(
    ("symbol", "words"),
    [("P 43 21 1", "is not a space group"), ("", None), ("96", None), ("I 2 3", "does not fit the cell of this run")],
)
def test_symbols_are_understood_or_a_sentence_says_why_not(counted, symbol, words):
    if words is None:
        assert index_chart(counted, symbol).space_group == {"": "P 1", "96": "P 43 21 2"}[symbol]
    else:
        with pytest.raises(ParameterError, match=words):
            index_chart(counted, symbol)


def test_a_large_cell_is_cut_to_what_can_be_looked_at(counted):
    large = LatticeCounts(
        space_group="P 1",
        unit_cell=(600.0, 600.0, 600.0, 90.0, 90.0, 90.0),
        n_lattices=1,
        n_reflections=2,
        hkl=np.array([[300, 0, 0], [1, 2, 3]], np.int16),
        counts=np.ones(2, np.uint32),
    )
    chart = index_chart(large)
    assert chart.is_cut
    assert 2.4 < chart.d_min_A < 8
    assert chart.all_shells.n_possible < 4_000_000


def test_counts_survive_their_file(counted, tmp_path):
    assert read_miller_counts(tmp_path) is None
    assert run_index_chart(tmp_path, None) is None
    found = MillerCounts(lattices=[counted], n_frames=50, n_missing=1, n_other_lattices=3, ledger_bytes=12345)
    write_miller_counts(tmp_path, found)
    again = read_miller_counts(tmp_path)
    assert np.array_equal(again.lattices[0].hkl, counted.hkl)
    assert np.array_equal(again.lattices[0].counts, counted.counts)
    assert (again.n_frames, again.n_missing, again.ledger_bytes) == (50, 1, 12345)
    assert run_index_chart(tmp_path, "P422").n_other_lattices == 3
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]
    (tmp_path / FILE_NAME).write_bytes(b"no zip")
    assert read_miller_counts(tmp_path) is None


def test_charts_say_what_they_show(counted):
    chart = index_chart(counted, "P 43 21 2", d_min_A=3.2)
    largest = largest_multiplicity(chart)
    text = "".join(svg(slice_chart(part, largest)) for part in chart.slices)
    assert all(title in text for title in ("0 k l slice", "h 0 l slice", "h k 0 slice", "k (index)", "l (index)"))
    assert "multiplicity (measurements per reflection)" in svg(colour_bar(largest))
    below = svg(completeness_chart(chart))
    assert "complete to 3.20 Å" in below
    assert "completeness (%; bars)" in below
    assert "resolution limit of shell (Å)" in below
