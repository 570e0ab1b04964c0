import os
import socket
import time

import msgspec
import pytest

from iota.errors import RunFolderError
from iota.records import FrameRef, FrameResult, Lattice
from iota.runs import FrameNames, Ledger, RunFolder, RunState, read_ledger, read_state
from iota.runs.lists import append_input_list, read_input_list, write_input_list, write_outcome_lists
from iota.runs.lock import RunLock


def _result(name="x", outcome="failed_triage", **words):
    return FrameResult(frame=FrameRef(f"/data/{name}.cbf"), name=name, outcome=outcome, **words)


def test_records_come_back_as_they_were_written(tmp_path):
    lattice = Lattice(
        bravais="tP",
        space_group="P 43 21 2",
        unit_cell=(79.1, 79.1, 38.2, 90, 90, 90),
        a_matrix=(0.01, 0, 0, 0, 0.01, 0, 0, 0, 0.02),
        n_indexed=50,
        files={"pickle": "final/int_x.pickle"},
    )
    first, second = _result("x"), _result("y", "integrated", lattices=[lattice, lattice], seconds={"import": 0.1})
    with Ledger(tmp_path / "frames.jsonl") as ledger:
        ledger.append(first)
        ledger.append(second)
    assert read_ledger(tmp_path / "frames.jsonl")[0] == [first, second]


def test_a_reader_goes_on_from_its_offset_and_leaves_half_lines(tmp_path):
    path = tmp_path / "frames.jsonl"
    assert read_ledger(path) == ([], 0)
    with Ledger(path) as ledger:
        ledger.append(_result("a"))
        _, offset = read_ledger(path)
        ledger.append(_result("b"))
        with path.open("ab") as file:
            file.write(b'{"frame":{"path"')
        new, end = read_ledger(path, offset)
        assert [r.name for r in new] == ["b"]
        assert read_ledger(path, end) == ([], end)


def test_a_torn_last_line_is_cut_off_before_writing_on(tmp_path):
    path = tmp_path / "frames.jsonl"
    with Ledger(path) as ledger:
        ledger.append(_result("a"))
    for torn in (b'{"frame":', b"x" * 200_000):
        with path.open("ab") as file:
            file.write(torn)
        with Ledger(path) as ledger:
            ledger.append(_result("b"))
    assert [r.name for r in read_ledger(path)[0]] == ["a", "b", "b"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_a_sentence(tmp_path):
    ledger = Ledger(tmp_path / "frames.jsonl")
    ledger.close()
    ledger._file = open("/dev/full", "ab", buffering=0)
    with pytest.raises(RunFolderError, match="cannot be written: No space left"):
        ledger.append(_result("a"))
    ledger.close()


def test_runs_are_numbered_up_and_strange_folders_are_passed_over(tmp_path):
    assert RunFolder.create(tmp_path).path.name == "001"
    (tmp_path / "integration" / "notes").mkdir()
    (tmp_path / "integration" / "007").mkdir()
    folder = RunFolder.create(tmp_path)
    assert (folder.number, folder.script.name) == (8, "iota_r8.param")
    assert (folder.path / "final").is_dir()


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "integration").write_text("a file in the way")
    with pytest.raises(RunFolderError, match="output=FOLDER"):
        RunFolder.create(tmp_path)


def test_only_a_run_folder_is_opened(tmp_path):
    with pytest.raises(RunFolderError, match="not a run folder"):
        RunFolder.open(tmp_path)


def frame_names(frames):
    names = FrameNames()
    names.add(frames)
    return [names[frame] for frame in frames]


def test_a_name_once_given_stays_when_more_frames_come():
    names = FrameNames({FrameRef("/z/img_9.cbf"): "img_9"})
    names.add([FrameRef("/a/img_1.cbf"), FrameRef("/z/img_9.cbf")])
    names.add([FrameRef("/b/img_1.cbf"), FrameRef("/a/img_9.cbf"), FrameRef("/b/img_2.cbf")])
    given = [
        names[FrameRef(path)]
        for path in ("/a/img_1.cbf", "/b/img_1.cbf", "/z/img_9.cbf", "/a/img_9.cbf", "/b/img_2.cbf")
    ]
    assert given == ["img_1", "b_img_1", "img_9", "a_img_9", "img_2"]


