"""Selections, failures and hints of a run, without pages."""

from types import SimpleNamespace

import numpy as np
import pytest
from made_up_run import add, finished_run, result

from iota.analysis.cells.cluster_job import ClusterQuestion, find_clusters
from iota.analysis.failures import failures, rows_of_failure
from iota.analysis.grid_tally import add_to_tally
from iota.analysis.table.table import RunTable
from iota.causes import Cause
from iota.causes.advice import OTHERWISE
from iota.charts.svg import svg
from iota.errors import UsageError
from iota.params.forms import iota_form
from iota.records import FrameRef, GridPoint
from iota.runs.lists import read_input_list, write_named_list
from iota.web.live.run_charts import LiveCharts, rows_between, rows_of_outcome
from iota.web.live.runs import LiveRun
from iota.web.tabs.frames import name_of_frame
from iota.web.widgets.links import start_link
from iota.web.widgets.scatter import Box
from iota.web.widgets.selection import Selection


@pytest.fixture
def run(tmp_path):
    return finished_run(tmp_path, 400)


def table_of(run):
    table = RunTable(run)
    table.update()
    return table


def test_a_frame_and_a_set_are_told_to_those_who_listen():
    told = []
    selection = Selection(SimpleNamespace(table=SimpleNamespace(n_rows=10)), "001")
    selection.on_frame(lambda: told.append(selection.frame))
    selection.on_rows(lambda: told.append(selection.words))
    selection.choose_frame(3)
    selection.choose_frame(3)
    selection.choose_frame(10)  # there is none
    selection.choose_rows(np.array([2, 5, 7]), "box")
    selection.step(1)  # 3 is not in the set: its first
    selection.step(1)
    selection.step(-5)
    selection.clear_rows()
    selection.clear_rows()
    selection.step(1)
    assert told == [3, "box", 2, 5, 2, "", 3]


def test_tabs_that_are_not_shown_are_known():
    selection = Selection(SimpleNamespace(table=None), "001")
    assert selection.is_shown("charts")
    selection.enter("frames")
    assert (selection.is_shown("charts"), selection.is_shown("frames")) == (False, True)


def test_a_box_holds_rows_of_its_span_with_values_in_its_limits():
    values = np.array([1.0, 2.0, np.nan, 2.5, 3.0, 2.0])
    assert Box("d_min_A", 1.5, 2.5, 1, 4).rows(values).tolist() == [1, 3]
    assert Box("d_min_A", 1.5, 2.5, 4, 3).rows(values).tolist() == []


def test_failures_are_counted_by_stage_and_reason(run):
    table = table_of(run)
    found = failures(table)
    assert sum(failure.n for failure in found) == np.count_nonzero(table.column("outcome") != 0)
    order = [failure.outcome for failure in found]
    assert order == sorted(order, key=order.index)
    assert "integrated" not in order
    for failure in found:
        rows = rows_of_failure(table, failure)
        assert len(rows) == failure.n
        record = table.record(int(rows[0]))
        assert record.outcome == failure.outcome
        assert record.reason.split()[-2:] == failure.reason.split()[-2:]


def test_every_setting_that_a_hint_opens_is_a_parameter():
    hints = [*OTHERWISE.values(), *(cause.hint(cause.outcome) for cause in Cause)]
    settings = {hint.setting for hint in hints if hint.setting}
    of_backend = ("spotfinder.", "dispatch.")
    of_iota = {setting for setting in settings if not setting.startswith(of_backend)}
    assert [setting for setting in of_iota if not iota_form().has(setting)] == []
    assert len(of_iota) > 8


def test_hints_fit_the_cause():
    assert Cause.RMSD_TOO_HIGH.hint("failed_indexing").setting.startswith("image_import.beam_center")
    assert Cause.RESOLUTION_TOO_LOW.hint("failed_filter").setting == "cctbx_xfel.filter.min_resolution"
    assert Cause.NO_LATTICE.hint("failed_indexing").setting == "cctbx_xfel.target_unit_cell"
    assert Cause.MEMORY_LIMIT.hint("crashed").setting == "mp.frame_memory"
    assert Cause.OTHER.hint("integrated") is None


