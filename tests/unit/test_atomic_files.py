"""Files appear when they are complete, and not before."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest

from iota.atomic_files import UNFINISHED, atomic_file, remove_unfinished, write_atomically
from iota.errors import RunFolderError
from iota.runs.folder import replace_text


def test_a_file_has_its_name_when_it_is_complete_and_the_old_one_stays_until_then(tmp_path):
    path = tmp_path / "scaled.refl"
    path.write_text("old")
    with atomic_file(path) as part:
        part.write_text("new, half")
        assert (part.parent, part.suffix, part.name[0]) == (tmp_path, ".refl", ".")
        assert path.read_text() == "old"
        part.write_text("new")
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["scaled.refl"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_what_cannot_be_written_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "report.html"
    write_atomically(path, "old")
    with pytest.raises(type(error)), atomic_file(path) as part:
        part.write_text("ne")
        raise error
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.html"]


def test_a_process_that_is_killed_leaves_the_old_file(tmp_path):
    path = tmp_path / "merged.mtz"
    write_atomically(path, "old")
    words = (
        "import os, sys; from pathlib import Path; from iota.atomic_files import atomic_file\n"
        "with atomic_file(Path(sys.argv[1])) as part:\n"
        f"    part.write_text('ne'); os.kill(os.getpid(), {int(signal.SIGKILL)})"
    )
    assert subprocess.run([sys.executable, "-c", words, path], check=False).returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    (left,) = tmp_path.glob(f"{UNFINISHED}*")
    remove_unfinished(tmp_path)
    assert left.exists()  # somebody may be at it
    os.utime(left, (time.time() - 90_000,) * 2)
    remove_unfinished(tmp_path)
    assert os.listdir(tmp_path) == ["merged.mtz"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "report.html"
    link.symlink_to("elsewhere/lysozyme.html")
    write_atomically(link, "page")
    assert link.is_symlink()
    assert (tmp_path / "elsewhere" / "lysozyme.html").read_text() == "page"


def test_files_may_be_read_by_those_whom_the_user_lets(tmp_path):
    old = os.umask(0o027)
    try:
        write_atomically(tmp_path / "a", "x")
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    with pytest.raises(RunFolderError, match=r"state\.json cannot be written: Not a directory"):
        (tmp_path / "a").write_text("")
        replace_text(tmp_path / "a" / "state.json", "{}")