def test_names_are_stems_and_unique():
    frames = [
        FrameRef("/a/img_1.cbf.bz2"),
        FrameRef("/a/img_2.cbf"),
        FrameRef("/b/img_2.cbf"),
        FrameRef("/b/img_2.img"),
        FrameRef("/c/b/img_2.cbf"),
        FrameRef("/a/run_master.h5", 0),
        FrameRef("/a/run_master.h5", 11),
        FrameRef("/a/xtal.0001"),
    ]
    names = frame_names(frames)
    assert names[:3] == ["img_1", "a_img_2", "b_img_2"]
    assert names[5:] == ["run_master_00001", "run_master_00012", "xtal.0001"]
    assert len(set(names)) == len(frames)


def test_names_stay_unique_when_a_long_name_meets_a_short_one():
    frames = [FrameRef("/x/a_img.cbf"), FrameRef("/a/img.cbf"), FrameRef("/b/img.cbf")]
    assert len(set(frame_names(frames))) == 3


def test_lists_are_written_for_every_outcome_also_when_nothing_integrated(tmp_path):
    folder = RunFolder.create(tmp_path)
    frames = [FrameRef("/data/a.cbf"), FrameRef("/data/b.h5", 4), FrameRef("/data/c.cbf")]
    write_input_list(folder, frames)
    write_outcome_lists(folder, frames, {frames[0]: "failed_triage", frames[1]: "crashed"})
    read = {p.name: p.read_text().splitlines() for p in folder.path.glob("*.lst")}
    assert read["input.lst"] == ["/data/a.cbf", "/data/b.h5#5", "/data/c.cbf"]
    assert read["failed_triage.lst"] == ["/data/a.cbf"]
    assert read["not_integrated.lst"] == ["/data/a.cbf", "/data/b.h5#5"]
    assert read["integrated.lst"] == read["failed_indexing.lst"] == []


def test_the_state_is_replaced_whole(tmp_path):
    path = tmp_path / "state.json"
    RunState(status="running", n_frames=3).write(path)
    RunState(status="finished", n_frames=3, n_finished=3, counts={"integrated": 3}).write(path)
    state = read_state(path)
    assert (state.status, state.counts, state.process_id) == ("finished", {"integrated": 3}, os.getpid())
    assert list(tmp_path.iterdir()) == [path]


def test_a_run_is_locked_while_it_is_held_and_free_after(tmp_path):
    folder = RunFolder.create(tmp_path)
    with RunLock(folder), pytest.raises(RunFolderError, match=f"process {os.getpid()} on"):
        RunLock(folder).acquire()
    with RunLock(folder):
        pass


@pytest.mark.parametrize(
    ("age_s", "host", "is_free"), [(5, "elsewhere", False), (500, "elsewhere", True), (5, None, True)]
)
def test_where_locks_do_not_reach_the_heartbeat_tells(tmp_path, age_s, host, is_free):
    # another host's coordinator is alive while its heartbeat is fresh; on this host the lock alone decides
    folder = RunFolder.create(tmp_path)
    state = RunState(status="running", n_frames=3, process_id=1, host=host or socket.gethostname())
    state.write(folder.state)
    state.heartbeat = time.time() - age_s
    folder.state.write_bytes(msgspec.json.encode(state))
    if is_free:
        RunLock(folder).acquire()
    else:
        with pytest.raises(RunFolderError, match="process 1 on elsewhere"):
            RunLock(folder).acquire()


def test_input_list_without_frames_that_were_moved_and_without_half_a_line(tmp_path):
    folder = RunFolder.create(tmp_path)
    first, second, third, fourth = (FrameRef(f"/data/{name}.cbf") for name in "abcd")
    write_input_list(folder, [first, second])
    append_input_list(folder, [third], moved=[first])
    assert read_input_list(folder) == [second, third]
    append_input_list(folder, [first], moved=[second])
    with (folder.path / "input.lst").open("a") as file:
        file.write("/data/half")  # a disk was full
    append_input_list(folder, [fourth])
    assert read_input_list(folder) == [third, first, fourth]
