"""What a summary, the page and the methods paragraph say of the geometries that a run tried."""

import contextlib
import re

import msgspec
import pytest
from made_runs import drifting_distance, hit, made_run, revision

from iota.analysis.facts import lattice_facts, run_facts
from iota.analysis.revision_texts import revision_note, revision_texts
from iota.analysis.summary import summary_of
from iota.analysis.table.table import RunTable
from iota.report.content import report_blocks
from iota.report.html import html_text
from iota.report.make import read_source
from iota.report.markdown import markdown_text
from iota.runs.geometry_diagnosis import write_drift
from iota.runs.geometry_revisions import GeometryRevisions, used_pictures, write_revisions

_PNG = b"\x89PNG\r\n\x1a\n"


SEARCH = revision(1, "search", 40, n_hits=20, n_integrated_before=0, n_integrated_after=20, n_both=0)
FIRST = revision(2, "refinement", 47, rmsd_before_px=0.22, rmsd_after_px=0.1)
SECOND = revision(3, "refinement", 48, rmsd_before_px=0.1, rmsd_after_px=0.08)
WORSE = revision(4, "refinement", 48, is_better=False, rmsd_before_px=0.08, rmsd_after_px=0.08)
DRIFT = revision(5, "drift", 1300, rmsd_before_px=0.15, rmsd_after_px=0.1)


@pytest.mark.parametrize(
    ("revisions", "texts"),
    [
        ([], {}),
        (
            [SEARCH, FIRST, SECOND, WORSE],
            {
                "search": "found with the spots of 40 hits; on 20 other hits: 0 → 20 integrated (geometry/001)",
                "refinement": "refined twice against 48 lattices; on 24 other hits: RMSD 0.22 → 0.08 px (geometry/003)",
            },
        ),
        (
            [FIRST, DRIFT],
            {
                "refinement": "refined against 47 lattices; on 24 other hits: RMSD 0.22 → 0.10 px (geometry/002)",
                "drift": "one for each part of the run, from 1,300 lattices; on 24 other hits: RMSD 0.15 → 0.10 px"
                " (geometry/005)",
            },
        ),
        (
            [WORSE],
            {"none": "unchanged: one refined against 48 lattices is no better for 24 other hits (geometry/004)"},
        ),
        (  # what is the same is not said
            [revision(1, "refinement", 48, cell_before=0.0086, cell_after=0.0012)],
            {
                "refinement": "refined against 48 lattices; on 24 other hits: cell axes 0.86 → 0.12 % from the given"
                " cell (geometry/001)"
            },
        ),
        (
            [revision(1, "refinement", 48, rmsd_before_px=0.101, rmsd_after_px=0.099)],
            {"refinement": "refined against 48 lattices; on 24 other hits: 4,000 → 4,100 spots indexed (geometry/001)"},
        ),
    ],
)
def test_one_short_text_for_each_method(revisions, texts):
    assert dict(revision_texts(revisions)) == texts


def test_a_note_says_what_was_wrong_and_what_happens_now():
    assert revision_note(FIRST) == (
        "Finding 2. Geometry refined against 47 lattices; on 24 other hits: RMSD 0.22 → 0.10 px (geometry/002)."
        " Hits are processed again."
    )
    assert revision_note(WORSE).endswith("no better for 24 other hits (geometry/004).")


@pytest.fixture
def folder(tmp_path):
    return made_run(tmp_path, [hit(k) for k in range(3)])


def _facts(folder):
    table = RunTable(folder)
    table.update()
    summary = summary_of(table, 3)
    return {fact.name: (fact.label, fact.text) for fact in [*run_facts(summary), *lattice_facts(summary)]}


def test_the_summary_says_what_was_wrong_and_a_drift_that_is_followed_needs_no_check(folder):
    write_drift(folder, drifting_distance())
    write_revisions(folder, GeometryRevisions([SEARCH, FIRST]))
    facts = _facts(folder)
    assert facts["revision_search"][0] == "Geometry"
    assert facts["revision_refinement"][0] == ""
    assert facts["given_geometry"] == ("As given", "Finding 1.")
    assert facts["geometry_drift"][0] == "Check"
    write_revisions(folder, GeometryRevisions([DRIFT]))
    facts = _facts(folder)
    assert "given_geometry" not in facts  # the drift has a line of its own
    assert facts["revision_drift"][0] == "Geometry"
    assert "geometry_drift" not in facts
    assert facts["drift"][1].endswith("by 0.180 mm (from the positions of spots); parts of the run have geometries"
                                      " of their own")  # fmt: skip


def _report(folder):
    blocks = report_blocks(read_source(folder, contextlib.nullcontext, count_indices=False))
    return html_text(blocks), re.sub(r"\\(.)", r"\1", markdown_text(blocks))


def test_the_report_has_the_pictures_of_geometries_that_were_used(folder):
    outside = msgspec.structs.replace(SECOND, reference="../elsewhere/refined.expt")
    write_revisions(folder, GeometryRevisions([SEARCH, FIRST, outside, WORSE]))
    assert "<img" not in _report(folder)[0]
    for place in ("geometry/002", "geometry/004", "../elsewhere"):
        (folder.path / place).mkdir(parents=True)
        (folder.path / place / "geometry.png").write_bytes(_PNG)
    assert used_pictures(folder, [SEARCH, FIRST, outside, WORSE]) == [(FIRST, 2)]
    page, text = _report(folder)
    assert page.count("<img src='data:image/png;base64,iVBORw0KGgo=' alt='Finding 2.'") == page.count("<img") == 1
    assert "geometry.png" not in text


def test_the_methods_paragraph_says_how_the_geometry_was_determined(folder):
    assert "beam centre" not in _report(folder)[1].split("Methods")[1]
    write_revisions(folder, GeometryRevisions([SEARCH, FIRST, SECOND, WORSE, DRIFT]))
    text = _report(folder)[1].split("Methods")[1]
    for sentence in (
        "The beam centre and detector distance were determined from the spots of 40 hits.",
        "The detector geometry was refined in 2 passes together with the crystals against the indexed spots of"
        " 48 lattices and validated with other hits.",
        "Changes of the beam centre and detector distance during data collection were measured with 1,300 lattices,"
        " and parts of the data set were processed with different geometries.",
    ):
        assert sentence in text, text
