"""Cells of a cold start: the few true ones are found among multiples and nonsense, and none in nonsense alone."""

import numpy as np
import pytest

from iota.analysis.cells.clustering import describe_clusters, label_cells, multiples_of_clusters
from iota.analysis.cells.consensus import consensus
from iota.analysis.facts import lattice_facts
from iota.analysis.summary import Summary
from iota.crystallography.lattices import is_same_lattice, niggli_cell
from iota.simulate.cold_cells import MULTIPLE, cold_cells

P1 = [("aP", "P 1")]
LATTICES = {
    "tP": ((79.2, 79.2, 38.1, 90, 90, 90), "P 43 21 2"),
    "hR": ((110, 110, 140, 90, 90, 120), "R 3 :H"),
    "oC": ((60, 110, 75, 90, 90, 90), "C 2 2 21"),
    "mP": ((50, 61, 73, 90, 104, 90), "P 1 21 1"),
    "aP": ((50, 61, 73, 81, 95, 103), "P 1"),
    "cF": ((120, 120, 120, 90, 90, 90), "F 2 3"),
}


def _clusters(cells):
    codes = np.zeros(len(cells), dtype=int)
    labels = label_cells(cells, codes, P1)
    clusters = describe_clusters(labels, cells, codes, P1)
    multiples_of_clusters(labels, cells, codes, P1, clusters)
    return clusters


@pytest.mark.parametrize("nonsense", ["triples", "uniform"])
@pytest.mark.parametrize("lattice", LATTICES)
def test_the_lattice_of_four_percent_is_found_with_its_size_and_its_multiples(lattice, nonsense):
    cells, truth = cold_cells(2125, [LATTICES[lattice]], [0.04], nonsense=nonsense, seed=len(lattice))
    found = _clusters(cells)
    best = max(found, key=lambda cluster: cluster.n_lattices + cluster.n_multiples)
    assert is_same_lattice(niggli_cell(*LATTICES[lattice]), best.unit_cell)
    assert best.n_lattices == pytest.approx(np.count_nonzero(truth == 0), rel=0.2)
    assert best.n_multiples == pytest.approx(np.count_nonzero(truth == MULTIPLE), rel=0.2)
    others = [cluster for cluster in found if cluster is not best]
    assert max(cluster.n_multiples for cluster in others) < 0.7 * best.n_multiples


@pytest.mark.parametrize("spread", [0.01, 0.015])
def test_two_forms_are_found_at_once(spread):
    cells, truth = cold_cells(2125, [LATTICES["tP"], LATTICES["mP"]], [0.04, 0.04], spread=spread, seed=7)
    sizes = [np.count_nonzero(truth == k) for k in (0, 1)]
    for lattice, size in zip(("tP", "mP"), sizes, strict=True):
        cell = niggli_cell(*LATTICES[lattice])
        found = [cluster for cluster in _clusters(cells) if is_same_lattice(cell, cluster.unit_cell)]
        assert [cluster.n_lattices for cluster in found] == [pytest.approx(size, rel=0.2)]


@pytest.mark.parametrize("kind", ["triples", "uniform", "shuffled"])
def test_nonsense_alone_makes_no_cluster_in_twenty_sets(kind):
    rng = np.random.default_rng(3)
    fraction, multiples = (0.04, 0.2) if kind == "shuffled" else (0.0, 0.0)
    drawn = "triples" if kind == "shuffled" else kind
    pool, _ = cold_cells(6000, [LATTICES["tP"]], [fraction], multiples, drawn, seed=11)
    for _ in range(20):
        cells = pool[rng.choice(len(pool), 2125, replace=False)]
        if kind == "shuffled":  # the parameters of a cold start, each drawn for itself
            cells = np.stack([rng.permutation(column) for column in cells.T], axis=1)
            cosines = np.cos(np.radians(cells[:, 3:]))
            cells = cells[1 - (cosines**2).sum(axis=1) + 2 * cosines.prod(axis=1) > 0.02]
        assert _clusters(cells) == []


def test_a_superstructure_of_its_own_is_a_cluster_and_says_whose_multiple_it_is():
    a, b, c, *angles = LATTICES["aP"][0]
    forms = [LATTICES["aP"], ((2 * a, b, c, *angles), "P 1")]
    cells, truth = cold_cells(500, forms, [0.4, 0.6], 0.0, spread=0.003, seed=5)
    first, second = _clusters(cells)
    assert (first.n_lattices, second.n_lattices) == (np.count_nonzero(truth == 1), np.count_nonzero(truth == 0))
    assert (first.n_multiples, second.n_multiples) == (second.n_lattices, first.n_lattices)


def test_the_consensus_is_the_lattice_of_which_most_are_multiples_and_says_how_many():
    true, doubled = LATTICES["mP"], ((50, 122, 73, 90, 104, 90), "P 1 21 1")
    cells, truth = cold_cells(1000, [true], [0.05], multiples=0.3, seed=9)
    more, _ = cold_cells(130, [doubled], [1.0], multiples=0.0, seed=10)  # more than twice as many as are true
    cells = np.concatenate([cells, more])
    found = consensus(P1, np.zeros(len(cells), dtype=int), cells)
    assert is_same_lattice(niggli_cell(*true), found.unit_cell)
    n_multiples = np.count_nonzero(truth == MULTIPLE) + len(more)
    assert found.n_multiples == pytest.approx(n_multiples, rel=0.1)
    assert found.n_unlike == pytest.approx(len(cells) - found.n_lattices - n_multiples, rel=0.1)
    facts = {
        fact.name: fact
        for fact in lattice_facts(Summary(n_frames=1, counts={}, n_lattices=len(cells), consensus=found))
    }
    assert facts["multiples"].values == {"n": found.n_multiples}
    assert facts["unlike"].text == f"{found.n_unlike:,} match none of the above"
