"""Runs in scripts and notebooks: as tables, selected, followed."""

import subprocess
import sys
import threading

import numpy as np
import pytest
from made_runs import blank, hit, lattice, made_run, write

from iota.analysis.table.columns import COLUMNS, OLD_NAMES
from iota.api import open_run, runs, start
from iota.errors import RunFolderError, UsageError
from iota.runs import RunFolder, read_state


@pytest.fixture
def folder(tmp_path):
    return made_run(tmp_path, [hit(0, lattice(5, a=70.0), lattice(9, a=71.0)), blank(1), blank(2, n_spots=4)])


def test_a_run_is_opened_by_number_or_folder(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made_run(tmp_path, [], number=12)
    for run in (open_run(1), open_run("1"), open_run("integration/001"), open_run(folder.path), open_run(1, tmp_path)):
        assert (run.number, run.folder) == (1, folder.path)
    assert [run.number for run in runs()] == [1, 12]
    assert runs(tmp_path / "nowhere") == []
    assert "finished, 3 of 3 frames" in repr(open_run(1))
    with pytest.raises(RunFolderError, match="not a run folder"):
        open_run(99)


def test_frames_are_a_table_with_words_and_units(folder):
    frames = open_run(folder.path).frames()
    assert list(frames.columns) == ["frame", "name", *COLUMNS, *OLD_NAMES]
    assert frames["frame"].tolist() == [
        "/data/series_master.h5#1",
        "/data/run 1/img_00001.cbf",
        "/data/run 1/img_00002.cbf",
    ]
    assert frames["name"].tolist() == ["series_00001", "img_00001", "img_00002"]
    assert frames["outcome"].tolist() == ["integrated", "failed_triage", "failed_triage"]
    assert frames["reason"].isna().tolist() == [True, False, False]
    assert frames["reason"].cat.categories[0] == "… spots found; at least … are needed."
    assert frames["symmetry"].tolist()[0] == "tP P 43 21 2"
    assert frames["n_spots"].tolist() == [200, 3, 4]
    assert frames["a_A"][0] == 71.0
    assert np.isnan(frames["a_A"][1])
    assert str(frames["finished"][1]) == "2026-09-21 14:13:21+00:00"
    assert frames.index.tolist() == [0, 1, 2]


def test_lattices_are_a_table_that_knows_its_frames(folder):
    run = open_run(folder.path)
    lattices = run.lattices()
    assert lattices["a_A"].tolist() == [70.0, 71.0]
    assert lattices["row"].tolist() == [0, 0]
    assert lattices["symmetry"].tolist() == ["tP P 43 21 2"] * 2


def test_no_frames_are_a_table_too(tmp_path):
    run = open_run(made_run(tmp_path, []).path)
    assert len(run.frames()) == len(run.lattices()) == 0
    assert list(run.frames(names=False).columns) == [*COLUMNS, *OLD_NAMES]
    assert run.summary().n_finished == 0


def test_records_and_selections(folder):
    run = open_run(folder.path)
    assert run.record(2) == blank(2, n_spots=4)
    assert [r.name for r in run.records([1, 0])] == ["img_00001", "series_00001"]
    assert run.select(outcomes=["failed_triage"], sort="-n_spots") == [2, 1]
    assert run.select(text="series") == [0]
    assert run.summary().n_lattices == 2
    with pytest.raises(UsageError, match="no column"):
        run.select(sort="beauty")


def test_a_run_is_followed_until_it_is_over(tmp_path):
    folder = made_run(tmp_path, [hit(0)], status="running", n_frames=4)
    run, sizes = open_run(folder.path), []

    def go_on():
        write(folder, [blank(1), blank(2)])
        state = read_state(folder.state)
        write(folder, [blank(3)])
        state.status = "finished"
        state.write(folder.state)

    for new in run.follow(every_s=0.02):
        sizes.append(len(new))
        assert new.index[-1] == sum(sizes) - 1
        if len(sizes) == 1:
            worker = threading.Thread(target=go_on)
            worker.start()
    worker.join()
    assert sizes[0] == 1
    assert sum(sizes) == 4
    assert not run.is_at_work
    assert run.wait(1.0).status == "finished"


def test_a_run_that_is_replaced_while_it_is_followed_is_a_sentence(tmp_path):
    folder = made_run(tmp_path, [hit(0)], status="running")
    follow = open_run(folder.path).follow(every_s=0.01)
    next(follow)
    folder.ledger.unlink()
    with pytest.raises(RunFolderError, match="gone"):
        next(follow)
    follow = open_run(folder.path).follow(every_s=0.01)
    write(folder, [blank(1)])
    next(follow)
    folder.ledger.unlink()
    write(folder, [blank(2), blank(3)])
    with pytest.raises(RunFolderError, match="replaced"):
        next(follow)


def test_waiting_has_an_end(tmp_path):
    run = open_run(made_run(tmp_path, [hit(0)], status="running").path)
    with pytest.raises(TimeoutError, match="not over after"):
        run.wait(0.05)


def test_a_run_without_a_state_is_being_prepared(tmp_path):
    folder = RunFolder.create(tmp_path)
    folder.write_info([], {})
    run = open_run(folder.path)
    assert run.is_at_work
    assert "no state yet" in repr(run)


def test_a_script_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        start("/data", project=tmp_path, script=tmp_path / "none.param")


def test_neither_dials_nor_a_server_nor_pandas_is_imported():
    names = ("dials", "dxtbx", "nicegui", "fastapi", "pandas")
    code = f"import sys, iota.api; print([name for name in {names} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
