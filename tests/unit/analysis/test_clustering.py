"""Clusters of unit cells, on cells with known forms and on real ones."""

import json
import random
import time

import numpy as np
import pytest
from cctbx import uctbx
from cctbx.uctbx.determine_unit_cell import NCDist
from commands import SHARED
from scipy.cluster import hierarchy

from iota.analysis.cells.clustering import CellClusters, cluster_cells, label_cells
from iota.crystallography.lattices import cells_in_one_setting, niggli_cell
from iota.crystallography.vonorms import vonorms
from iota.params import read
from iota.records import FrameRef, FrameResult, Lattice

P1 = [("aP", "P 1")]


def _result(number, cell, space_group="P 4 2 2", bravais="tP"):
    lattice = Lattice(bravais=bravais, space_group=space_group, unit_cell=cell, a_matrix=(0.0,) * 9, n_indexed=50)
    return FrameResult(frame=FrameRef(f"/x/{number}.cbf"), name=str(number), outcome="integrated", lattices=[lattice])


def _form(n, a, c, first, seed, spread=0.1):
    chosen = random.Random(seed)
    cells = [(chosen.gauss(a, spread), chosen.gauss(c, spread)) for _ in range(n)]
    return [_result(first + k, (x, x, y, 90, 90, 90)) for k, (x, y) in enumerate(cells)]


