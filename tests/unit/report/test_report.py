"""Reports of runs in all states, without DIALS."""

import contextlib
import json
import re

import msgspec
import numpy as np
import pytest
from made_runs import blank, explained, hit, lattice, made_run, new_folder, write
from made_up_run import finished_run

from iota.analysis.drift import drifts
from iota.analysis.facts import run_facts
from iota.analysis.intensities.frames_needed import FramesNeeded
from iota.analysis.intensities.merge_record import MergeRecord
from iota.analysis.intensities.merged import Shell
from iota.analysis.summary import Summary, summary_of
from iota.analysis.table.table import RunTable
from iota.causes import Cause
from iota.cli.merge import merging_as_text
from iota.cli.report import main
from iota.report.blocks import Heading, Pictures, Table, Words
from iota.report.content import report_blocks
from iota.report.html import html_text
from iota.report.make import read_source
from iota.report.markdown import markdown_text
from iota.report.merged import newest_merging
from iota.runs.determination import Determination, DeterminedLattice
from iota.runs.lists import write_cluster_files


@contextlib.contextmanager
def _step(words):
    yield


def _report(folder):
    blocks = report_blocks(read_source(folder, _step, count_indices=False))
    return html_text(blocks), re.sub(r"\\(.)", r"\1", markdown_text(blocks))


def test_a_report_asks_nobody_for_anything(tmp_path):
    page, _ = _report(finished_run(tmp_path, 300))
    assert "<script" not in page
    assert not re.search(r"(src|href)=.(?!data:)|url\((?!#)|@import", page)
    assert set(re.findall(r"https?://[^\"' <]*", page)) == {"http://www.w3.org/2000/svg"}
    assert page.count("<svg") > 12


def test_a_blank_run_says_so(tmp_path):
    page, text = _report(made_run(tmp_path, [blank(k) for k in range(40)]))
    assert "0 of 40 finished frames, 0 % (95 % confidence: 0 to 8.8 %)" in text
    assert "No integrated frames." in text and "No integrated frames." in page
    assert "None of these was classified as a hit (at least 10 spots)." in text
    assert "Merging" not in page and "Geometry" not in page


def test_runs_that_go_on_were_killed_or_never_began(tmp_path):
    running = made_run(tmp_path, [hit(0), blank(1)], status="running", n_frames=10)
    assert "The run is in progress; 2 of 10 frames have been processed" in _report(running)[1]
    killed = made_run(tmp_path, [hit(0)], number=2, status="running", n_frames=10, process_id=2**22 + 1, heartbeat=1.0)
    state = json.loads(killed.state.read_text())
    killed.state.write_text(json.dumps(state | {"heartbeat": 1.0}))
    assert "The run was killed; 1 of 10 frames have been processed. iota.run --resume processes" in _report(killed)[1]
    stopped = made_run(tmp_path, [], number=3, status="aborted", n_frames=4, reason="Stopped by the user.")
    assert "The run was stopped; 0 of 4 frames have been processed. Stopped by the user." in _report(stopped)[1]


def test_a_run_of_which_little_is_left(tmp_path):
    folder = new_folder(tmp_path)
    write(folder, [hit(0), blank(1)])
    with folder.ledger.open("a") as file:
        file.write(
            '{"frame":{"path":"/a.cbf"},"name":"a","outcome":"integrated","lattices":[{"bravais":"tP",'
            '"space_group":"P 4","unit_cell":[79,79,38,90,90,90],"a_matrix":[1,0,0,0,1,0,0,0,1],"n_indexed":9}]}\n'
            '{"version":99,"shape":"unknown"}\n{"frame":'
        )  # as an early version wrote it, a later one, a torn one
    page, text = _report(folder)
    assert "The status of the run is not recorded; 3 of 3 frames have been processed." in text
    assert "2 of 3 finished frames" in text
    assert "cannot be read" in text  # its scripts
    assert page.endswith("</html>\n")


