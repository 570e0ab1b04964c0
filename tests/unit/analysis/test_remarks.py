"""Remarks on files and headers: kept in records, each said once with the number of images to which it applies."""

from made_runs import blank, made_run

from iota.analysis.facts import run_facts
from iota.analysis.summary import summary_of
from iota.analysis.table.table import RunTable
from iota.engine.backend.remarks import collect_remarks, remark

_BELOW_0 = "Pixels below 0 are masked."
_THRESHOLD = "Threshold 1 of 2 is used."


def test_remarks_are_collected_once_each_and_apart_for_each_frame():
    remark("Nobody collects this.")
    with collect_remarks() as first:
        remark(_BELOW_0)
        remark(_THRESHOLD)
        remark(_BELOW_0)
    with collect_remarks() as second:
        pass
    assert (first, second) == ([_BELOW_0, _THRESHOLD], [])


def test_a_run_says_each_remark_with_the_number_of_its_images(tmp_path):
    results = [blank(k) for k in range(5)]
    results[1].remarks = [_BELOW_0]
    results[3].remarks = [_THRESHOLD, _BELOW_0]
    table = RunTable(made_run(tmp_path, results))
    table.update()
    summary = summary_of(table, 5)
    assert summary.remarks == {_BELOW_0: 2, _THRESHOLD: 1}
    notes = [fact.text for fact in run_facts(summary) if fact.label == "Note"]
    assert notes == [f"{_BELOW_0} (2 images)", f"{_THRESHOLD} (1 image)"]
