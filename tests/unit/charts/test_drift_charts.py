"""The drift of a detector as facts, as charts and in reports."""

import contextlib
import re

import numpy as np
import pytest
from made_runs import drifting_distance, hit, made_run

from iota.analysis.facts import lattice_facts, run_facts
from iota.analysis.summary import summary_of
from iota.analysis.table.table import RunTable
from iota.charts.description import Band, Line
from iota.charts.drift import drift_charts
from iota.report.content import report_blocks
from iota.report.html import html_text
from iota.report.make import read_source
from iota.report.markdown import markdown_text
from iota.runs.geometry_diagnosis import write_drift


@pytest.fixture
def folder(tmp_path):
    return made_run(tmp_path, [hit(k) for k in range(3)])


def _facts(folder):
    table = RunTable(folder)
    table.update()
    summary = summary_of(table, 3)
    return {fact.name: fact for fact in [*run_facts(summary), *lattice_facts(summary)]}


def test_a_drift_is_checked_and_replaces_that_of_the_headers(folder):
    assert "geometry_drift" not in _facts(folder)
    write_drift(folder, drifting_distance())
    facts = _facts(folder)
    assert facts["geometry_drift"].label == "Check" and facts["geometry_drift"].is_warning
    assert facts["geometry_drift"].text == drifting_distance().sentence
    assert facts["drift"].text == "x none, distance decreases by 0.180 mm (from the positions of spots)"
    assert facts["drift"].values["distance"] == 0.18 and not facts["drift"].values["x_is_significant"]
    still = drifting_distance()
    still.sentence = ""
    write_drift(folder, still)
    assert "geometry_drift" not in _facts(folder)
    folder.geometry_drift.write_text("not a drift")
    assert "drift" not in _facts(folder)


def test_charts_show_blocks_with_bands_and_the_course_that_is_followed():
    assert drift_charts(None) == []
    distance, shift = drift_charts(drifting_distance())
    band, measured, followed = distance.marks
    assert isinstance(band, Band) and isinstance(measured, Line) and isinstance(followed, Line)
    assert [x for x, _ in followed.points] == [13.0, 38.0, 63.0, 88.0]
    assert np.array([y for _, y in followed.points]) == pytest.approx([0.09, 0.03, -0.03, -0.09])
    assert [high - low for (_, high), (_, low) in zip(band.high, band.low, strict=True)] == pytest.approx([0.0392] * 4)
    assert distance.y.low < min(y for _, y in band.low) and distance.y.high > max(y for _, y in band.high)
    assert followed.name == "distance: decreases by 0.180 mm (0.57 px)"
    assert [line.name for line in shift.legend] == ["x, to the right: no significant change"]


def test_a_report_has_the_charts_or_the_numbers(folder):
    for drift, wanted in ((None, 0), (drifting_distance(), 1)):
        write_drift(folder, drift)
        blocks = report_blocks(read_source(folder, contextlib.nullcontext, count_indices=False))
        page, text = html_text(blocks), re.sub(r"\\(.)", r"\1", markdown_text(blocks))
        assert page.count("<title>Drift of the distance</title>") == wanted
        assert text.count("| 26 to 50 | +0.001 ± 0.002 | +0.028 ± 0.010 |") == wanted
