"""Whether cells differ from the given one as by a wrong distance."""

import numpy as np
import pytest
from made_runs import hit, lattice, made_run

from iota.analysis.cells.cell_scale import cell_scale
from iota.analysis.facts import lattice_facts
from iota.analysis.summary import summary_of
from iota.analysis.table.table import RunTable
from iota.geometry.deviations import Deviation, Diagnosis
from iota.runs.geometry_diagnosis import write_diagnosis

TETRAGONAL = (79.2, 79.2, 38.1, 90.0, 90.0, 90.0)
MONOCLINIC = (52.0, 63.0, 71.0, 90.0, 104.0, 90.0)


def _cells(given, factors, n, seed, spread=0.002):
    noise = np.random.default_rng(seed).normal(0, spread, (n, 3))
    lengths = np.array(given[:3]) * np.array(factors) * (1 + noise)
    return np.hstack([lengths, np.tile(given[3:], (n, 1))])


@pytest.mark.parametrize("given", [TETRAGONAL, MONOCLINIC, (78.0, 78.0, 78.0, 90.0, 90.0, 90.0)])
@pytest.mark.parametrize("factor", [1.043, 0.97, 1.008])
def test_one_factor_for_all_axes_gives_the_distance_that_explains_it(given, factor):
    found = cell_scale(_cells(given, [factor] * 3, 12, seed=1), given, 130 * factor)
    assert found.factor == pytest.approx(factor, abs=0.002)
    assert found.distance_mm == pytest.approx(130, rel=0.002)
    assert ("larger" if factor > 1 else "smaller") in found.sentence


@pytest.mark.parametrize(
    ("factors", "n", "spread"),
    [
        ((1.003, 1.003, 1.003), 200, 0.002),  # as crystals of one form differ
        ((1.0, 1.0, 1.0), 200, 0.002),
        ((1.02, 1.0, 0.98), 40, 0.002),  # another form
        ((1.03, 1.03, 1.0), 40, 0.002),
        ((1.02, 1.012, 1.02), 40, 0.002),
        ((1.01, 1.01, 1.01), 5, 0.05),  # too uncertain
        ((1.05, 1.05, 1.05), 2, 0.001),  # too few
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_said_of_what_a_distance_does_not_explain(factors, n, spread, seed):
    assert cell_scale(_cells(MONOCLINIC, factors, n, seed, spread), MONOCLINIC, 130) is None


def test_other_angles_are_another_form():
    cells = _cells(MONOCLINIC, (1.02, 1.02, 1.02), 20, 1)
    cells[:, 4] += 1.5
    assert cell_scale(cells, MONOCLINIC, 130) is None


@pytest.mark.parametrize("a_factor", [1.0425, 1.0])
def test_the_facts_of_a_run_say_it_of_a_given_cell_only(tmp_path, a_factor):
    cells = [(79.2 * a_factor + 0.01 * k, 79.2 * a_factor + 0.01 * k, 38.1 * a_factor, 90, 90, 90) for k in range(6)]
    folder = made_run(tmp_path, [hit(k, lattice(unit_cell=cell, distance_mm=136.5)) for k, cell in enumerate(cells)])
    table = RunTable(folder)
    table.update()
    assert summary_of(table, 6).cell_scale is None  # the cell was not given
    folder.target.write_text(
        "indexing {\n  known_symmetry {\n    unit_cell = 79.2 79.2 38.1 90 90 90\n    space_group = P43212\n  }\n}\n"
    )
    warnings = [fact for fact in lattice_facts(summary_of(table, 6)) if fact.is_warning]
    if a_factor == 1.0:
        assert warnings == []
    else:
        (warning,) = warnings
        assert "All cell axes are 4.3 % larger than those of the given cell" in warning.text
        assert "130.9 mm" in warning.text


@pytest.mark.parametrize("percent", [None, 0.0, 4.25])
def test_where_the_diagnosis_compared_the_distance_it_alone_is_told(tmp_path, percent):
    cells = [(79.2 * 1.0425 + 0.01 * k, 79.2 * 1.0425 + 0.01 * k, 38.1 * 1.0425, 90, 90, 90) for k in range(6)]
    folder = made_run(tmp_path, [hit(k, lattice(unit_cell=cell, distance_mm=136.5)) for k, cell in enumerate(cells)])
    folder.target.write_text(
        "indexing {\n  known_symmetry {\n    unit_cell = 79.2 79.2 38.1 90 90 90\n    space_group = P43212\n  }\n}\n"
    )
    found = Diagnosis(
        n_lattices=6, n_spots=900, rmsd_px=0.3, rmsd_refined_px=0.2, distance_mm=136.5, is_cell_known=True,
        deviations=[], sentence="It is elsewhere." if percent else "",
    )  # fmt: skip
    if percent is not None:
        found.deviations = [
            Deviation(
                name="distance", value=-1.3 * percent, uncertainty=0.03, unit="mm", displacement_px=20.0,
                is_significant=bool(percent), matters=bool(percent),
            )
        ]  # fmt: skip
    write_diagnosis(folder, found)
    table = RunTable(folder)
    table.update()
    summary = summary_of(table, 6)
    told = [fact.text for fact in lattice_facts(summary) if fact.is_warning]
    if percent is None:  # it could not compare it
        assert len(told) == 1 and "All cell axes" in told[0]
        assert summary.better_distance_mm == pytest.approx(130.9, abs=0.1)
    else:
        assert told == (["It is elsewhere."] if percent else [])
        assert summary.better_distance_mm == (pytest.approx(136.5 - 1.3 * percent) if percent else None)
    write_diagnosis(folder, None)
    assert summary_of(table, 6).geometry is None and not folder.geometry_diagnosis.exists()
    folder.geometry_diagnosis.write_text("not a diagnosis")
    assert summary_of(table, 6).geometry is None
