"""What the backend is given for IOTA's parameters, and which of them is used."""

import json
from pathlib import Path

import pytest

from iota.engine.backend import parameters as backend
from iota.engine.backend.indexing_settings import settings_to_try
from iota.engine.frame.grid import Point
from iota.params import defaults, read
from iota.params.counterparts import COUNTERPARTS, FOUND, OWN_DEFAULTS
from iota.params.from_target import value_used, words_in

# Recorded with IOTA before there was a table; the same with DIALS 3.12 and 3.30.
RECORDED = json.loads((Path(__file__).parents[2] / "fixtures" / "backend_of_iota_2.json").read_text())
OWN = {name for counterpart in COUNTERPARTS for name in counterpart.own}


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "target.phil"
    path.write_text("".join(f"{name} = {words}\n" for name, words in RECORDED["target"].items()))
    return path


def written(arguments, target=None):
    arguments = [*arguments, f"cctbx_xfel.target={target}"] if target else arguments
    return words_in(backend.target_text(read([], arguments, is_backend_name=backend.is_backend_name)))


def expected(case):
    base = RECORDED["with target" if case["over_target"] else "defaults"]
    return {name: words for name, words in base.items() if name not in case["not_set"]} | case["set"]


def test_the_backend_gets_what_it_was_given_before(target):
    assert written([]) == RECORDED["defaults"]
    assert written([], target) == RECORDED["with target"]
    for case in RECORDED["cases"]:
        assert written(case["arguments"], target if case["over_target"] else None) == expected(case), case["arguments"]


def test_all_that_is_recorded_is_in_the_table_and_the_reverse():
    """Each of IOTA's parameters alone changes just its counterparts; so one that is missing in the table is noticed."""
    seen = set()
    for case in RECORDED["cases"]:
        name = case["arguments"][0].partition("=")[0]
        if len(case["arguments"]) > 1 or case["over_target"]:
            continue
        theirs = {path for c in COUNTERPARTS if name in c.own for path in c.backend}
        assert {*case["set"], *case["not_set"]} <= theirs
        seen |= {name} if case["set"] or case["not_set"] else set()
    assert seen == OWN
    names = {name for counterpart in (*COUNTERPARTS, *FOUND) for name in counterpart.backend} | set(OWN_DEFAULTS)
    assert all(map(backend.is_backend_name, names))


def test_values_are_read_back_as_dials_writes_them():
    for case in RECORDED["cases"]:
        if case["over_target"] or not OWN.issuperset(argument.partition("=")[0] for argument in case["arguments"]):
            continue
        given, words = read([], case["arguments"]).values, expected(case)
        used = {name: value_used(name, given, defaults().values, words) for name in OWN}
        assignments = [f"{name}={value or 'None'}" for name, value in used.items() if value is not None]
        assert written(assignments) == words, case["arguments"]


def test_settings_that_are_tried_are_in_the_table():
    found = {item.own: set(item.backend) for item in FOUND}
    assert found["cctbx_xfel.grid_search.type"] == words_in(Point(5, 4, 4).phil).keys()
    tried = {name for settings in settings_to_try(backend.target_text(defaults())) for name in words_in(settings.phil)}
    assert found["cctbx_xfel.learning.try_settings_in_turn"] == tried


def test_what_is_overridden_is_told_once_and_what_is_the_same_is_not(target):
    words = ["target_space_group=P41", "target_unit_cell=78 78 37 90 90 90", "resolution_limits.high=2.5"]
    with target.open("a") as file:
        file.write("dispatch.hit_finder.minimum_number_of_reflections = 10\n")  # as IOTA writes it by default
    words.append("minimum_Bragg_peaks=20")
    parameters = read(
        [],
        [f"cctbx_xfel.target={target}", *words, "image_import.mask=a.pickle", "spotfinder.filter.d_min=4"],
        is_backend_name=backend.is_backend_name,
    )
    backend.target_text(parameters)
    backend.target_text(parameters)
    assert parameters.remarks == [
        'indexing.known_symmetry.space_group = "P 4" is overridden by cctbx_xfel.target_space_group.',
        "spotfinder.filter.d_min = 4 is overridden by cctbx_xfel.resolution_limits.high.",
    ]


def test_what_a_run_wrote_into_its_target_is_changed_without_a_remark(target):
    (target.parent / "run.json").touch()
    parameters = read(
        [],
        [
            f"cctbx_xfel.target={target}",
            "target_space_group=P41",
            "resolution_limits.high=2.5",
            "spotfinder.filter.d_min=4",
        ],
        is_backend_name=backend.is_backend_name,
    )
    backend.target_text(parameters)
    assert parameters.remarks == ["spotfinder.filter.d_min = 4 is overridden by cctbx_xfel.resolution_limits.high."]
