"""No room, or no permission, in the middle of a run."""

import os
import subprocess

import pytest
from commands import LYSOZYME, command
from essence import essence

from iota.runs import RunFolder, read_state


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


def test_a_folder_that_may_not_be_written_is_a_sentence(lysozyme, small_disk, tmp_path):
    assert _mount("-o", "remount,ro", small_disk).returncode == 0
    done = command("iota.run", lysozyme, f"output={small_disk}", "-n", 1, *LYSOZYME, cwd=tmp_path)
    assert done.returncode == 2
    assert "Read-only file system" in done.stderr
    assert "output=FOLDER" in done.stderr
