"""Folders as the file browser lists them."""

import os

import pytest

from iota.processes.protocol import OverLimitError
from iota.web.searches import folder_listing
from iota.web.searches.folder_listing import ListFolder, list_folder


def names(folder, pattern="", **more):
    return [entry.name for entry in list_folder(ListFolder(str(folder), pattern, **more)).entries]


@pytest.fixture
def folder(tmp_path):
    for name in ("b.cbf", "A.cbf", ".hidden", "c_12.h5"):
        (tmp_path / name).write_bytes(b"123")
    for name in ("sub", ".git"):
        (tmp_path / name).mkdir()
    os.symlink("nowhere", tmp_path / "broken")
    return tmp_path


def test_folders_come_first_and_what_cannot_be_looked_at_is_left_out(folder):
    assert names(folder) == ["sub", ".git", "A.cbf", "b.cbf", "c_12.h5", ".hidden"]
    assert names(folder, files=False) == ["sub", ".git"]
    assert (names(folder, "CBF"), names(folder, "*_1?.h5"), names(folder, "[")) == (["A.cbf", "b.cbf"], ["c_12.h5"], [])
    entry = list_folder(ListFolder(str(folder), "A.cbf")).entries[0]
    assert (entry.path, entry.is_folder, entry.size) == (str(folder / "A.cbf"), False, 3)


def test_of_many_names_only_those_that_are_shown_are_looked_at(folder, monkeypatch):
    monkeypatch.setattr(folder_listing, "MAX_ENTRIES", 3)
    looked_at = []
    entry = folder_listing._entry
    monkeypatch.setattr(folder_listing, "_entry", lambda item: looked_at.append(item.name) or entry(item))
    listing = list_folder(ListFolder(str(folder)))
    assert [entry.name for entry in listing.entries] == looked_at == ["sub", ".git", "A.cbf"]
    assert listing.n_left_out == 4
    with pytest.raises(OverLimitError, match="6 names"):
        list_folder(ListFolder(str(folder), max_names=6))


def test_a_folder_that_cannot_be_listed_is_a_sentence(folder):
    assert "cannot be listed: No such file" in list_folder(ListFolder(str(folder / "none"))).problem
    assert "cannot be listed: Not a directory" in list_folder(ListFolder(str(folder / "b.cbf"))).problem
