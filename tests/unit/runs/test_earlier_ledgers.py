"""Ledgers of version 1, scripts and answers: read and given as the last release with that version did.

``tests/fixtures/ledger_version_1`` was written by it, with frames that it had processed, together with its answers.
"""

import json
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from iota.analysis.failures import failures, rows_of_failure
from iota.analysis.table.table import RunTable
from iota.api import Run, open_run
from iota.causes import Cause
from iota.causes.templates import filled_in, names_of, pieces
from iota.records import FORMAT_VERSION, FrameRef, FrameResult
from iota.runs import Ledger, RunFolder, earlier_records, read_ledger
from iota.runs.earlier_records import cause_of
from iota.web.api.frames import _frame_row

FIXTURE = Path(__file__).parents[2] / "fixtures" / "ledger_version_1"
ANSWERS = json.loads((FIXTURE / "answers.json").read_text())
RENAMED = {"mosaicity_deg", "epv_A3"}


@pytest.fixture
def run(tmp_path) -> Run:
    shutil.copytree(FIXTURE / "integration", tmp_path / "integration")
    return open_run(1, tmp_path)


@pytest.fixture(params=["as it was", "written again"])
def either_run(request, run) -> Run:
    """The run of before, and the same with its records in a ledger of today."""
    if request.param == "written again":
        records = list(run.records())
        (run.folder / "frames.jsonl").unlink()
        with Ledger(run.folder / "frames.jsonl") as ledger:
            for record in records:
                ledger.append(record)
        lines = (run.folder / "frames.jsonl").read_text().splitlines()
        assert all(json.loads(line)["version"] == FORMAT_VERSION for line in lines)
        assert not any(f'"{name}"' in line for line in lines for name in RENAMED)
        return open_run(run.folder)
    return run


def test_records_answer_as_before(either_run):
    for row, (record, before) in enumerate(zip(either_run.records(), ANSWERS["frames"], strict=True)):
        assert record.reason == before["reason"]
        assert [lattice.mosaicity_deg for lattice in record.lattices] == [
            x["mosaicity_deg"] for x in before["lattices"]
        ]
        assert [lattice.half_mosaicity_deg for lattice in record.lattices] == [
            x["mosaicity_deg"] for x in before["lattices"]
        ]
        assert [(p.epv_A3, p.epv_per_A3) for p in record.grid] == [(x.get("epv_A3"),) * 2 for x in before["grid"]]
        now = json.loads(msgspec.json.encode(_frame_row(row, record)))
        assert _without_version(_as_before(now, before)) == _without_version(before)


def _as_before(now, before):
    """Of an answer what the answer of before had, too."""
    if isinstance(before, dict):
        if "n_spots" not in before and "unit_cell" not in before and "path" not in before:  # keys are data
            return now
        return {name: _as_before(now[name], value) for name, value in before.items()}
    if isinstance(before, list) and before and isinstance(before[0], dict):
        return [_as_before(one, other) for one, other in zip(now, before, strict=True)]
    return now


def _without_version(answer):
    return {name: value for name, value in answer.items() if name != "version"}


def test_columns_tables_and_selections_are_as_before(either_run):
    frames, lattices = either_run.frames(), either_run.lattices()
    assert set(ANSWERS["columns"]) <= set(frames.columns)
    assert np.allclose(frames["mosaicity_deg"], _numbers(ANSWERS["mosaicity_deg"]), atol=6e-6, equal_nan=True)
    assert np.allclose(lattices["mosaicity_deg"], ANSWERS["lattice_mosaicity_deg"], atol=6e-6)
    assert (frames["half_mosaicity_deg"].dropna() == frames["mosaicity_deg"].dropna()).all()
    words = ANSWERS["reasons"]
    assert list(frames["reason"].cat.categories[:-1]) == words
    before = [words[code] if code < len(words) else None for code in ANSWERS["reason_codes"]]
    assert [None if value != value else value for value in frames["reason"]] == before
    for limit, rows in ANSWERS["selected"].items():
        assert either_run.select(limits=[limit]) == rows
    for word in words:
        rows = [row for row, code in enumerate(ANSWERS["reason_codes"]) if words[code : code + 1] == [word]]
        assert either_run.select(reasons=[word]) == rows


def _numbers(values):
    return [np.nan if value is None else value for value in values]


