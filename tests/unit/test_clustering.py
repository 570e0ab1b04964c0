"""Clusters of unit cells, on cells with known forms and on real ones."""

import json
import random

import pytest
from commands import SHARED

from iota.analysis.clustering import cluster_cells
from iota.records import FrameRef, FrameResult, Lattice


def _result(number, cell, space_group="P 4 2 2", bravais="tP"):
    lattice = Lattice(bravais=bravais, space_group=space_group, unit_cell=cell, a_matrix=(0.0,) * 9, n_indexed=50)
    return FrameResult(frame=FrameRef(f"/x/{number}.cbf"), name=str(number), outcome="integrated", lattices=[lattice])


def _form(n, a, c, first, seed, spread=0.1):
    chosen = random.Random(seed)
    cells = [(chosen.gauss(a, spread), chosen.gauss(c, spread)) for _ in range(n)]
    return [_result(first + k, (x, x, y, 90, 90, 90)) for k, (x, y) in enumerate(cells)]


def test_two_crystal_forms_are_two_clusters_and_a_stray_cell_is_none():
    results = [*_form(30, 79.2, 38.1, 0, 1), *_form(12, 77.0, 37.0, 100, 2), _result(999, (50, 60, 70, 80, 90, 100))]
    clusters = cluster_cells(results, threshold_A2=120.0)
    assert [c.n_lattices for c in clusters] == [30, 12]
    assert clusters[0].unit_cell == pytest.approx((79.2, 79.2, 38.1, 90, 90, 90), abs=0.1)
    assert clusters[1].frames == [FrameRef(f"/x/{k}.cbf") for k in range(100, 112)]
    assert clusters[0].unit_cell_spread[0] == pytest.approx(0.1, rel=0.5)


def test_a_threshold_beyond_their_distance_joins_them_and_small_ones_are_left_out():
    results = [*_form(30, 79.2, 38.1, 0, 1), *_form(4, 77.0, 37.0, 100, 2)]
    assert [c.n_lattices for c in cluster_cells(results)] == [34]
    assert [c.n_lattices for c in cluster_cells(results, 120.0)] == [30]
    assert [c.n_lattices for c in cluster_cells(results, 120.0, least=2)] == [30, 4]


def test_a_sample_is_clustered_when_so_many_are_wanted():
    results = _form(40, 79.2, 38.1, 0, 1)
    assert [c.n_lattices for c in cluster_cells(results, n_images=10)] == [10]
    assert cluster_cells([FrameResult(frame=FrameRef("/x"), name="x", outcome="failed_triage")]) == []


def test_cells_beyond_the_most_join_the_nearest_cluster(monkeypatch):
    monkeypatch.setattr("iota.analysis.clustering.MOST_CELLS", 40)
    results = [*_form(60, 79.2, 38.1, 0, 1), *_form(30, 77.0, 37.0, 100, 2)]
    assert [c.n_lattices for c in cluster_cells(results, 150.0)] == [60, 30]


def test_settings_between_which_the_reduction_jumps_are_one_cluster():
    results = [
        _result(k, (70.0, 70.0 + d, 70.0 - d, 90 + d, 90 - d, 90 + d / 2), "P 1", "aP")
        for k, d in enumerate((-0.2, -0.1, -0.05, 0.05, 0.1, 0.2))
    ]
    assert [c.n_lattices for c in cluster_cells(results, 300.0)] == [6]


def test_real_cells_of_a_crystal_are_mostly_one_cluster():
    path = SHARED / "unit_cells" / "well39_batch12_integrated.expt"
    if not path.is_file():
        pytest.skip(f"the real cells are not here: {path} (set IOTA_SHARED_DATA)")
    from cctbx import uctbx

    crystals = json.loads(path.read_text())["crystal"]
    cells = [
        uctbx.unit_cell(
            orthogonalization_matrix=tuple(
                x for row in zip(c["real_space_a"], c["real_space_b"], c["real_space_c"], strict=True) for x in row
            )
        ).parameters()
        for c in crystals
    ]
    clusters = cluster_cells([_result(k, cell, "P 1", "aP") for k, cell in enumerate(cells)])
    assert clusters[0].n_lattices > 0.9 * len(cells) > 5
