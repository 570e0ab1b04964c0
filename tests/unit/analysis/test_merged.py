"""Merged intensities: statistics held against observations whose truth is known, parameters, ambiguities."""

import numpy as np
import pytest

from iota.analysis.intensities.merged import Observations, cumulative, r_split, scatter_variance, table_one
from iota.crystallography.metric_symmetry import indexing_ambiguities
from iota.errors import ParameterError
from iota.params.merging import MERGING


def _observations(n_unique=3000, n_lattices=60, scatter=0.5, seed=1):
    """Each lattice sees a fifth of the reflections, each time with so much scatter, relative, and some noise."""
    rng = np.random.default_rng(seed)
    truth = rng.exponential(100.0, n_unique)
    frame = np.repeat(np.arange(n_lattices), n_unique // 5)
    unique = np.concatenate([rng.choice(n_unique, n_unique // 5, replace=False) for _ in range(n_lattices)])
    seen = truth[unique]
    intensity = seen * rng.gamma(1 / scatter**2, scatter**2, len(seen)) + rng.normal(0, 5, len(seen))
    d_A = 1 / np.linspace(0.02**3, 0.5**3, n_unique) ** (1 / 3)
    return Observations(unique, frame, intensity, np.full(len(seen), 25.0), d_A), truth


def test_table_one_counts_and_correlates():
    data, truth = _observations()
    shells, overall = table_one(data, 10)
    assert len(shells) == 10
    assert sum(shell.n_observations for shell in shells) == overall.n_observations == len(data.unique)
    assert sum(shell.n_unique for shell in shells) == overall.n_unique
    assert overall.completeness == pytest.approx(1 - 0.8**60, abs=1e-3)
    assert overall.multiplicity == pytest.approx(12.0, abs=0.1)
    assert shells[0].d_max_A == pytest.approx(50.0) and shells[-1].d_min_A == pytest.approx(2.0)
    assert overall.mean_intensity == pytest.approx(100, rel=0.05)
    # six observations in each half, each with a variance of scatter^2 I^2 + 25; I^2 of an exponential is 2 mean^2
    noise = (0.25 * np.mean(truth**2) + 25) / 6
    assert overall.cc_half == pytest.approx(truth.var() / (truth.var() + noise), abs=0.03)
    assert 0.1 < overall.r_split < 0.3


def test_standard_deviations_come_from_the_scatter():
    data, truth = _observations(n_unique=500)
    variance = scatter_variance(data)
    strong = truth[data.unique] > 150
    assert np.median(variance[strong]) == pytest.approx(np.median(0.25 * truth[data.unique][strong] ** 2), rel=0.3)
    for reflection in np.unique(data.unique)[:20]:
        assert np.ptp(variance[data.unique == reflection]) == 0  # equal weights
    _, overall = table_one(data)
    assert 3 < overall.i_over_sigma < 9  # sqrt(12) / 0.5 = 6.9 for strong ones


def test_more_lattices_agree_better():
    points = cumulative(_observations()[0])
    assert [points[0].n_lattices, points[-1].n_lattices] == [5, 60]
    assert points[0].cc_half + 0.1 < points[-1].cc_half
    assert points[0].completeness < points[-1].completeness


def test_halves_without_a_common_reflection_say_nothing():
    assert r_split(np.array([1.0, np.nan]), np.array([np.nan, 2.0])) is None
    nothing = Observations(np.array([0, 1]), np.array([0, 1]), np.ones(2), np.ones(2), np.array([3.0, 2.0]))
    shells, overall = table_one(nothing, 2)
    assert overall.cc_half is None and overall.completeness == 1.0 and len(shells) == 2


@pytest.mark.parametrize(
    ("space_group", "cell", "ways"),
    [
        ("P 43 21 2", (79, 79, 38, 90, 90, 90), 0),
        ("P 43", (79, 79, 38, 90, 90, 90), 1),
        ("I 2 3", (79, 79, 79, 90, 90, 90), 1),
        ("P 31", (60, 60, 90, 90, 90, 120), 3),
        ("P 63", (60, 60, 90, 90, 90, 120), 1),
        ("R 3 :H", (60, 60, 90, 90, 90, 120), 1),
        ("C 1 2 1", (85, 60, 70, 90, 100, 90), 0),
        ("P 21 21 21", (50, 60, 70, 90, 90, 90), 0),
        ("P 21 21 21", (50, 50.1, 70, 90, 90, 90), 1),  # by its metric alone
    ],
)
def test_ambiguities_are_those_of_the_tables(space_group, cell, ways):
    assert len(indexing_ambiguities(cell, space_group)) == ways


def test_a_way_of_indexing_is_written_as_people_do():
    assert indexing_ambiguities((79, 79, 38, 90, 90, 90), "P 43") == ["y,x,-z"]


def test_parameters_of_merging_are_read_and_written(tmp_path):
    values = MERGING.read([], ["space_group=P43212", "merging.d_min=2.1"])
    script = tmp_path / "merge.phil"
    script.write_text(MERGING.text(values))
    again = MERGING.read([script], ["n_shells=5"])
    assert (str(again.space_group), again.d_min, again.n_shells, again.engine) == ("P 43 21 2", 2.1, 5, "dials")
    for wrong in ("dmin=2", "d_min=x", "engine=nothing", "space_group=P999"):
        with pytest.raises(ParameterError):
            MERGING.read([], [wrong])