def test_summary_and_facts_are_as_before(either_run):
    summary = json.loads(msgspec.json.encode(either_run.summary()))
    for name, value in ANSWERS["summary"].items():
        assert name == "failures" or summary[name] == value, name
    assert json.loads(msgspec.json.encode(either_run.facts())) == ANSWERS["facts"]


def test_counts_by_cause_equal_counts_by_text_and_hints_are_as_before(either_run):
    table = RunTable(RunFolder(either_run.folder))
    table.update()
    found = failures(table)
    by_text: dict[tuple[str, str], int] = {(f["outcome"], f["reason"]): f["n"] for f in ANSWERS["failures"]}
    by_cause = {}
    for failure in found:
        key = (failure.outcome, failure.cause, failure.reason if failure.cause is Cause.OTHER else "")
        assert key not in by_cause, "each is counted in one place"
        by_cause[key] = failure.n
        assert failure.n == sum(by_text.pop((failure.outcome, table.reasons[code])) for code in failure.codes)
        assert len(rows_of_failure(table, failure)) == failure.n
    assert not by_text
    missing = next(failure for failure in found if failure.cause is Cause.NO_DATA_FILE)
    assert (missing.n, missing.reason) == (2, "The data file … is missing.")
    for record, hint in zip(either_run.records(), ANSWERS["hints"], strict=True):
        now = None if record.cause is None else record.cause.hint(record.outcome)
        assert (None if now is None else list(now)) == hint, record.reason


def test_sentences_of_before_get_their_causes_and_values(run):
    records = {record.name: record for record in run.records()}
    assert records["killed_1"].cause is Cause.KILLED
    assert records["killed_1"].values == {"signal": 9, "n_tries": 2}
    assert records["dials_3"].values == {"rmsd_px": 7.4}
    assert records["import_1"].values == {"file": "run_1_data_000002.h5"}
    assert [r.name for r in records.values() if r.cause is Cause.OTHER] == ["import_5"]
    assert records["import_5"].values == {"text": "A sentence of some version before, with 17 numbers."}
    assert all(record.version == FORMAT_VERSION and not record.old_reason for record in records.values())


def test_spots_beyond_the_maximum_were_a_failure_of_triage():
    found = cause_of("512 spots are more than the 300 that are allowed.", "failed_triage")
    assert found == (Cause.TOO_MANY_SPOTS, {"n_spots": 512, "maximum": 300})


EARLIER = [(outcome, *one) for outcome, found in earlier_records._EARLIER.items() for one in found]


@pytest.mark.parametrize(("outcome", "cause", "template"), EARLIER, ids=[cause.value for _, cause, _ in EARLIER])
def test_sentences_that_were_reworded_get_their_causes_and_values(outcome, cause, template):
    values = {
        p.name: 3 if p.choices else 4.5 if p.format[-1:] in ("f", "g") else 7 for p in pieces(template) if p.format
    }
    values |= {p.name: f"run_{p.name}.h5" for p in pieces(template) if p.name and not p.format}
    assert cause_of(filled_in(template, values), outcome) == (cause, values)
    assert set(values) == set(names_of(cause.template))


def test_a_ledger_of_both_versions_is_read(run):
    record = next(iter(run.records()))
    old = (run.folder / "frames.jsonl").read_bytes().splitlines(keepends=True)
    again = msgspec.structs.replace(record, frame=msgspec.structs.replace(record.frame, path="/data/another.cbf"))
    with Ledger(run.folder / "frames.jsonl") as ledger:
        ledger.append(again)
    records, _ = read_ledger(run.folder / "frames.jsonl")
    assert len(records) == len(old) + 1
    assert records[-1].reason == records[0].reason
    assert len(run.frames()) == len(records)


def test_a_line_of_a_later_version_is_left_out_and_counted(run):
    path = run.folder / "frames.jsonl"
    line = json.loads(path.read_text().splitlines()[0])
    line |= {"version": FORMAT_VERSION + 1, "frame": {"path": "/data/later.cbf", "index": None}}
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")
    table = RunTable(RunFolder(run.folder))
    table.update()
    assert (table.n_rows, table.n_unreadable) == (len(ANSWERS["frames"]), 1)


def test_a_record_has_its_version_whoever_made_it(tmp_path):
    with Ledger(tmp_path / "frames.jsonl") as ledger:
        ledger.append(FrameResult(frame=FrameRef("/data/x.cbf"), name="x", outcome="crashed"))
    assert json.loads((tmp_path / "frames.jsonl").read_text())["version"] == FORMAT_VERSION
