"""A ledger that a disk, an editor or a later version has damaged: every reader skips and counts the same lines."""

from collections import Counter
from contextlib import nullcontext

import msgspec
import pytest
from made_runs import blank, hit, made_run

from iota.analysis.facts import run_facts
from iota.analysis.summary import summary_of
from iota.analysis.table.table import RunTable
from iota.processing.conclusion import conclude_again
from iota.processing.run import Run
from iota.records import FORMAT_VERSION
from iota.report.make import read_source
from iota.runs import Ledger, RunFolder, iterate_ledger, ledger, read_ledger
from iota.runs.ledger import remove_records
from iota.runs.lists import LIST_NAMES, read_list, write_input_list
from iota.web.projects.projects import Projects

_RESULTS = [blank(0), hit(1), blank(2), hit(3), blank(4)]
_GOOD = [msgspec.json.encode(result) for result in _RESULTS]
_LATER = msgspec.json.encode(msgspec.structs.replace(blank(1), version=FORMAT_VERSION + 1))
_ENCODED = _GOOD[1]  # an integrated one
DAMAGE = {  # lines; how many records, how many lines that are none, and how many records of frames that have one
    "a torn line": ([_GOOD[0], _GOOD[1][:40], _GOOD[2]], 2, 1, 0),
    "a torn line before a record": ([_GOOD[0], _GOOD[1][:40] + _GOOD[2], _GOOD[3]], 2, 1, 0),
    "half a line written over": ([_GOOD[0], _GOOD[1][:90] + _GOOD[2][90:], _GOOD[3]], 2, 1, 0),
    "two records in a line": ([_GOOD[0] + _GOOD[1], _GOOD[2]], 1, 1, 0),
    "zeros": ([_GOOD[0], bytes(4096), _GOOD[1]], 2, 1, 0),
    "zeros before a record": ([bytes(512) + _GOOD[0], _GOOD[1]], 1, 1, 0),
    "bytes that are no text": ([_GOOD[0], _GOOD[2].replace(b"failed", b"\xff\xfe"), _GOOD[1]], 2, 1, 0),
    "such bytes in a name of a file": ([_GOOD[0], _ENCODED.replace(b"dials/", b"\xff\xfels/"), _GOOD[3]], 2, 1, 0),
    "a field that is gone": ([_GOOD[0], _ENCODED.replace(b'"name"', b'"nbme"'), _GOOD[3]], 2, 1, 0),
    "a number that is a word": ([_GOOD[0], _ENCODED.replace(b'"n_spots":200', b'"n_spots":"2"'), _GOOD[3]], 2, 1, 0),
    "a number without end": (
        [_GOOD[0], _ENCODED.replace(b'"n_spots":200', b'"n_spots":' + b"9" * 400), _GOOD[3]], 2, 1, 0,
    ),
    "half an orientation": (
        [_GOOD[0], _ENCODED.replace(b'"a_matrix":[0.01,0.01,', b'"a_matrix":['), _GOOD[3]], 2, 1, 0,
    ),
    "no space group": ([_GOOD[0], _ENCODED.replace(b"P 43 21 2", b"P 43 2; 2"), _GOOD[3]], 2, 1, 0),
    "no cell": ([_GOOD[0], _ENCODED.replace(b'"unit_cell":[79.2', b'"unit_cell":[-9.2'), _GOOD[3]], 2, 1, 0),
    "axes that cannot meet": ([_GOOD[0], _ENCODED.replace(b"90.0,90.0,90.0", b"130.0,130.0,130.0"), _GOOD[3]], 2, 1, 0),
    "axes in a plane": ([_GOOD[0], _ENCODED.replace(b"90.0,90.0,90.0", b"120.0,120.0,120.0"), _GOOD[3]], 2, 1, 0),
    "a byte order mark": ([b"\xef\xbb\xbf" + _GOOD[0], _GOOD[1]], 2, 0, 0),
    "line ends of Windows": ([_GOOD[0] + b"\r", b"\r", _GOOD[1] + b"\r"], 2, 0, 0),
    "blanks by an editor": ([_GOOD[0].replace(b":", b": "), b"  ", _GOOD[0], _GOOD[1]], 2, 0, 1),
    "an outcome of a later version": ([_GOOD[0].replace(b"failed_triage", b"failed_later"), _GOOD[1]], 1, 1, 0),
    "a record of a later version": ([_GOOD[0], _LATER, _GOOD[2]], 2, 1, 0),
    "something else": ([b'{"hello": 1}', b"[1, 2]", b"null", _GOOD[0]], 1, 3, 0),
    "a deep nest": ([_GOOD[0], b'{"x":' + b"[" * 3900, _GOOD[1]], 2, 1, 0),
    "empty lines": ([_GOOD[0], b"", _GOOD[1], b""], 2, 0, 0),
    "a line without end": ([_GOOD[0], b"{" + b"x" * 5000, _GOOD[1]], 2, 1, 0),
    "a record as long as none": ([_GOOD[0], _GOOD[1].replace(b"dials/", b"x" * 5000), _GOOD[2]], 2, 1, 0),
    "frames twice": ([*_GOOD[:3], _GOOD[1], _GOOD[0]], 3, 0, 2),
    "frames twice that ended otherwise": ([_GOOD[1], _GOOD[1].replace(b"integrated", b"crashed"), _GOOD[2]], 2, 0, 1),
    "all of it twice": ([*_GOOD, *_GOOD], 5, 0, 5),
    "nothing that is a record": ([b"x"], 0, 1, 0),
    "nothing": ([], 0, 0, 0),
}  # fmt: skip


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run that ended well; a line of 100 MB is one of 4 kB for it."""
    monkeypatch.setattr(ledger, "_LONGEST", 4000)
    run = made_run(tmp_path, _RESULTS)
    write_input_list(run, [result.frame for result in _RESULTS])
    run.write_text(run.target, "")
    return run


@pytest.mark.parametrize(("lines", "n_records", "n_unreadable", "n_repeated"), DAMAGE.values(), ids=DAMAGE)
def test_all_readers_find_the_same_records_and_count_the_same_damage(run, lines, n_records, n_unreadable, n_repeated):
    run.ledger.write_bytes(b"".join(line + b"\n" for line in lines) + b'{"frame": torn')
    records = iterate_ledger(run.ledger)
    found = list(records)
    names, counts = [record.name for record in found], Counter(record.outcome for record in found)
    assert (len(names), records.n_unreadable, records.n_repeated) == (n_records, n_unreadable, n_repeated)
    assert len(set(names)) == n_records
    in_pieces, at, end = [], 0, read_ledger(run.ledger)[1]
    while at < end:
        piece, at = read_ledger(run.ledger, at, limit=100)
        in_pieces += [record.name for record in piece]
    assert (len(in_pieces), sorted(set(in_pieces))) == (n_records + n_repeated, sorted(names))

    table = RunTable(run)
    table.update()
    assert (table.n_rows, table.n_unreadable, table.n_repeated) == (n_records, n_unreadable, n_repeated)
    assert [record.name for record in table.records(range(n_records))] == names
    assert [name for _, name in table.frame_names()] == names
    for k, record in enumerate(found):
        assert k in table.rows_with(record.name), "found by its name"
    said = {fact.name: fact.values["n"] for fact in run_facts(summary_of(table, 9)) if fact.label == "Ledger"}
    assert said == {k: n for k, n in (("unreadable", n_unreadable), ("repeated", n_repeated)) if n}

    # commands and pages
    conclusion, _ = conclude_again(run)
    assert (conclusion.summary.n_finished, conclusion.summary.n_frames) == (n_records, 5)
    listed = {outcome: read_list(run.path / name) for outcome, name in LIST_NAMES.items()}
    assert {outcome: len(frames) for outcome, frames in listed.items() if frames} == counts
    source = read_source(run, lambda _text: nullcontext(), count_indices=False)
    (entry,) = Projects(run.path.parents[1]).runs()
    for counted in (conclusion.summary.counts, source.summary.counts, entry.counts, table.counts):
        assert counted == counts
    assert (entry.n_finished, entry.n_frames, source.summary.n_frames) == (n_records, 5, 5)
    resumed = Run.resume(run)
    assert (resumed.n_finished, resumed.n_unreadable, resumed.counts) == (n_records, n_unreadable, counts)

    with Ledger(run.ledger) as writer:  # cuts off what was being written, and goes on
        writer.append(blank(8))
    table.update()
    assert table.n_rows == n_records + 1 and [record.name for record in records][-1] == blank(8).name


def test_a_record_of_a_frame_that_is_not_in_the_list_of_the_run_is_counted_everywhere(run):
    write_input_list(run, [result.frame for result in _RESULTS[:4]])  # its end is lost
    conclusion, _ = conclude_again(run)
    assert (conclusion.summary.n_finished, conclusion.summary.n_frames) == (5, 5)
    assert len(read_list(run.path / "failed_triage.lst")) == 3
    resumed = Run.resume(run)
    assert (resumed.n_finished, len(resumed.frames)) == (5, 5)


def test_a_table_notices_that_its_ledger_was_damaged_in_its_place(run, monkeypatch):
    monkeypatch.setattr("iota.analysis.table.table.MIN_SAVED", 1)
    table = RunTable(run)
    table.update()
    assert table.save()
    whole = run.ledger.read_bytes()
    run.ledger.write_bytes(whole[:30] + bytes(20) + whole[50:])
    table.update()
    assert (table.n_rows, table.n_unreadable, table.generation) == (4, 1, 1)
    fresh = RunTable(run)  # its cache is older than the damage
    fresh.update()
    assert (fresh.n_rows, fresh.n_unreadable) == (4, 1)
    with Ledger(run.ledger) as writer:
        writer.append(_RESULTS[0])  # as by --resume
    fresh = RunTable(run)
    fresh.update()
    assert (fresh.n_rows, fresh.n_unreadable) == (5, 1)
    run.ledger.touch()
    table.update()
    assert (table.n_rows, table.generation) == (5, 1), "nothing was changed this time"


def test_records_that_are_taken_out_are_gone_for_all_and_others_stay_byte_by_byte(run):
    lines = run.ledger.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"integrated", b"crashed")
    run.ledger.write_bytes(b"".join([*lines[:2], b"\xffdamaged\n", *lines[2:]]) + b"torn")
    table = RunTable(run)
    table.update()
    assert remove_records(run.ledger, ("crashed",)) == 1
    assert run.ledger.read_bytes() == b"".join([lines[0], b"\xffdamaged\n", *lines[2:]]) + b"torn"
    table.update()
    assert (table.n_rows, table.n_unreadable, table.generation) == (4, 1, 1)
    assert list(run.path.glob(".frames*")) == []


def test_frames_are_processed_again_when_asked(run):
    lines = run.ledger.read_bytes().splitlines(keepends=True)
    crashed = lines[1].replace(b"integrated", b"crashed")
    run.ledger.write_bytes(b"".join([lines[0], crashed, *lines[2:4], crashed]))
    resumed = Run.resume(run, retry=("crashed", "timed_out"))
    assert (resumed.n_finished, resumed.counts) == (3, {"integrated": 1, "failed_triage": 2})
    assert len(read_ledger(run.ledger)[0]) == 3
    state = msgspec.json.decode(run.state.read_bytes())
    assert (state["status"], state["n_finished"], state["n_frames"]) == ("aborted", 3, 5), "if it is killed now"
    before = run.ledger.stat()
    again = RunFolder(run.path)
    resumed._lock.__exit__(None, None, None)
    assert Run.resume(again, retry=("crashed",)).n_again == 0
    assert run.ledger.stat().st_ino == before.st_ino, "nothing to do"