def test_bars_and_segments_hold_the_rows_that_records_say(run):
    table = table_of(run)
    records = list(table.records(range(table.n_rows)))
    low, high = 79.1, 79.25
    inside = [row for row, r in enumerate(records) if any(low <= np.float32(x.unit_cell[0]) < high for x in r.lattices)]
    assert rows_between(table, "a_A", f"{low}:{high}").tolist() == inside
    blanks = [row for row, r in enumerate(records) if r.outcome == "failed_triage"]
    assert rows_of_outcome(table, "failed_triage").tolist() == blanks


async def test_charts_of_a_growing_run_are_those_of_the_whole(run):
    live = LiveRun(run)
    charts = LiveCharts(live)
    lines = run.ledger.read_bytes().splitlines(keepends=True)
    for n in (3, 100, 101, 400):
        run.ledger.write_bytes(b"".join(lines[:n]))
        live.table.update()
        await charts.update()
    whole = LiveCharts(live)
    await whole.update()
    for name in ("outcome_bar", "rates", "funnel", "beam"):
        assert svg(getattr(charts, name)()) == svg(getattr(whole, name)())
    assert svg(charts.histogram("a_A")) == svg(whole.histogram("a_A"))
    assert charts.rates() is charts.rates()  # made once, for all pages that show it
    assert charts.counts == live.table.counts
    run.ledger.write_bytes(b"".join(lines[:50]))  # cut
    live.table.update()
    await charts.update()
    assert sum(charts.counts.values()) == 50


def test_lists_have_names_that_can_be_files(tmp_path):
    frames = [FrameRef("/data/a.cbf"), FrameRef("/data/b.h5", 4)]
    path = write_named_list(tmp_path, " good-1.lst ", frames)
    assert path == tmp_path / "good-1.lst"
    assert path.read_text() == "/data/a.cbf\n/data/b.h5#5\n"
    for wrong in ("", "  ", "../x", "a/b", ".hidden", "a b"):
        with pytest.raises(UsageError, match="is not a valid name for a list"):
            write_named_list(tmp_path, wrong, frames)
    for own in ("input", "integrated.lst", "uc_cluster_3", "not_integrated"):
        with pytest.raises(UsageError, match="a list of the run itself"):
            write_named_list(tmp_path, own, frames)


def test_a_frame_of_a_file_of_many_is_found_as_it_is_written(run):
    table = table_of(run)
    for typed in ("run_0000_master.h5#12", "master.h5#12", "#12"):
        (row,) = table.rows_with(name_of_frame(typed)).tolist()
        assert str(table.record(row).frame) == "/data/run_0000_master.h5#12"
    assert name_of_frame("a_#b.cbf") == "a_#b.cbf"


def test_start_links_carry_all_that_is_given(tmp_path):
    link = start_link(
        "001", inputs=[tmp_path / "a b.lst"], values={"cctbx_xfel.target_unit_cell": "1 2 3"}, setting="x"
    )
    assert link.startswith("/?recover=001&input=")
    assert link.endswith("a+b.lst&set=cctbx_xfel.target_unit_cell%3D1+2+3&setting=x")


def test_clusters_come_with_rows_progress_and_lists(run):
    shares = []
    found = find_clusters(ClusterQuestion(folder=str(run.path), threshold=100, limit=5), shares.append)
    table = table_of(run)
    assert len(found) == 2  # the made-up run has two crystal forms
    rows = sorted(row for one in found for row in one.rows)
    assert rows == np.flatnonzero(table.column("n_lattices") > 0).tolist()
    listed = (run.path / "uc_cluster_2.lst").read_text().splitlines()
    assert listed == [str(table.record(row).frame) for row in found[1].rows]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < 1


def test_grid_points_are_tallied():
    points = [
        GridPoint(area=3, height=4, signal=4, n_spots=20, n_indexed=15, is_chosen=True),
        GridPoint(area=3, height=5, signal=5, n_spots=20),
        GridPoint(area=3, height=4, signal=6, n_spots=20, n_indexed=15),
        GridPoint(area=4, height=4, signal=4, n_spots=20, n_indexed=15, cause=Cause.TOO_MOSAIC),
    ]
    frame = result(0)
    frame.grid = points
    tally = {}
    add_to_tally(tally, [frame, frame])
    assert tally == {(3, 4): [2, 2, 2], (3, 5): [2, 0, 0], (4, 4): [2, 0, 0]}


def test_the_frames_of_a_made_up_run_are_listed(run):
    assert len(read_input_list(run)) == 400
    add(run, 400, 3)
    assert table_of(run).n_rows == 403
