"""Parts of the engine that need no DIALS."""

import logging

import numpy as np
import pytest

from iota.causes import Cause, why
from iota.engine.backend.frame_log import frame_log
from iota.engine.backend.sentences import SentenceError, why_stopped
from iota.engine.frame.filter import LatticeFilter
from iota.engine.stills.wilson import wilson_b_A2
from iota.errors import UsageError
from iota.records import Lattice


def _lattice(**words):
    values = dict(
        bravais="tP",
        space_group="P 43 21 2",
        unit_cell=(79.2, 79.2, 38.1, 90, 90, 90),
        a_matrix=(1,) * 9,
        n_indexed=50,
        n_integrated=300,
        d_min_A=2.1,
    )
    return Lattice(**(values | words))


@pytest.mark.parametrize(
    ("conditions", "objection"),
    [
        ({}, ""),
        ({"crystal_system": "Tetragonal"}, ""),
        ({"crystal_system": "Cubic"}, "tetragonal, not cubic"),
        ({"point_group": "P422"}, ""),
        ({"point_group": "P41212"}, ""),
        ({"point_group": "P222"}, "point group is P 4 2 2, not P 2 2 2"),
        ({"unit_cell": (79.0, 79.0, 38.0, 90, 90, 90), "uc_tolerance": 0.01}, ""),
        ({"unit_cell": (75.0, 75.0, 38.0, 90, 90, 90), "uc_tolerance": 0.05}, "differs from 75.0"),
        ({"unit_cell": (38.1, 79.2, 79.2, 90, 90, 90), "uc_tolerance": 0.01}, ""),
        ({"min_reflections": 300}, ""),
        ({"min_reflections": 301}, "at least 301"),
        ({"min_resolution_A": 2.1}, ""),
        ({"min_resolution_A": 2.0}, "reaches 2.10 A"),
    ],
)
def test_the_filter_says_why(conditions, objection):
    found = LatticeFilter(**conditions).objection(_lattice())
    assert (objection in str(found)) if objection else found is None


def test_a_log_holds_one_frame_and_leaves_nothing_behind(capsys):
    dials = logging.getLogger("dials.some.module")
    handlers = logging.getLogger("dials").handlers[:]
    with frame_log() as first:
        dials.info("about the first")
        print("printed in the first")
    with frame_log() as second:
        dials.info("about the second")
        try:
            with frame_log():
                raise RuntimeError
        except RuntimeError:
            pass
    dials.info("about none")
    assert first.getvalue().splitlines() == ["about the first", "printed in the first"]
    assert second.getvalue().splitlines() == ["about the second"]
    assert logging.getLogger("dials").handlers == handlers
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (RuntimeError("No suitable lattice could be found."), "No lattice explains the spots."),
        (
            RuntimeError("RMSD too high, 12.180555"),
            "The RMSD of the best lattice is too high, 12.2 px (indexing.stills.rmsd_min_px).",
        ),
        (RuntimeError("Ewald proximity volume too high, 0.004"), "The best lattice is too mosaic"),
        (RuntimeError("Too few spots remaining for nearest neighbour analysis (7)"), "Too few spots (7) to estimate"),
        (AssertionError("Space group is incompatible with unit cell parameters."), "contradict each other"),
        (MemoryError(), "mp.frame_memory"),
        (SentenceError(why(Cause.MOSAICITY_DIVERGES)), "The mosaicity diverges."),
        (UsageError("Words of ours."), "Words of ours."),
    ],
)
def test_errors_become_sentences(error, sentence):
    assert sentence in str(why_stopped(error, "indexing"))


@pytest.mark.parametrize("words", ["", "Unknown column 'id'", "Need at least one array to stack.", "x" * 5000])
def test_words_of_dials_go_into_the_log_of_the_frame_and_not_into_the_reason(words):
    with frame_log() as log:
        said = why_stopped(RuntimeError(words), "integration")
    assert str(said) == "Integration stopped with an error. The DIALS message is in the log of the frame."
    assert said.values == {"message": f"RuntimeError: {words}"[:300]}
    assert f"RuntimeError{': ' if words else ''}{words}" in log.getvalue()


@pytest.mark.parametrize("b", [10.0, 35.0, 60.0])
def test_the_wilson_b_of_made_up_intensities_comes_back(b):
    from cctbx.eltbx import xray_scattering

    rng = np.random.default_rng(5)
    s2 = rng.uniform(1 / (4 * 4.4**2), 1 / (4 * 1.8**2), 4000)
    f2 = sum(
        number * np.array([xray_scattering.wk1995(element).fetch().at_stol_sq(x) for x in s2]) ** 2
        for element, number in {"C": 5.0, "N": 1.4, "O": 1.5, "H": 8.0}.items()
    )
    intensity = f2 * np.exp(-2 * b * s2) * rng.exponential(1.0, len(s2))
    assert wilson_b_A2(1 / np.sqrt(4 * s2), intensity) == pytest.approx(b, abs=4)


def test_there_is_no_wilson_b_of_few_or_low_resolution_reflections():
    assert wilson_b_A2(np.full(30, 3.0), np.ones(30)) is None
    assert wilson_b_A2(np.linspace(5, 10, 500), np.ones(500)) is None
