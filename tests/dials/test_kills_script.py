"""The script that kills finds what it looks for: half files, and frames that are lost or counted twice."""

import random

import pytest
from killed_runs import _compare
from killing import Bench
from made_runs import blank, made_run
from whole import half_files

from iota.atomic_files import atomic_file
from iota.runs.lists import write_outcome_lists


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("report.html", b"<html></html>\n"),
        ("merge.json", b'{"a": [1, 2]}'),
        ("integrated.lst", b"/a.cbf\n/b.cbf\n"),
        ("merging.png", b"\x89PNG...IEND\xaeB`\x82"),
        ("merging.pdf", b"%PDF-1.4\n%%EOF\n"),
        ("int_1.pickle", b"\x80\x04K\x01."),
    ],
)
def test_a_file_that_is_cut_short_is_found(tmp_path, name, whole):
    (tmp_path / name).write_bytes(whole)
    with atomic_file(tmp_path / name) as part:
        part.write_bytes(whole[:3])  # in the making: hidden
        assert half_files(tmp_path) == []
    (found,) = half_files(tmp_path)
    assert name in found


def _run(project, numbers):
    results = [blank(k) for k in numbers]
    run = made_run(project, results)
    frames = [result.frame for result in results]
    write_outcome_lists(run, frames, {result.frame: result.outcome for result in results})
    return run


def test_a_frame_that_is_lost_or_counted_twice_is_found(tmp_path):
    whole, other = _run(tmp_path / "a", range(4)), _run(tmp_path / "b", [0, 1, 1, 2])
    bench = Bench(tmp_path, random.Random(1))
    _compare(bench, "group", whole, whole)
    assert bench.is_clean
    _compare(bench, "group", other, whole)
    assert not bench.is_clean
    assert (bench.found["group"]["lost"], bench.found["group"]["twice"]) == (1, 1)
