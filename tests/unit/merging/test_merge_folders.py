"""What became of merges."""

import socket
import subprocess
import sys
import time

import msgspec
import pytest

from iota.errors import BackendError, RunFolderError
from iota.merging.merge_folders import merge_folders, merge_state, new_merge_folder, remove_left_work
from iota.runs import RunFolder


@pytest.fixture
def run(tmp_path):
    (tmp_path / "001").mkdir()
    return RunFolder(tmp_path / "001")


def _names(folder):
    return {path.name for path in folder.rglob("*")}


def _write_results(merge):
    (merge.path / "scale.log").write_text("x")
    for name in ("merged.mtz", "scaled.refl", "merge.json"):
        (merge.work / name).write_text("x")


def test_merges_are_numbered_and_their_results_appear_when_they_are_done(run):
    with new_merge_folder(run) as first, new_merge_folder(run) as second:
        assert [first.path.name, second.path.name] == ["001", "002"]
        assert merge_folders(run.path) == [second.path, first.path]
        assert merge_state(first.path).status == "merging"
        _write_results(first)
        assert {path.name for path in first.path.glob("[!.]*")} == {"scale.log", "state.json"}
    assert merge_state(first.path).status == "done"
    assert _names(first.path) == {"merged.mtz", "scaled.refl", "merge.json", "scale.log", "state.json"}


@pytest.mark.parametrize(
    ("error", "becomes", "status", "reason"),
    [
        (BackendError("dials.scale failed."), BackendError, "failed", "dials.scale failed."),
        (OSError(28, "No space left on device"), RunFolderError, "failed", "No space left on device. Nothing was merg"),
        (KeyboardInterrupt(), KeyboardInterrupt, "stopped", ""),
    ],
)
def test_a_merge_that_is_not_done_keeps_its_logs_and_nothing_that_looks_like_a_result(
    error, becomes, status, reason, run
):
    with pytest.raises(becomes), new_merge_folder(run) as merge:
        _write_results(merge)
        raise error
    state = merge_state(merge.path)
    assert (state.status, reason in state.reason) == (status, True)
    assert _names(merge.path) == {"scale.log", "state.json"}


_KILLED = """
import os, signal, sys
from pathlib import Path
from iota.runs import RunFolder
from iota.merging.merge_folders import new_merge_folder
with new_merge_folder(RunFolder(Path(sys.argv[1]))) as merge:
    (merge.work / "merged.mtz").write_text("x")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_merge_whose_process_was_killed_says_so_and_the_next_one_removes_its_files(run):
    subprocess.run([sys.executable, "-c", _KILLED, run.path], check=False)
    folder = run.path / "merge" / "001"
    state = merge_state(folder)
    assert (state.status, "was killed" in state.reason) == ("interrupted", True)
    assert not (folder / "merged.mtz").exists()
    assert list(folder.rglob("merged.mtz"))
    remove_left_work(run.path)
    assert _names(folder) == {"state.json"}


def test_a_merge_on_another_host_goes_on_as_long_as_its_heart_beats(run):
    with new_merge_folder(run) as merge:
        path = merge.path / "state.json"
        state = merge_state(merge.path)
        state.host = f"not-{socket.gethostname()}"
        for silent_s, status in ((5, "merging"), (120, "interrupted")):
            state.heartbeat = time.time() - silent_s
            path.write_bytes(msgspec.json.encode(state))
            assert merge_state(merge.path).status == status


def test_a_merge_that_could_only_not_say_that_it_is_done_is_done(run):
    with new_merge_folder(run) as merge:
        _write_results(merge)
    path = merge.path / "state.json"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    state = merge_state(merge.path)
    state.status, state.process_id = "merging", ended.pid
    path.write_bytes(msgspec.json.encode(state))
    assert merge_state(merge.path).status == "done"


def test_merges_of_before_are_done_when_they_have_a_record(run):
    for name in ("001", "002"):
        (run.path / "merge" / name).mkdir(parents=True)
    (run.path / "merge" / "001" / "merge.json").write_text("{}")
    assert [merge_state(folder).status for folder in merge_folders(run.path)] == ["stopped", "done"]


def test_a_folder_that_cannot_be_made_is_a_sentence(run):
    (run.path / "merge").write_text("a file")
    with pytest.raises(RunFolderError, match="No folder can be created"), new_merge_folder(run):
        pass
