"""Where images lie, against what HDF5 itself reads; sizes that no honest file has."""

from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iota.engine.images.hdf5.stored_image import read_image
from iota.inputs import find_frames
from iota.inputs.hdf5.image_map import MAX_IMAGES, ImageMap, Segment, read_map

ROWS = 6  # of each source


def write_source(path: Path, shape: tuple[int, ...], start: int) -> None:
    with h5py.File(path, "w") as file:
        file["data"] = np.arange(start, start + np.prod(shape), dtype="i4").reshape(shape)


def master(path: Path) -> h5py.File:
    file = h5py.File(path, "w")
    file.create_group("entry/instrument").attrs["NX_class"] = "NXinstrument"
    file.create_group("entry/data").attrs["NX_class"] = "NXdata"
    return file


def check(path: Path) -> ImageMap:
    """Every image that the map calls readable is what HDF5 reads."""
    found = read_map(str(path))
    with h5py.File(path) as file:
        data = file["entry/data/data"]
        assert found.n_images == data.shape[0]
        for k in range(found.n_images):
            if not found.why(k):
                assert (read_image(found, k) == data[k]).all(), k
    assert found.readable().tolist() == [not found.why(k) for k in range(found.n_images)]
    return found


selections = st.tuples(st.integers(0, 2), st.integers(1, 3), st.integers(1, 4))  # first, step, number


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), selections, selections), min_size=1, max_size=4),
    st.sampled_from(["whole", "halves", "module", "nested"]),
)
def test_images_of_a_virtual_dataset_are_what_hdf5_reads(parts, kind):
    with TemporaryDirectory() as folder:
        home = Path(folder)
        source = (ROWS * 3, 4, 3)
        for k in range(3):
            write_source(home / f"s{k}.h5", source, 1000 * k + 1)
        if kind == "nested":  # what is shown shows another virtual dataset
            inner = h5py.VirtualLayout(source, "i4")
            inner[::2] = h5py.VirtualSource("s1.h5", "data", shape=source)[: ROWS * 3 // 2]
            with h5py.File(home / "inner.h5", "w") as file:
                file.create_virtual_dataset("data", inner, fillvalue=0)
        shape = {"whole": (4, 3), "nested": (4, 3), "halves": (8, 3), "module": (3, 4, 3)}[kind]
        layout = h5py.VirtualLayout((30, *shape), "i4")
        for which, (first, step, count), (row, row_step, _) in parts:
            name = "inner.h5" if kind == "nested" else f"s{which}.h5"
            rows = slice(row, row + row_step * count, row_step)
            taken = h5py.VirtualSource(name, "data", shape=source)[rows]
            images = slice(first, first + step * count, step)
            if kind == "halves":
                half = 4 * (which % 2)
                layout[images, half : half + 4] = taken
            elif kind == "module":
                layout[images, which] = taken
            else:
                layout[images] = taken
        path = home / "x.nxs"
        with master(path) as file:
            file["entry/data"].create_virtual_dataset("data", layout, fillvalue=0)
        if not overlap(parts, kind):
            check(path)


def overlap(parts, kind):
    """Whether two sources are shown in the same place: HDF5 does not say which is read then."""
    seen = set()
    for which, (first, step, count), _ in parts:
        where = {"whole": 0, "nested": 0, "halves": which % 2, "module": which}[kind]
        for k in range(count):
            if (place := (first + step * k, where)) in seen:
                return True
            seen.add(place)
    return False


def test_blocks_and_single_images_behind_a_virtual_dataset(tmp_path):
    for k in range(3):
        write_source(tmp_path / f"one_{k}.h5", (6, 3), 100 * k)  # an image without an axis for it
    write_source(tmp_path / "many.h5", (20, 5, 3), 1)
    layout = h5py.VirtualLayout((13, 4, 3), "i4")
    for k in range(3):
        layout[k] = h5py.VirtualSource(f"one_{k}.h5", "data", shape=(6, 3))[k // 2 : k // 2 + 4]
    layout[3:13] = h5py.VirtualSource("many.h5", "data", shape=(20, 5, 3))[10:, :4]  # a part of each image
    with master(tmp_path / "x.nxs") as file:
        file["entry/data"].create_virtual_dataset("data", layout)
    found = check(tmp_path / "x.nxs")
    assert found.readable().all()
    (tmp_path / "one_1.h5").unlink()
    assert [k for k in range(13) if check(tmp_path / "x.nxs").why(k)] == [1]


def test_a_piece_of_a_piece_is_left_to_hdf5(tmp_path):
    write_source(tmp_path / "s.h5", (6, 4, 3), 1)
    inner = h5py.VirtualLayout((6, 6, 3), "i4")
    inner[:, 1:5] = h5py.VirtualSource("s.h5", "data", shape=(6, 4, 3))
    with h5py.File(tmp_path / "inner.h5", "w") as file:
        file.create_virtual_dataset("data", inner)
    layout = h5py.VirtualLayout((6, 3, 3), "i4")
    layout[...] = h5py.VirtualSource("inner.h5", "data", shape=(6, 6, 3))[:, 2:5]
    with master(tmp_path / "x.nxs") as file:
        file["entry/data"].create_virtual_dataset("data", layout)
    assert check(tmp_path / "x.nxs").readable().all()


def test_images_that_no_file_holds_say_so(tmp_path):
    write_source(tmp_path / "s.h5", (4, 4, 3), 1)
    layout = h5py.VirtualLayout((6, 4, 3), "i4")
    layout[0:2] = h5py.VirtualSource("s.h5", "data", shape=(4, 4, 3))[2:]
    with master(tmp_path / "x.nxs") as file:
        file["entry/data"].create_virtual_dataset("data", layout)
    assert [str(check(tmp_path / "x.nxs").why(k)) for k in (1, 2, 6)] == [
        "None",
        "No data file contains this image.",
        "The file contains only 6 images.",
    ]


def test_sizes_that_no_file_has_cost_nothing(tmp_path):
    with master(tmp_path / "a.nxs") as file:
        file["entry/data"].create_dataset("data", (10**9, 4, 3), "u2", chunks=(1, 4, 3))
    layout = h5py.VirtualLayout((10**9, 4, 3), "u2")
    layout[...] = h5py.VirtualSource("s.h5", "data", shape=(10**9, 4, 3))
    with master(tmp_path / "b.nxs") as file:
        file["entry/data"].create_virtual_dataset("data", layout)
    inputs = find_frames([tmp_path])
    assert inputs.frames == []
    (problem,) = inputs.problems  # alike, so said once for the folder
    assert "2 files, such as a.nxs: it claims to hold 1,000,000,000 images; " in problem.text
    assert f"the limit is {MAX_IMAGES:,}" in problem.text


def test_a_thousand_files_are_opened_once_each(tmp_path, monkeypatch):
    write_source(tmp_path / "x_data_000001.h5", (2, 4, 3), 1)
    with master(tmp_path / "x_master.h5") as file:
        for k in range(1, 1001):
            file[f"entry/data/data_{k:06d}"] = h5py.ExternalLink(f"x_data_{k:06d}.h5", "/data")
            if k > 1:
                (tmp_path / f"x_data_{k:06d}.h5").hardlink_to(tmp_path / "x_data_000001.h5")
    opened = []
    file_class = h5py.File
    monkeypatch.setattr(h5py, "File", lambda name, *a, **k: opened.append(name) or file_class(name, *a, **k))
    found = read_map(str(tmp_path / "x_master.h5"))
    assert found.n_images == 2000
    assert len(opened) == 1001
    opened.clear()
    assert {int(read_image(found, k)[0, 0]) for k in range(2000)} == {1, 13}
    assert len(opened) == 2000, "one a frame"


def test_places_are_found_among_many(tmp_path):
    segments = [Segment(3 * k, 3, file="a", dataset="b", row=3 * k) for k in range(50_000)]
    found = ImageMap(n_images=150_000, segments=tuple(segments))
    assert [found.at(k)[0].row_of(k) for k in range(0, 150_000, 7)] == list(range(0, 150_000, 7))


@pytest.mark.parametrize("size", [(7, 3, 3), (3, 3, 7), (2, 9, 9)])
def test_a_missing_file_is_as_long_as_the_others(tmp_path, size):
    """The last may be shorter; what the files that are there hold goes before what a master promises."""
    with master(tmp_path / "x_master.h5") as file:
        for k, n in enumerate(size, start=1):
            file[f"entry/data/data_{k:06d}"] = h5py.ExternalLink(f"x_data_{k:06d}.h5", "/data")
            if k != 2:
                write_source(tmp_path / f"x_data_{k:06d}.h5", (n, 4, 3), 1)
    found = read_map(str(tmp_path / "x_master.h5"))
    assert found.n_images == size[0] + max(size[0], size[2]) + size[2]
    assert not found.is_certain
