"""No room, or no permission, in the middle of a run."""

import contextlib
import os
import subprocess

import pytest
from commands import LYSOZYME, command
from essence import essence
from made_runs import blank, made_run

from iota.errors import RunFolderError
from iota.records import FrameRef
from iota.runs import RunFolder, read_state
from iota.runs.control import read_order
from iota.runs.lists import read_list, write_named_list
from iota.web.projects.projects import read_note, write_note


def _mount(*words):
    return subprocess.run(["mount", *map(str, words)], capture_output=True, text=True, check=False)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB, room for some frames but not for all."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = _mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", disk) if os.getuid() == 0 else None
    if done is None or done.returncode:
        pytest.skip("a small file system cannot be mounted here: " + ("not root" if done is None else done.stderr))
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def fill_up(disk):
    with contextlib.suppress(OSError), (disk / "rest").open("wb", buffering=0) as rest:
        while True:
            rest.write(bytes(4096))


@pytest.mark.slow
def test_a_full_disk_stops_the_run_with_a_sentence_and_costs_no_frame(lysozyme, small_disk, tmp_path):
    done = command("iota.run", lysozyme, f"output={small_disk}", "-n", 2, *LYSOZYME, cwd=tmp_path)
    assert done.returncode == 2
    assert "No space left" in done.stderr
    assert "iota.run --resume" in done.stderr
    assert "Traceback" not in done.stderr
    folder = RunFolder.open(small_disk / "integration" / "001")
    before = essence(folder)
    assert len(before) < 12
    assert not [name for name, (_, reason, *_) in before.items() if "space" in reason]
    assert _mount("-o", "remount,size=60m", small_disk).returncode == 0
    again = command("iota.run", "--resume", folder.path, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    after = essence(folder)
    assert len(after) == 12
    assert before.items() <= after.items()
    assert [outcome for outcome, *_ in after.values()].count("integrated") > 4
    assert read_state(folder.state).status == "finished"
    assert _mount("-o", "remount,ro", small_disk).returncode == 0
    refused = command("iota.run", "--resume", folder.path, cwd=tmp_path)
    assert refused.returncode == 2
    assert "Read-only file system" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert essence(folder) == after


def test_orders_and_notes_on_a_full_disk_are_refused_and_the_old_ones_kept(small_disk):
    folder = made_run(small_disk, [blank(1)], status="running", process_id=os.getpid())
    write_note(folder, "good crystals")
    write_named_list(folder.path, "chosen", [FrameRef("/a.cbf")])
    fill_up(small_disk)
    done = command("iota.run", "--stop", folder.path, cwd=small_disk.parent)
    assert done.returncode == 2
    assert "Run 1 was not told to stop" in done.stderr
    assert "No space left on device" in done.stderr
    assert f"kill {os.getpid()}" in done.stderr
    assert read_order(folder) is None
    with pytest.raises(RunFolderError, match="The note on run 1 was not saved: No space left on device"):
        write_note(folder, "better crystals " * 100)
    assert read_note(folder) == "good crystals"
    with pytest.raises(RunFolderError, match="cannot be written: No space left on device"):
        write_named_list(folder.path, "chosen", [FrameRef(f"/{k}.cbf") for k in range(1000)])
    assert read_list(folder.path / "chosen.lst") == [FrameRef("/a.cbf")]
    assert not list(small_disk.rglob(".unfinished_*"))


def test_a_folder_that_may_not_be_written_is_a_sentence(lysozyme, small_disk, tmp_path):
    assert _mount("-o", "remount,ro", small_disk).returncode == 0
    done = command("iota.run", lysozyme, f"output={small_disk}", "-n", 1, *LYSOZYME, cwd=tmp_path)
    assert done.returncode == 2
    assert "Read-only file system" in done.stderr
    assert "output=FOLDER" in done.stderr