def test_what_was_merged_is_in_the_report_and_cited(tmp_path):
    folder = made_run(tmp_path, [hit(k) for k in range(3)])
    shell = {"d_max_A": 30.0, "d_min_A": 2.0, "n_observations": 12345, "n_unique": 900, "n_possible": 1000,
             "completeness": 0.9, "multiplicity": 13.7, "cc_half": 0.987}  # fmt: skip
    merged = {"run": "", "engine": "dials", "started": 1.0, "versions": {}, "space_group": "P 6", "d_min_A": 2.0,
              "unit_cell": [79, 79, 38, 90, 90, 120], "n_lattices": 3, "shells": [shell], "overall": shell,
              "ambiguities": ["k,h,-l"], "reindexed": {"h,k,l": 2, "k,h,-l": 1},
              "cumulative": [{"n_lattices": 3, "cc_half": None, "completeness": 0.9}],
              "frames_needed": [{"completeness": 0.99, "n_frames": None, "interval": [None, None]}]}  # fmt: skip
    for number, words in ((1, "{}"), (2, json.dumps(merged)), (10, "torn")):
        (folder.path / "merge" / f"{number:03d}").mkdir(parents=True)
        (folder.path / "merge" / f"{number:03d}" / "merge.json").write_text(words)
    assert newest_merging(folder.path).n_lattices == 3
    page, text = _report(folder)
    for words in ("12,345", "0.987", "(completeness 90.0 %, multiplicity 13.7, CC½ 0.987)",
                  "space group P 6 was resolved with dials.cosym",
                  "Gildea, R. J.", "Beilsten-Edmands, J.", "cannot be predicted"):  # fmt: skip
        assert words in text and words in page, words


def test_terminal_and_report_say_the_same_of_a_merging(tmp_path):
    shell = Shell(d_max_A=30, d_min_A=2, n_observations=12345, n_unique=900, n_possible=1000, completeness=0.9,
                  multiplicity=13.7, cc_half=0.987)  # fmt: skip
    needed = [FramesNeeded(completeness=0.95, n_frames=2100.2, interval=(2000.4, None)),
              FramesNeeded(completeness=0.99, n_frames=None, interval=(None, None))]  # fmt: skip
    merging = MergeRecord(run="", engine="dials", started=1.0, versions={}, space_group="P 6",
                          unit_cell=(79, 79, 38, 90, 90, 120), d_min_A=2.0, n_lattices=1003,
                          left_out={"with another unit cell": 2},
                          ambiguities=["k,h,-l"], reindexed={"h,k,l": 1002, "k,h,-l": 1}, n_unclear=4, shells=[shell],
                          overall=shell, frames_needed=needed, remarks=["A remark."])  # fmt: skip
    folder = made_run(tmp_path, [hit(0)])
    (folder.path / "merge" / "001").mkdir(parents=True)
    (folder.path / "merge" / "001" / "merge.json").write_bytes(msgspec.json.encode(merging))
    said = merging_as_text(merging, folder.path)
    _, report = _report(folder)
    for text in (said, report):
        words = " ".join(text.replace("|", " ").split())
        for line in (
            "Merged 1,003 lattices; excluded: 2 with another unit cell",
            "Crystal P 6, 79.00 79.00 38.00 90.00 90.00 120.00 (Å, °)",
            "Resolution 2.00 Å",
            "Indexing ambiguity k,h,-l",
            "resolved from intensities: 1,002 h,k,l, 1 k,h,-l; 4 uncertain, but kept",
            "95 % completeness expected from 2,100 lattices (more than 2,000, 95 % confidence)",
            "99 % completeness cannot be predicted: too few lattices, or almost no variation in orientation",
            "Note A remark.",
            "30.00 2.00 12,345 900 90.0 13.7 - - 0.987 -",
        ):
            assert line in words, line
    assert "…" not in said


