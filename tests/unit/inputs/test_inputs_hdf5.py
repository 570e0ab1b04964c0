"""HDF5 and NeXus masters: each image a frame, data files none."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from iota.inputs import find_frames
from iota.records import FrameRef

PIXELS = (4, 5)


def write_data(path: Path, n: int, name: str = "entry/data/data") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file[name] = np.zeros((n, *PIXELS), np.uint16)
    return path


def describe(file: h5py.File, n_images: int = 0) -> h5py.Group:
    """Add the groups that make a file a master."""
    entry = file.create_group("entry")
    entry.attrs["NX_class"] = "NXentry"
    instrument = entry.create_group("instrument")
    instrument.attrs["NX_class"] = "NXinstrument"
    specific = instrument.create_group("detector/detectorSpecific")
    specific["nimages"] = n_images
    specific["ntrigger"] = 1
    data = entry.create_group("data")
    data.attrs["NX_class"] = "NXdata"
    return data


def write_eiger(folder: Path, stem: str, per_file: list[int]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / f"{stem}_master.h5", "w") as file:
        data = describe(file, sum(per_file))
        for i, n in enumerate(per_file, start=1):
            name = f"data_{i:06d}"
            data[name] = h5py.ExternalLink(f"{stem}_{name}.h5", "/entry/data/data")
            write_data(folder / f"{stem}_{name}.h5", n)
    return folder / f"{stem}_master.h5"


def write_virtual(path: Path, sources: list[tuple[Path, str, int]]) -> Path:
    layout = h5py.VirtualLayout(shape=(sum(n for _, _, n in sources), *PIXELS), dtype=np.uint16)
    first = 0
    for source, name, n in sources:
        layout[first : first + n] = h5py.VirtualSource(source.name, name, shape=(n, *PIXELS))
        first += n
    with h5py.File(path, "w") as file:
        describe(file).create_virtual_dataset("data", layout)
    return path


def frames_of(path: Path, n: int) -> list[FrameRef]:
    return [FrameRef(str(path), i) for i in range(n)]


@pytest.mark.parametrize("shape", [(7, *PIXELS), (7, 2, *PIXELS)], ids=["one panel", "two panels"])
@pytest.mark.parametrize("end", ["h5", "nxs", "hdf5", "nexus"])
def test_nxmx_with_data_inside(tmp_path, shape, end):
    path = tmp_path / f"run.{end}"
    with h5py.File(path, "w") as file:
        describe(file)["data"] = np.zeros(shape, np.uint16)
    inputs = find_frames([path])
    assert inputs.frames == frames_of(path, 7)
    assert inputs.sources[0].kind == "master"
    assert find_frames([tmp_path]).frames == inputs.frames


def test_a_single_image_is_counted_too(tmp_path):
    path = tmp_path / "one.h5"
    with h5py.File(path, "w") as file:
        describe(file)["data"] = np.zeros(PIXELS, np.uint16)
    assert find_frames([path]).frames == frames_of(path, 1)


def test_data_group_is_found_by_its_class_and_signal(tmp_path):
    path = tmp_path / "odd.nxs"
    with h5py.File(path, "w") as file:
        describe(file)
        group = file.create_group("entry/images")
        group.attrs["NX_class"] = "NXdata"
        group.attrs["signal"] = "counts"
        group["counts"] = np.zeros((3, *PIXELS), np.uint16)
    assert find_frames([path]).frames == frames_of(path, 3)


def test_data_files_of_a_master_are_no_images(tmp_path):
    second = write_eiger(tmp_path, "x_10", [2, 1])
    first = write_eiger(tmp_path, "x_9", [3])
    inputs = find_frames([tmp_path])
    assert inputs.frames == frames_of(first, 3) + frames_of(second, 3)
    assert inputs.problems == []
    as_the_shell_does = sorted(tmp_path.glob("*.h5"))
    assert sorted(find_frames(as_the_shell_does).frames) == sorted(inputs.frames)
    assert find_frames(as_the_shell_does).problems == []


def test_data_files_of_other_names_are_known_by_the_links(tmp_path):
    files = [write_data(tmp_path / f"x_{i:06d}.h5", n, "data") for i, n in ((1, 4), (2, 2))]
    inner = write_virtual(tmp_path / "x_vds.h5", [(files[0], "data", 4), (files[1], "data", 2)])
    path = tmp_path / "x.nxs"
    with h5py.File(path, "w") as file:
        describe(file)["data"] = h5py.ExternalLink(inner.name, "entry/data/data")
    inputs = find_frames([tmp_path])
    assert inputs.frames == frames_of(path, 6)
    assert inputs.problems == []


def test_two_masters_of_the_same_images_count_once(tmp_path):
    data = write_data(tmp_path / "pixels.h5", 4, "data")
    first = write_virtual(tmp_path / "a.nxs", [(data, "data", 4)])
    write_virtual(tmp_path / "b.nxs", [(data, "data", 4)])
    inputs = find_frames([tmp_path])
    assert inputs.frames == frames_of(first, 4)
    assert [(p.path, str(first) in p.text) for p in inputs.problems] == [(str(tmp_path / "b.nxs"), True)]


def test_two_masters_of_different_parts_are_both_taken(tmp_path):
    data = write_data(tmp_path / "pixels.h5", 4, "data")
    for name, part in (("a.nxs", slice(0, 2)), ("b.nxs", slice(2, 4))):
        layout = h5py.VirtualLayout(shape=(2, *PIXELS), dtype=np.uint16)
        layout[:] = h5py.VirtualSource(data.name, "data", shape=(4, *PIXELS))[part]
        with h5py.File(tmp_path / name, "w") as file:
            describe(file).create_virtual_dataset("data", layout)
    assert find_frames([tmp_path]).frames == frames_of(tmp_path / "a.nxs", 2) + frames_of(tmp_path / "b.nxs", 2)


def test_data_file_alone_is_named(tmp_path):
    master = write_eiger(tmp_path, "x", [2])
    only = tmp_path / "x_data_000001.h5"
    given_alone = find_frames([only])
    assert given_alone.frames == []
    assert str(master) in given_alone.problems[0].text
    master.unlink()
    for source in (only, tmp_path):
        inputs = find_frames([source])
        assert inputs.frames == []
        assert "x_master.h5" in inputs.problems[0].text


def test_missing_data_files_are_named_and_each_image_has_its_line(tmp_path):
    master = write_eiger(tmp_path, "x", [2, 2])
    (tmp_path / "x_data_000002.h5").unlink()
    inputs = find_frames([master])
    assert inputs.frames == frames_of(master, 4)
    assert "x_data_000002.h5" in inputs.problems[0].text
    (tmp_path / "x_data_000001.h5").unlink()
    assert find_frames([master]).frames == frames_of(master, 4), "each image that was meant has its line"


def test_not_hdf5_and_no_images(tmp_path):
    broken = tmp_path / "a.h5"
    broken.write_bytes(b"\x89HDF\r\n\x1a\n cut off")
    for name in ("b.h5", "c_meta.h5"):  # the latter is what Diamond writes beside a master
        with h5py.File(tmp_path / name, "w") as file:
            file["timestamps"] = np.arange(5)
    inputs = find_frames([tmp_path])
    assert inputs.frames == [FrameRef(str(broken))]
    assert [p.path for p in inputs.problems] == [str(tmp_path / "b.h5")]
    assert "c_meta.h5: it is an HDF5 file without images" in find_frames([tmp_path / "c_meta.h5"]).problems[0].text


def test_sacla_shots(tmp_path):
    path = tmp_path / "run1.h5"
    with h5py.File(path, "w") as file:
        file["metadata/detector"] = b"Rayonix MX300HS"
        for tag in (11, 13, 17):
            file[f"tag-{tag}/data"] = np.zeros(PIXELS, np.uint16)
    assert find_frames([path]).frames == frames_of(path, 3)


def test_numbered_images_and_the_whole_do_not_repeat(tmp_path):
    path = write_eiger(tmp_path, "x", [3])
    alone = find_frames([f"{path}#3"])
    assert alone.frames == [FrameRef(str(path), 2)]
    assert alone.problems == []
    assert find_frames([f"{path}#3", path]).frames == [FrameRef(str(path), i) for i in (2, 0, 1)]
    assert find_frames([path, f"{path}#3"]).frames == frames_of(path, 3)


def test_hdf5_of_another_name_is_known_by_content(tmp_path):
    path = tmp_path / "frames.dat"
    with h5py.File(path, "w") as file:
        describe(file)["data"] = np.zeros((2, *PIXELS), np.uint16)
    assert find_frames([path]).frames == frames_of(path, 2)


def test_a_million_frames_of_one_master_share_its_path(tmp_path):
    path = tmp_path / "long.h5"
    with h5py.File(path, "w") as file:
        describe(file).create_dataset("data", (1_000_000, *PIXELS), np.uint16, chunks=(1, *PIXELS))
    frames = find_frames([path]).frames
    assert len(frames) == 1_000_000
    assert frames[-1].path is frames[0].path
