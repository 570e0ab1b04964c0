"""Watched folders, looked at with a clock of the test's own."""

import os
import time

import pytest

from iota.inputs.watching.folders import Folders
from iota.inputs.watching.seen import Seen


@pytest.fixture
def folders():
    return Folders(Seen(()))


def _new_names(folders, now):
    found = folders.poll(now, time.perf_counter() + 60)
    return [arrival.name for arrivals in found for arrival in arrivals]


@pytest.mark.parametrize("n_folders", [1, 40])
def test_a_file_is_found_at_once_after_its_folder_was_at_rest(folders, tmp_path, n_folders):
    """A pause of the experiment: longer than folders count as active, and than the slow round over all of them."""
    for k in range(n_folders):
        (tmp_path / f"chip_{k}").mkdir()
        folders.add(str(tmp_path / f"chip_{k}"))
    assert _new_names(folders, 0.0) == []
    for now in (100.0, 100.5, 101.0):  # at rest, and listed by the slow round
        assert _new_names(folders, now) == []
    (tmp_path / f"chip_{n_folders - 1}" / "img_00001.cbf").write_bytes(b"###CBF")
    assert _new_names(folders, 101.5) == ["img_00001.cbf"]
    (tmp_path / f"chip_{n_folders - 1}" / "img_00002.cbf").write_bytes(b"###CBF")
    os.utime(tmp_path / f"chip_{n_folders - 1}")
    assert _new_names(folders, 102.0) == ["img_00002.cbf"]