def test_the_methods_paragraph_says_where_the_unit_cell_is_from(tmp_path):
    cell = (79.2, 79.2, 38.1, 90.0, 90.0, 90.0)
    determined = DeterminedLattice(1, cell, "P 4 2 2", "tP", cell, agreeing=("a", "b"), n_scouted=3)
    unread = blank(3)
    unread.outcome = "failed_import"
    hits = [hit(0), hit(1)]
    for result in hits:
        result.settings = "given lattice; area 3, height 5"  # as a grid search writes them
    folder = made_run(tmp_path, [*hits, blank(2), unread])
    assert "Indexing was performed without prior knowledge of the unit cell." in _report(folder)[1]
    target = folder.target.read_text()
    folder.write_text(folder.target, target + "indexing.known_symmetry.unit_cell = 79.2 79.2 38.1 90 90 90\n")
    assert "The images were indexed using the known unit cell and space group." in _report(folder)[1]
    folder.write_text(folder.target, target)
    folder.determined.write_bytes(msgspec.json.encode(Determination([determined])))
    _, text = _report(folder)
    for sentence in (
        "4 still images were processed with IOTA",
        "Of the 3 that could be read, 2 (66.7 %) were classified as hits (at least 10 spots). The unit cell was not"
        " known in advance; it was determined from a sample of the hits (tP, a = 79.20, b = 79.20, c = 38.10 Å,"
        " α = 90.00, β = 90.00, γ = 90.00°, found in 2 of 3 images) and then used to index all of them. Of the hits,"
        " 2 (100 %) were indexed and 2 (100 %) were integrated, yielding 2 lattices.",
        "The median unit-cell parameters of 2 lattices (tP) were a = 79.20",
        "The median resolution limit of the integrated lattices was 2.00 Å.",
    ):
        assert sentence in text, text


@pytest.mark.parametrize(
    ("script", "target", "definition"),
    [
        ("", "dispatch.hit_finder.minimum_number_of_reflections = 25\n", " (at least 25 spots)"),  # of a target file
        ("data_selection.image_triage.minimum_Bragg_peaks = 16\n", "", " (at least 16 spots)"),  # default of DIALS
        ("data_selection.image_triage.flag_on = False\n", "dispatch.hit_finder.enable = False\n", " (at least 1 spot)"),
        ("", "", ""),  # a target file gives the default of DIALS, which is not known here
    ],
)
def test_the_methods_paragraph_has_the_minimum_number_of_spots_that_was_used(tmp_path, script, target, definition):
    folder = made_run(tmp_path, [hit(0), blank(1)])
    folder.write_text(folder.script, script)
    folder.write_text(folder.target, target)
    assert f"was classified as a hit{definition}." in _report(folder)[1]


def test_without_merging_three_papers_are_cited(tmp_path):
    _, text = _report(made_run(tmp_path, [hit(0)]))
    assert re.findall(r"^\d\. (\w+)", text, re.M) == ["Lyubimov", "Winter", "Brewster"]


def test_clusters_and_reasons_are_tables(tmp_path):
    folder = finished_run(tmp_path, 200)
    script = (
        'cctbx_xfel {\n  target_unit_cell = 79.20 79.20 38.10 90.00 90.00 90.00\n  target_space_group = "P 4 2 2"\n}\n'
    )
    write_cluster_files(folder, [([result.frame for result in (hit(0), hit(1))], script)])
    _, text = _report(folder)
    assert "| uc_cluster_1 | 2 | P 4 2 2 | 79.20 79.20 38.10 90.00 90.00 90.00 |" in text
    assert "| 120 | no diffraction | … spots found; at least … are needed. |" in text
    assert "1. Lyubimov" in text


def test_text_of_people_and_programs_is_never_taken_for_marks(tmp_path):
    reason = "<b>a|b</b> *c* `d` [e](http://f)"
    folder = made_run(tmp_path, [blank(0), explained(blank(1), Cause.OTHER, text=reason)])
    blocks = report_blocks(read_source(folder, _step, count_indices=False))
    page, text = html_text(blocks), markdown_text(blocks)
    assert "<b>a|b</b>" not in page and "&lt;b&gt;a|b&lt;/b&gt; *c* `d` [e](http://f)" in page
    assert r"\<b\>a\|b\</b\> \*c\* \`d\` \[e\](http://f)" in text


def test_markdown_has_no_heading_over_nothing():
    blocks = [Heading("Charts"), Pictures(["<svg/>"]), Heading("Words"), Words("a"),
              Table(head=["n"], rows=[["1"], ["2"]], numbers=frozenset((0,)), last_is_total=True)]  # fmt: skip
    assert markdown_text(blocks) == "## Words\n\na\n\n| n |\n| ---: |\n| 1 |\n| **2** |\n"


