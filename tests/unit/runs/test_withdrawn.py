"""Records that are moved from a ledger to another file."""

import pytest

from iota.records import FrameRef, FrameResult
from iota.runs import iterate_ledger
from iota.runs.ledger import Ledger
from iota.runs.withdrawn import WithdrawnRecords


def _result(number, outcome="integrated"):
    return FrameResult(frame=FrameRef("/data/x.h5", number), name=f"x_{number}", outcome=outcome, n_spots=number)


def test_withdrawn_records_are_in_the_other_file_and_the_ledger_goes_on(tmp_path):
    ledger, other = tmp_path / "frames.jsonl", tmp_path / "before.jsonl"
    with Ledger(ledger) as book:
        for number in range(6):
            book.append(_result(number, "failed_triage" if number % 3 == 0 else "integrated"))
        book.take_out(lambda result: result.outcome == "integrated", other)
        book.append(_result(1, "failed_indexing"))
    assert [(x.frame.index, x.outcome) for x in iterate_ledger(ledger)] == [
        (0, "failed_triage"),
        (3, "failed_triage"),
        (1, "failed_indexing"),
    ]
    withdrawn = WithdrawnRecords(other)
    assert [frame.index for frame in withdrawn] == [1, 2, 4, 5]
    assert withdrawn[FrameRef("/data/x.h5", 4)] == next(x for x in iterate_ledger(other) if x.frame.index == 4)
    assert withdrawn.get(FrameRef("/data/x.h5", 0)) is None


def test_no_file_holds_no_records(tmp_path):
    assert len(WithdrawnRecords(tmp_path / "none.jsonl")) == 0
    with pytest.raises(KeyError):
        WithdrawnRecords(tmp_path / "none.jsonl")[FrameRef("/data/x.h5", 0)]