def _crystals(n, cell, forms, shares, misindexed, seed, noise=0.002, noise_deg=0.1):
    """Cells of forms that differ from `cell` by relative changes of axes, with noise, and some that are misindexed."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(len(forms), size=n, p=shares)
    cells = np.tile(np.array(cell, dtype=float), (n, 1))
    cells[:, :3] *= (1 + np.array(forms))[truth] * (1 + rng.normal(size=(n, 3)) * noise)
    cells[:, 3:] += rng.normal(size=(n, 3)) * noise_deg
    bad = rng.random(n) < misindexed
    cells[bad, :3] = cell[:3] * np.exp(rng.uniform(-0.5, 0.7, (bad.sum(), 3)))
    cells[bad, 3:] = rng.uniform(75, 105, (bad.sum(), 3))
    truth[bad] = -1
    return cells, truth


def _apart(labels):
    """Labels in which each stray is a cluster of its own."""
    labels = np.array(labels)
    strays = labels < 0
    labels[strays] = labels.max() + 1 + np.arange(strays.sum())
    return labels


def _adjusted_rand_index(one, other):
    """Hubert & Arabie, J. Classif. (1985) 2, 193."""
    one, other = _apart(one), _apart(other)
    a = np.unique(one, return_inverse=True)[1]
    b = np.unique(other, return_inverse=True)[1]

    def pairs(counts):
        return (counts * (counts - 1.0) / 2).sum()

    both = pairs(np.unique(a * (b.max() + 1) + b, return_counts=True)[1])
    of_a, of_b, of_all = pairs(np.bincount(a)), pairs(np.bincount(b)), pairs(np.array([len(a)]))
    expected = of_a * of_b / of_all
    return (both - expected) / ((of_a + of_b) / 2 - expected)


def _g6(cell):
    a, b, c = cell[:3]
    alpha, beta, gamma = np.cos(np.radians(cell[3:])).tolist()
    return (a * a, b * b, c * c, 2 * b * c * alpha, 2 * a * c * beta, 2 * a * b * gamma)


def _all_pairs(cells, threshold):
    """The clusters of the predecessor: single linkage of the distances of all pairs, by the NCDist of cctbx."""
    points = [tuple(map(float, _g6(niggli_cell(cell)))) for cell in cells]
    distances = [NCDist(a, b) for k, a in enumerate(points) for b in points[k + 1 :]]
    return hierarchy.fcluster(hierarchy.linkage(distances, method="single"), threshold, criterion="distance")


def _codes(cells):
    return np.zeros(len(cells), dtype=int)


def _real_cells(name):
    path = SHARED / "unit_cells" / name
    if not path.is_file():
        pytest.skip(f"the real cells are not here: {path} (set IOTA_SHARED_DATA)")
    crystals = json.loads(path.read_text())["crystal"]
    return np.array(
        [
            uctbx.unit_cell(
                orthogonalization_matrix=tuple(
                    x for row in zip(c["real_space_a"], c["real_space_b"], c["real_space_c"], strict=True) for x in row
                )
            ).parameters()
            for c in crystals
        ]
    )


def test_vonorms_do_not_depend_on_the_setting_or_the_centring():
    cells = {
        "P 1": (50, 61, 73, 81, 95, 103),
        "C 1 2 1": (90, 60, 70, 90, 112, 90),
        "F 2 2 2": (60, 80, 110, 90, 90, 90),
        "I 4 2 2": (79, 79, 38, 90, 90, 90),
        "R 3 2 :H": (90, 90, 150, 90, 90, 120),
    }
    for space_group, cell in cells.items():
        conventional = vonorms([cell], np.array([0]), [space_group])
        reduced = vonorms([niggli_cell(cell, space_group)], np.array([0]), ["P 1"])
        assert conventional == pytest.approx(reduced, rel=1e-9)


def test_vonorms_are_continuous_where_niggli_reduction_jumps():
    rng = np.random.default_rng(1)
    cubic = np.array([70.0, 70, 70, 90, 90, 90])
    cells = cubic + rng.normal(size=(300, 6)) * 1e-4
    reduced = np.array([niggli_cell(cell) for cell in cells])
    assert np.ptp(reduced[:, 3:], axis=0).max() < 1e-3  # noise of this size
    spread = np.ptp(vonorms(cells, _codes(cells), ["P 1"]), axis=0)
    assert spread.max() < 0.2  # A^2: 2 a da and as much for angles, times eight standard deviations
    assert vonorms(reduced, _codes(cells), ["P 1"]) == pytest.approx(
        vonorms(cells, _codes(cells), ["P 1"]), rel=1e-6
    )  # cctbx's


def test_two_crystal_forms_are_two_clusters_and_a_stray_cell_is_none():
    results = [*_form(30, 79.2, 38.1, 0, 1), *_form(12, 77.0, 37.0, 100, 2), _result(999, (50, 60, 70, 80, 90, 100))]
    for threshold in (None, 120.0):
        clusters = cluster_cells(results, threshold)
        assert [c.n_lattices for c in clusters] == [30, 12]
        assert clusters[0].unit_cell == pytest.approx((79.2, 79.2, 38.1, 90, 90, 90), abs=0.1)
        assert clusters[1].frames == [FrameRef(f"/x/{k}.cbf") for k in range(100, 112)]
        assert clusters[0].unit_cell_spread[0] == pytest.approx(0.1, rel=0.5)


def test_a_threshold_beyond_their_distance_joins_them_and_small_ones_are_left_out():
    results = [*_form(30, 79.2, 38.1, 0, 1), *_form(4, 77.0, 37.0, 100, 2)]
    assert [c.n_lattices for c in cluster_cells(results, 5000.0)] == [34]
    assert [c.n_lattices for c in cluster_cells(results, 120.0)] == [30]
    assert [c.n_lattices for c in cluster_cells(results, 120.0, least=2)] == [30, 4]


def test_a_sample_is_clustered_when_so_many_are_wanted():
    results = _form(40, 79.2, 38.1, 0, 1)
    assert [c.n_lattices for c in cluster_cells(results, n_images=10)] == [10]
    assert cluster_cells([FrameResult(frame=FrameRef("/x"), name="x", outcome="failed_triage")]) == []


def test_settings_between_which_the_reduction_jumps_are_one_cluster():
    results = [
        _result(k, (70.0, 70.0 + d, 70.0 - d, 90 + d, 90 - d, 90 + d / 2), "P 1", "aP")
        for k, d in enumerate((-0.2, -0.1, -0.05, 0.05, 0.1, 0.2))
    ]
    for threshold in (None, 300.0):
        assert [c.n_lattices for c in cluster_cells(results, threshold)] == [6]


@pytest.mark.parametrize("n", [300, 2000, 20_000])
@pytest.mark.parametrize(
    ("cell", "forms", "shares"),
    [
        ((79.2, 79.2, 38.1, 90, 90, 90), [[0, 0, 0], [0.03, 0.03, 0.03]], [0.65, 0.35]),
        ((79.2, 79.2, 38.1, 90, 90, 90), [[0, 0, 0], [0.01, 0.01, 0.01], [-0.02, -0.02, -0.02]], [0.5, 0.3, 0.2]),
        ((70, 70.3, 70.6, 90, 90, 90), [[0, 0, 0], [0.01, 0.01, 0.01]], [0.65, 0.35]),
        ((58.4, 58.4, 152.2, 90, 90, 90), [[0, 0, 0], [0.02, 0.02, -0.01]], [0.65, 0.35]),
        ((50, 61, 73, 81, 95, 103), [[0, 0, 0]], [1.0]),
    ],
)
def test_forms_one_to_three_percent_apart_are_found_with_their_sizes(n, cell, forms, shares):
    cells, truth = _crystals(n, cell, forms, shares, 0.05, seed=n)
    labels = label_cells(cells, _codes(cells), P1)
    assert _adjusted_rand_index(labels, truth) > 0.97
    sizes = [np.count_nonzero(labels == k) for k in range(len(forms))]
    assert sizes == pytest.approx(
        sorted((np.count_nonzero(truth == k) for k in range(len(forms))), reverse=True), rel=0.02
    )
    assert np.count_nonzero(labels == len(forms)) < 10  # no other cluster worth a row


def test_clusters_agree_with_all_pairs_of_ncdist():
    forms = [[0, 0, 0], [0.03, 0.03, 0.03], [-0.02, -0.02, -0.02]]
    cells, truth = _crystals(400, (70, 70.3, 70.6, 90, 90, 90), forms, [0.5, 0.3, 0.2], 0.05, seed=5)
    wanted = _all_pairs(cells, 120.0)  # the threshold has to be known for this, not for ours
    assert _adjusted_rand_index(wanted, truth) > 0.95
    assert _adjusted_rand_index(label_cells(cells, _codes(cells), P1), wanted) > 0.95
    assert _adjusted_rand_index(label_cells(cells, _codes(cells), P1, 120.0), wanted) > 0.95


def test_real_cells_agree_with_all_pairs_of_ncdist():
    cells = np.concatenate([_real_cells(f"{name}_integrated.expt") for name in ("well39_batch12", "well42_batch6")])
    labels = label_cells(cells, _codes(cells), [("oP", "P 21 21 21")])
    assert np.count_nonzero(labels == 0) > 0.9 * len(cells) > 30
    assert _adjusted_rand_index(labels, _all_pairs(cells, 1000.0)) > 0.95
    linked = label_cells(cells, _codes(cells), [("oP", "P 21 21 21")], 5000.0)
    assert set(_all_pairs(cells, 5000.0)) == {1} and set(linked) == {
        0
    }  # what the predecessor did unless told otherwise


def test_many_cells_take_little_time_and_small_clusters_are_not_lost():
    forms = [[0, 0, 0], [0.03, 0.03, 0.03], [-0.04, -0.04, 0]]
    cells, truth = _crystals(100_000, (79.2, 79.2, 38.1, 90, 90, 90), forms, [0.699, 0.3, 0.001], 0.05, seed=9)
    label_cells(cells[:100], _codes(cells[:100]), P1)  # what is imported at the first time
    began = time.process_time()
    labels = label_cells(cells, _codes(cells), P1)
    seconds = time.process_time() - began
    assert seconds < 10
    sizes = [np.count_nonzero(labels == k) for k in range(3)]
    wanted = [np.count_nonzero(truth == k) for k in range(3)]
    assert sizes[:2] == pytest.approx(wanted[:2], rel=0.02)
    assert sizes[2] == pytest.approx(wanted[2], rel=0.1)  # 100 of 100,000
    began = time.process_time()
    label_cells(cells[:1000], _codes(cells[:1000]), P1)
    assert time.process_time() - began < 0.2


def test_a_growing_run_is_clustered_again_as_it_grows():
    collected = CellClusters()
    assert collected.clusters() == []
    for result in _form(40, 79.2, 38.1, 0, 1):
        collected.add(result)
    assert [c.n_lattices for c in collected.clusters()] == [40]
    for result in _form(3, 79.2, 38.1, 40, 3):
        collected.add(result)
    assert [c.n_lattices for c in collected.clusters()] == [40]  # not worth while yet
    for result in _form(30, 77.0, 37.0, 100, 2):
        collected.add(result)
    assert [c.n_lattices for c in collected.clusters()] == [43, 30]


def test_the_cell_of_a_cluster_is_taken_in_one_setting():
    cells = np.array([(70.0, 60.0, 50.0, 91, 92, 93), (50.0, 60.0, 70.0, 93, 92, 91), (50.1, 60, 70, 93, 88, 89)])
    alike = cells_in_one_setting(cells, "aP")
    assert len(alike) == 3
    assert np.ptp(alike, axis=0) == pytest.approx([0.1, 0, 0, 0, 0, 0], abs=1e-9)
    assert len(cells_in_one_setting(cells, "tP")) < 3  # its axes have their names


def test_a_cluster_is_the_target_of_a_run_or_its_filter(tmp_path):
    cluster = cluster_cells(_form(30, 79.2, 38.1, 0, 1))[0]
    script = tmp_path / "cluster.phil"
    script.write_text(cluster.target_script())
    values = read([script]).values.cctbx_xfel
    assert values.target_unit_cell.parameters() == pytest.approx((79.2, 79.2, 38.1, 90, 90, 90), abs=0.1)
    assert str(values.target_space_group) == "P 4 2 2"
    script.write_text(cluster.filter_script())
    chosen = read([script]).values.cctbx_xfel.filter
    assert chosen.flag_on and chosen.uc_tolerance == pytest.approx(0.013, abs=0.005)
    assert str(chosen.pointgroup) == "P 4 2 2"
