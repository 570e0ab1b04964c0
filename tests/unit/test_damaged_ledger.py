"""A ledger that a disk, an editor or a later version has damaged: every reader skips and counts the same lines."""

import msgspec
import pytest
from made_runs import blank, made_run

from iota.analysis.facts import run_facts
from iota.analysis.summary import summary_of
from iota.analysis.table import RunTable
from iota.runs import Ledger, iterate_ledger, ledger, read_ledger

_GOOD = [msgspec.json.encode(blank(k)) for k in range(4)]
DAMAGE = {  # lines; how many records, and how many lines that are none
    "a torn line": ([_GOOD[0], _GOOD[1][:40], _GOOD[2]], 2, 1),
    "a torn line before a record": ([_GOOD[0], _GOOD[1][:40] + _GOOD[2], _GOOD[3]], 2, 1),
    "two records in a line": ([_GOOD[0] + _GOOD[1], _GOOD[2]], 1, 1),
    "zeros": ([_GOOD[0], bytes(4096), _GOOD[1]], 2, 1),
    "zeros before a record": ([bytes(512) + _GOOD[0], _GOOD[1]], 1, 1),
    "bytes that are no text": ([_GOOD[0], _GOOD[1].replace(b"failed", b"\xff\xfe"), _GOOD[2]], 2, 1),
    "a byte order mark": ([b"\xef\xbb\xbf" + _GOOD[0], _GOOD[1]], 2, 0),
    "line ends of Windows": ([_GOOD[0] + b"\r", _GOOD[1] + b"\r"], 2, 0),
    "an outcome of a later version": ([_GOOD[0].replace(b"failed_triage", b"failed_later"), _GOOD[1]], 1, 1),
    "something else": ([b'{"hello": 1}', b"[1, 2]", b"null", _GOOD[0]], 1, 3),
    "empty lines": ([_GOOD[0], b"", _GOOD[1], b""], 2, 0),
    "a line without end": ([_GOOD[0], b"{" + b"x" * 5000, _GOOD[1]], 2, 1),
    "nothing that is a record": ([b"x"], 0, 1),
}


@pytest.mark.parametrize(("lines", "n_records", "n_unreadable"), DAMAGE.values(), ids=DAMAGE)
def test_all_readers_find_the_same_records_and_count_the_same_damage(
    tmp_path, monkeypatch, lines, n_records, n_unreadable
):
    monkeypatch.setattr(ledger, "_LONGEST", 4000)  # a line of 100 MB, in small
    run = made_run(tmp_path, [])
    run.ledger.write_bytes(b"".join(line + b"\n" for line in lines) + b'{"frame": torn')
    records = iterate_ledger(run.ledger)
    names = [record.name for record in records]
    assert (len(names), records.n_unreadable) == (n_records, n_unreadable)
    found, offset = read_ledger(run.ledger)
    assert [record.name for record in found] == names
    in_pieces, at = [], 0
    while at < offset:
        piece, at = read_ledger(run.ledger, at, limit=100)
        in_pieces += [record.name for record in piece]
    assert in_pieces == names
    table = RunTable(run)
    table.update()
    assert (table.n_rows, table.n_unreadable) == (n_records, n_unreadable)
    assert [record.name for record in table.records(range(n_records))] == names
    assert [name for _, name in table.frame_names()] == names
    said = [fact.values["n"] for fact in run_facts(summary_of(table, 9)) if fact.name == "unreadable"]
    assert said == ([n_unreadable] if n_unreadable else [])
    with Ledger(run.ledger) as writer:  # cuts off what was being written, and goes on
        writer.append(blank(8))
    table.update()
    assert table.n_rows == n_records + 1 and [record.name for record in records][-1] == blank(8).name