def test_a_beam_that_moves_is_told_from_one_that_does_not():
    rng = np.random.default_rng(5)
    n = 300
    columns = {
        "beam_fast_mm": rng.normal(100, 0.05, n) + np.linspace(0, 0.1, n),
        "beam_slow_mm": rng.normal(90, 0.05, n),
        "distance_mm": np.where(np.arange(n) % 2, rng.normal(130, 0.1, n), np.nan),
    }
    x, y, z = drifts(columns)
    assert x.change_mm == pytest.approx(0.1 * 2 / 3, abs=0.02)
    assert (x.is_significant, y.is_significant, z.is_significant) == (True, False, False)
    assert (x.n_lattices, z.n_lattices) == (100, 50)
    assert z.half_width_mm == pytest.approx(2.576 * 1.2533 * 0.1 * np.sqrt(2 / 50), rel=0.4)
    assert drifts({name: values[:20] for name, values in columns.items()}) == []


def test_a_beam_at_rest_seems_to_move_as_seldom_as_promised():
    rng = np.random.default_rng(7)
    n_moved = sum(
        drift.is_significant
        for _ in range(400)
        for drift in drifts({name: rng.normal(0, 1, 150) for name in ("beam_fast_mm", "beam_slow_mm", "distance_mm")})
    )
    assert n_moved / 1200 < 0.025  # 1 % is promised; sigma is itself found from 50 values


def test_rates_have_wilsons_intervals_and_nothing_is_a_fact_of_nothing(tmp_path):
    summary = Summary(n_frames=20, counts={"integrated": 8, "failed_indexing": 2, "failed_triage": 10})
    facts = {fact.name: fact for fact in run_facts(summary)}
    assert facts["integrated"].text == "8 of 10 hits, 80.0 % (95 % confidence: 49 to 94.3 %)"
    assert facts["indexed"].values["percent"] == 80.0
    assert facts["hits"].text == "10 of 20 finished frames, 50.0 % (95 % confidence: 30 to 70 %)"
    assert {fact.name for fact in run_facts(Summary(n_frames=0, counts={}))} == {
        "finished", "hits", "indexed", "integrated", "lattices",
    }  # fmt: skip


def test_seconds_by_stage_are_of_the_frames_that_came_there(tmp_path):
    results = [blank(0), blank(1), hit(2)]
    results[2].seconds = {"import": 0.25, "spotfinding": 0.5, "indexing": 2.0, "integration": 3.0, "filter": 9.0}
    table = RunTable(made_run(tmp_path, results))
    table.update()
    stages = {stage.stage: stage for stage in summary_of(table, 3).stages}
    assert (stages["import"].n_frames, stages["import"].median_s, stages["import"].total_s) == (3, 0.25, 0.75)
    assert (stages["indexing"].n_frames, stages["indexing"].total_s) == (1, 2.0)
    assert "refinement" not in stages


def test_the_command_writes_what_is_asked_for(tmp_path, capsys, monkeypatch):
    folder = made_run(tmp_path, [blank(0)])
    monkeypatch.chdir(tmp_path)
    assert main(["1", "--silent"]) == 0
    assert (folder.path / "report.html").is_file() and (folder.path / "report.md").is_file()
    assert main(["integration/001", "--output", "mine.md", "--quick", "--silent"]) == 0
    assert (tmp_path / "mine.md").read_text().startswith("# IOTA run 001: a made-up run\n")
    assert main(["1", "--output", "mine.pdf"]) == 2
    assert "must end in .html or .md" in capsys.readouterr().err
    assert main(["7"]) == 2
    assert "is not a run folder" in capsys.readouterr().err
    assert main(["1", "--output", "nowhere/mine.md"]) == 2
    assert "cannot be written: No such file or directory. Choose another place with --output" in capsys.readouterr().err


def test_lattices_that_the_filter_dropped_are_not_in_the_facts(tmp_path):
    dropped = hit(1, lattice(a=60.0))
    dropped.outcome = "failed_filter"
    table = RunTable(made_run(tmp_path, [hit(0), dropped]))
    table.update()
    summary = summary_of(table, 2)
    assert (summary.n_lattices, summary.n_indexed, summary.n_integrated) == (1, 2, 1)
