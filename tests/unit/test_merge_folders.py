"""What became of merges."""

import os
import subprocess
import sys

import pytest

from iota.errors import RunFolderError
from iota.runs import RunFolder
from iota.workers.merge_folders import end_merge, merge_folders, merge_state, new_merge_folder


@pytest.fixture
def run(tmp_path):
    (tmp_path / "001").mkdir()
    return RunFolder(tmp_path / "001")


def test_merges_are_numbered_and_say_what_became_of_them(run):
    first, second = new_merge_folder(run), new_merge_folder(run)
    assert [first.name, second.name] == ["001", "002"]
    assert merge_folders(run.path) == [second, first]
    assert merge_state(first).status == "merging"
    for folder in (first, second):
        for name in ("merged.mtz", "scaled.refl", "merge.json", "scale.log"):
            (folder / name).write_text("x")
    end_merge(first, "done")
    end_merge(second, "failed", "dials.scale failed.")
    assert (merge_state(first).status, merge_state(second).reason) == ("done", "dials.scale failed.")
    assert {path.name for path in first.iterdir()} >= {"merged.mtz", "scaled.refl"}
    assert {path.name for path in second.iterdir()} == {"scale.log", "state.json"}  # nothing that looks like a result


def test_a_merge_whose_process_was_killed_is_stopped(run):
    folder = new_merge_folder(run)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    path = folder / "state.json"
    path.write_text(path.read_text().replace(f'"process_id": {os.getpid()}', f'"process_id": {ended.pid}'))
    assert merge_state(folder).status == "stopped"


def test_merges_of_before_are_done_when_they_have_a_record(run):
    for name in ("001", "002"):
        (run.path / "merge" / name).mkdir(parents=True)
    (run.path / "merge" / "001" / "merge.json").write_text("{}")
    assert [merge_state(folder).status for folder in merge_folders(run.path)] == ["stopped", "done"]


def test_a_folder_that_cannot_be_made_is_a_sentence(run):
    (run.path / "merge").write_text("a file")
    with pytest.raises(RunFolderError, match="No folder can be made"):
        new_merge_folder(run)
