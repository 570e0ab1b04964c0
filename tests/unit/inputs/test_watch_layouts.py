"""Monitor mode: layouts of several files that come one by one, in any order."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from iota.inputs import Watcher
from iota.records import FrameRef

SHAPE = (4, 8, 8)  # of what is in one file


class Clock:
    """A watcher of a folder, asked at times of our own; files are taken at once as they are complete."""

    def __init__(self, folder: Path) -> None:
        self.watcher = Watcher([folder], settle_s=0.0, rest_s=100.0)
        self.now = 0.0

    def new(self) -> list[int | None]:
        """Numbers of the images that are new."""
        frames = []
        for _ in range(3):
            self.now += 1.0
            frames += self.watcher.poll(self.now)
        return [frame.index for frame in frames]


def describe(path: Path, promised: int = 0) -> h5py.File:
    file = h5py.File(path, "w", libver="latest")
    file.create_group("entry/instrument").attrs["NX_class"] = "NXinstrument"
    file.create_group("entry/data").attrs["NX_class"] = "NXdata"
    if promised:
        specific = file.create_group("entry/instrument/detector/detectorSpecific")
        specific["nimages"], specific["ntrigger"] = promised, 1
    return file


def write(path: Path, n: int = 4, first: int = 0, shape: tuple[int, ...] = SHAPE[1:]) -> None:
    with h5py.File(path, "w", libver="latest") as file:
        data = file.create_dataset("entry/data/data", data=np.ones((n, *shape), "u2"), chunks=(1, *shape))
        if first:
            data.attrs["image_nr_low"], data.attrs["image_nr_high"] = first, first + n - 1


def link(file: h5py.File, n_files: int) -> None:
    for k in range(1, n_files + 1):
        file[f"entry/data/data_{k:06d}"] = h5py.ExternalLink(f"x_data_{k:06d}.h5", "/entry/data/data")


@pytest.mark.parametrize("how", ["numbered", "promised", "neither"])
def test_a_file_that_comes_late_brings_its_own_images(tmp_path, how):
    with describe(tmp_path / "x_master.h5", promised=14 if how == "promised" else 0) as file:
        link(file, 4)
    clock = Clock(tmp_path)
    assert clock.new() == []
    write(tmp_path / "x_data_000003.h5", first=9 if how == "numbered" else 0)
    is_certain = how != "neither"
    assert clock.new() == ([8, 9, 10, 11] if is_certain else []), "the first file may be of any length"
    write(tmp_path / "x_data_000001.h5", first=1 if how == "numbered" else 0)
    assert clock.new() == [0, 1, 2, 3]
    write(tmp_path / "x_data_000002.h5", first=5 if how == "numbered" else 0)
    assert clock.new() == ([4, 5, 6, 7] if is_certain else [4, 5, 6, 7, 8, 9, 10, 11])
    write(tmp_path / "x_data_000004.h5", n=2)
    assert clock.new() == [12, 13]
    assert clock.watcher.end() == []


def test_what_never_came_has_its_line_in_the_end(tmp_path):
    with describe(tmp_path / "x_master.h5", promised=11) as file:
        link(file, 3)
    write(tmp_path / "x_data_000001.h5")
    write(tmp_path / "x_data_000002.h5", n=3)  # shorter than it should be
    clock = Clock(tmp_path)
    assert clock.new() == [0, 1, 2, 3, 4, 5, 6]
    ended = clock.watcher.end()
    assert ended == [FrameRef(str(tmp_path / "x_master.h5"), k) for k in (7, 8, 9, 10)]


@pytest.mark.parametrize("source", ["named", "linked"])
@pytest.mark.parametrize("shape", [(8, 8), (2, 8, 8)], ids=["one panel", "two thresholds or modules"])
def test_virtual_datasets_over_files_that_come(tmp_path, source, shape):
    """With sources that are named, and as Diamond has them: links in the same file."""
    layout = h5py.VirtualLayout((8, *shape), "u2")
    with describe(tmp_path / "x.nxs") as file:
        for k in (1, 2):
            where = (f"x_{k:06d}.h5", "entry/data/data") if source == "named" else (".", f"/entry/data/data_{k:06d}")
            layout[4 * (k - 1) : 4 * k] = h5py.VirtualSource(*where, shape=(4, *shape))
            if source == "linked":
                file[f"entry/data/data_{k:06d}"] = h5py.ExternalLink(f"x_{k:06d}.h5", "/entry/data/data")
        file["entry/data"].create_virtual_dataset("data", layout)
    clock = Clock(tmp_path)
    assert clock.new() == []
    write(tmp_path / "x_000002.h5", n=3, shape=shape)
    assert clock.new() == [4, 5, 6]
    write(tmp_path / "x_000001.h5", shape=shape)
    assert clock.new() == [0, 1, 2, 3]
    write(tmp_path / "x_000002.h5", n=4, shape=shape)
    assert clock.new() == [7]


def test_masters_over_the_same_files_that_come(tmp_path):
    """One over all, found first, and one over a part."""
    for name, first, end in (("all.nxs", 0, 4), ("part.nxs", 2, 4)):
        layout = h5py.VirtualLayout((end - first, 8, 8), "u2")
        layout[...] = h5py.VirtualSource("x_000001.h5", "entry/data/data", shape=SHAPE)[first:end]
        with describe(tmp_path / name) as file:
            file["entry/data"].create_virtual_dataset("data", layout)
    clock = Clock(tmp_path)
    assert clock.new() == []
    write(tmp_path / "x_000001.h5")
    assert clock.new() == [0, 1, 2, 3]
    assert [str(problem) for problem in clock.watcher.problems] == [
        f"{tmp_path / 'part.nxs'}: its images are also in {tmp_path / 'all.nxs'}, and are processed only once."
    ]
    assert clock.watcher.end() == []
