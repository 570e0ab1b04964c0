"""The consensus lattice of runs whose frames do not all agree."""

import numpy as np
import pytest

from iota.analysis.cells.consensus import consensus, wilson_interval

TP, OP, AP = ("tP", "P 4 2 2"), ("oP", "P 2 2 2"), ("aP", "P 1")
LYSOZYME = (79.2, 79.2, 38.1, 90, 90, 90)


def _votes(*votes, seed=1):
    """Symmetries, codes and cells for (number, symmetry, cell), with noise of 0.1 %."""
    rng = np.random.default_rng(seed)
    symmetries = list(dict.fromkeys(symmetry for _, symmetry, _ in votes))
    codes, cells = [], []
    for number, symmetry, cell in votes:
        table = np.tile(np.array(cell, dtype=float), (number, 1))
        noise = 1 + 0.001 * rng.normal(size=(number, 3))
        if symmetry[0] == "tP":
            noise[:, 1] = noise[:, 0]
        table[:, :3] *= noise
        cells.append(table)
        codes += [symmetries.index(symmetry)] * number
    return symmetries, np.array(codes), np.concatenate(cells)


@pytest.mark.parametrize("times", [1, 1000])
def test_most_votes_win_and_the_others_are_told_apart(times):
    found = consensus(
        *_votes(
            (60 * times, TP, LYSOZYME),
            (10 * times, OP, LYSOZYME),
            (8 * times, OP, (79.2, 158.4, 38.1, 90, 90, 90)),
            (5 * times, TP, (58.4, 58.4, 152.2, 90, 90, 90)),
        )
    )
    assert (found.bravais, found.space_group) == TP
    assert found.n_lattices == pytest.approx(60 * times, rel=0.01)
    assert found.share == pytest.approx(60 / 83, rel=0.01)
    assert found.share_interval[0] < 60 / 83 < found.share_interval[1]
    assert found.unit_cell == pytest.approx(LYSOZYME, rel=1e-3)
    assert found.unit_cell_spread[:3] == pytest.approx([0.079, 0.079, 0.038], rel=0.4)
    assert [x.relation for x in found.candidates] == [
        "same lattice, different symmetry",
        "supercell, 2 times the volume",
        "another lattice",
    ]
    assert [x.n_lattices for x in found.candidates] == pytest.approx([10 * times, 8 * times, 5 * times], rel=0.05)
    assert not found.is_close
    assert found.metric_symmetry == ""


def test_a_super_cell_that_many_frames_have_does_not_beat_the_lattice_it_is_made_of():
    found = consensus(*_votes((30, TP, LYSOZYME), (40, OP, (79.2, 158.4, 38.1, 90, 90, 90))))
    assert found.unit_cell == pytest.approx(LYSOZYME, rel=1e-3)
    assert found.candidates[0].relation == "supercell, 2 times the volume"
    assert found.is_close


def test_triclinic_settings_are_one_lattice_and_its_metric_symmetry_is_said():
    cells = [(38.1, 79.2, 79.2, 90, 90, 90), (79.2, 38.1, 79.2, 90, 90, 90), (79.2, 79.2, 38.1, 90, 90, 90)]
    found = consensus(*_votes(*((15, AP, cell) for cell in cells)))
    assert found.n_lattices == 45
    assert sorted(found.unit_cell[:3]) == pytest.approx([38.1, 79.2, 79.2], rel=1e-3)
    assert found.unit_cell_spread[0] < 0.5
    assert found.metric_symmetry == "P 4 2 2"
    assert found.metric_cell == pytest.approx(LYSOZYME, rel=2e-3)


def test_one_lattice_is_a_consensus_and_lattices_without_agreement_are_close():
    one = consensus([TP], np.array([0]), np.array([LYSOZYME], dtype=float))
    assert (one.n_lattices, one.share, one.candidates) == (1, 1.0, [])
    assert one.share_interval[0] < 0.25  # of one lattice nothing is certain
    apart = consensus(*_votes((1, TP, LYSOZYME), (1, OP, (50, 60, 70, 90, 90, 90))))
    assert apart.is_close


def test_the_interval_of_a_share_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(2)
    for share in (0.1, 0.5, 0.9):
        counts = rng.binomial(60, share, size=2000)
        held = np.mean([low < share < high for low, high in (wilson_interval(n, 60) for n in counts.tolist())])
        assert held == pytest.approx(0.95, abs=0.025)
