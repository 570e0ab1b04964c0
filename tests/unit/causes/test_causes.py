"""Causes: sentence, outcome, advice, and what our code says with them."""

import ast
import json
from pathlib import Path

import msgspec
import pytest

import iota
from iota.causes import OUTCOMES, Cause, why
from iota.causes.advice import OTHERWISE
from iota.causes.templates import names_of, pieces
from iota.records import FrameRef, FrameResult
from iota.runs.earlier_records import cause_of

SOURCES = Path(iota.__file__).parent


def values_of(cause, number=7):
    """Values of the right kinds for a cause."""
    found = {}
    for piece in pieces(cause.template):
        if piece.name not in (*found, "", "see"):
            is_cell = piece.name.endswith("_cell")
            text_or_number = 2.5 if piece.format else "abc_1.h5"
            found[piece.name] = (
                number if piece.choices or piece.format == "d" else [79.2, 38.1, 90.0] if is_cell else text_or_number
            )
    return found


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_has_a_code_an_outcome_and_a_sentence(cause):
    assert cause.value == cause.name.lower()
    assert cause.outcome in OUTCOMES and cause.outcome != "integrated"
    values = values_of(cause)
    sentence = cause.sentence(values)
    assert not set("{}*|") & set(sentence)
    assert cause.template.endswith((".", "}"))
    assert all(str(value) in sentence for value in values.values() if isinstance(value, str))
    assert set(cause.tells) <= set(names_of(cause.template))
    assert cause.hint(cause.outcome) is not None


@pytest.mark.parametrize("cause", Cause)
def test_a_record_gives_its_cause_and_values_back(cause):
    record = FrameResult(frame=FrameRef("x"), name="x", outcome=cause.outcome)
    record.explain(why(cause, **values_of(cause)))
    again = msgspec.json.decode(msgspec.json.encode(record), type=FrameResult)
    assert (again.cause, again.values, again.reason) == (cause, record.values, record.reason)


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("cause", [cause for cause in Cause if cause not in (Cause.OTHER, Cause.CRYSTFEL_FILE)])
def test_a_sentence_of_an_earlier_ledger_gives_cause_and_values(cause, number):
    number = max(1, number) if "n_tries" in names_of(cause.template) else number
    values = values_of(cause, number)
    assert cause_of(cause.sentence(values), cause.outcome) == (cause, values)


def test_numbers_are_written_as_people_do():
    few = [str(why(Cause.TOO_FEW_SPOTS, n_spots=n, minimum=10)) for n in (0, 1, 9)]
    assert few == [f"{spots} found; at least 10 are needed." for spots in ("No spots", "1 spot", "9 spots")]
    assert str(why(Cause.TOO_FEW_SPOTS, n_spots=0, minimum=1)).endswith("at least 1 is needed.")
    assert str(why(Cause.NO_SUCH_IMAGE, n_images=1)) == "The file contains only 1 image."
    assert "too high, 12.2 px" in str(why(Cause.RMSD_TOO_HIGH, rmsd_px=12.180555))
    cells = {"unit_cell": (79.2, 79.2, 38.1, 90, 90, 90), "wanted_cell": [50] * 3 + [90] * 3}
    assert str(why(Cause.OTHER_CELL, **cells, tolerance_percent=5.0)) == (
        "The cell 79.2 79.2 38.1 90.0 90.0 90.0 differs from 50.0 50.0 50.0 90.0 90.0 90.0 by more than 5 %."
    )


def test_what_json_cannot_hold_is_kept_as_text():
    found = why(Cause.NO_WAVELENGTH, wavelength_A=float("inf"))
    assert json.loads(msgspec.json.encode(found))["values"] == {"wavelength_A": "inf"}
    assert "(inf A)" in str(found)
    assert len(why(Cause.OTHER, text="x" * 100_000).values["text"]) < 1100


@pytest.mark.parametrize("values", [{}, {"n_spots": "many", "minimum": "few"}, {"n_spots": [1.0, 2.0], "minimum": 1}])
def test_a_record_with_other_values_still_has_a_sentence(values):
    assert Cause.TOO_FEW_SPOTS.sentence(values) == "Too few spots."
    assert Cause.TOO_FEW_SPOTS.counted(values, str) == "Too few spots."
    assert Cause.TOO_FEW_SPOTS.general(values, str) == "… spots found; at least … are needed."


def test_the_message_of_dials_is_said_to_be_where_it_is():
    found = why(Cause.INDEXING_STOPPED, message="RuntimeError: x")
    assert str(found) == "Indexing stopped with an error. The DIALS message is in the log of the frame."
    assert found.elsewhere("Use --verbose.") == "Indexing stopped with an error. Use --verbose."


def test_failures_without_advice_of_their_own_have_that_of_their_outcome():
    assert set(OTHERWISE) == set(OUTCOMES) - {"integrated"}
    assert Cause.MEMORY_LIMIT_READING.hint("failed_integration").setting == "mp.frame_memory"
    assert Cause.NO_PERMISSION.hint("failed_import").sentence.startswith("Ask the owner")
    assert Cause.DATA_FILE_EMPTY.hint("failed_import").sentence.startswith("Keep a master")
    assert Cause.NO_BETTER_THAN_CHANCE.hint("failed_indexing") == OTHERWISE["failed_indexing"]


def _calls():
    """All calls why(Cause.X, name=...) of our code: the cause, the names, where."""
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "why":
                yield node, path


def test_our_code_gives_each_cause_the_values_that_its_sentence_names():
    n_checked = 0
    for call, path in _calls():
        if isinstance(call.args[0], ast.Attribute) and all(word.arg for word in call.keywords):
            cause = Cause[call.args[0].attr]
            given = {word.arg for word in call.keywords} - {"message"}
            assert given == set(names_of(cause.template)), f"{path}:{call.lineno}"
            n_checked += 1
    assert n_checked > 80


def test_every_cause_is_raised_somewhere():
    used = {
        node.attr
        for path in SOURCES.rglob("*.py")
        if path.parent.name != "causes"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Cause"
    }
    assert {cause.name for cause in Cause} - used == set()
