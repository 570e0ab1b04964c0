"""From paths to frames: files, folders, wildcards and lists."""

import os
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iota.inputs import find_frames, natural_key
from iota.inputs.names.kinds import content_of, is_found_in_folder, is_image_name
from iota.inputs.names.lists import split_number
from iota.processes.protocol import OverLimitError
from iota.records import FrameRef


def make(folder: Path, *names: str, content: bytes = b"") -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return paths


def names(inputs, folder: Path) -> list[str]:
    return [os.path.relpath(str(frame), folder) for frame in inputs.frames]


ENDS = [
    "cbf",
    "CBF",
    "cbf.gz",
    "img.bz2",
    "corr",
    "mccd",
    "marccd",
    "mar2300",
    "sfrm",
    "smv",
    "h5",
    "nxs",
    "nexus",
    "hdf5",
]


@pytest.mark.parametrize("name", [f"nodigit.{end}" for end in [*ENDS, "pickle", "0001", "001.gz"]])
def test_image_names(name):
    assert is_image_name(name)
    assert is_found_in_folder(name)


@pytest.mark.parametrize("name", ["a.txt", "a.expt", "a.cbf.txt", "iota.log.1", "cbf", "a.gz", "a.lst", "a.cbf.zip"])
def test_other_names(name):
    assert not is_image_name(name)


@pytest.mark.parametrize("name", [".a.cbf", "._a.cbf", "int_a.pickle", "mask.pickle"])
def test_left_alone_in_a_folder_but_taken_by_name(name, tmp_path):
    make(tmp_path, name, "good.cbf")
    assert names(find_frames([tmp_path]), tmp_path) == ["good.cbf"]
    assert names(find_frames([tmp_path / name]), tmp_path) == [name]


def test_folder_recursive_natural_order(tmp_path):
    make(tmp_path, "b/x_10.cbf", "b/x_9.cbf.gz", "a10/y.img", "a9/y.img", "notes.txt", "img.cbf")
    inputs = find_frames([tmp_path])
    assert names(inputs, tmp_path) == ["a9/y.img", "a10/y.img", "b/x_9.cbf.gz", "b/x_10.cbf", "img.cbf"]
    assert inputs.problems == []
    assert [(s.kind, s.n_frames) for s in inputs.sources] == [("folder", 5)]
    assert all(os.path.isabs(frame.path) and frame.index is None for frame in inputs.frames)


def test_links_are_followed_loops_survived_nothing_twice(tmp_path):
    data = tmp_path / "data"
    elsewhere = tmp_path / "elsewhere"
    make(data, "sub/a_1.cbf")
    make(elsewhere, "b_1.cbf", "one.cbf")
    (data / "sub" / "loop").symlink_to(data)
    (data / "self").symlink_to("self")
    (data / "linked").symlink_to(elsewhere)
    (data / "z_again.cbf").symlink_to(data / "sub" / "a_1.cbf")
    (data / "broken.cbf").symlink_to(data / "gone.cbf")
    inputs = find_frames([data, elsewhere / "one.cbf", data / "z_again.cbf"])
    # broken.cbf stays: the worker that cannot open it says so
    assert names(inputs, data) == ["broken.cbf", "linked/b_1.cbf", "linked/one.cbf", "sub/a_1.cbf"]
    assert [s.n_frames for s in inputs.sources] == [4, 0, 0]


def test_a_link_in_the_folders_own_path_is_shown_and_seen_through(tmp_path):
    make(tmp_path / "real", "a.cbf")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    inputs = find_frames([tmp_path / "link", tmp_path / "real" / "a.cbf"])
    assert names(inputs, tmp_path) == ["link/a.cbf"]


def test_parent_of_a_linked_folder_is_the_systems_parent(tmp_path, monkeypatch):
    make(tmp_path / "far", "deep/x.txt", "a.cbf")
    (tmp_path / "link").symlink_to(tmp_path / "far" / "deep")
    monkeypatch.chdir(tmp_path)
    inputs = find_frames(["link/../a.cbf", "far/a.cbf"])
    assert len(inputs.frames) == 1
    assert os.path.exists(inputs.frames[0].path)
    monkeypatch.chdir(tmp_path / "far")
    assert find_frames(["../far/a.cbf"]).frames == [FrameRef(str(tmp_path / "far" / "a.cbf"))]


def test_wildcards_quoted(tmp_path, monkeypatch):
    make(tmp_path, "x_10.cbf", "x_2.cbf", "y.cbf", "sub/x_1.cbf")
    monkeypatch.chdir(tmp_path)
    assert names(find_frames(["x_*.cbf"]), tmp_path) == ["x_2.cbf", "x_10.cbf"]
    assert names(find_frames(["**/x_*.cbf"]), tmp_path) == ["sub/x_1.cbf", "x_2.cbf", "x_10.cbf"]
    nothing = find_frames(["z_*.cbf", "y.cbf"])
    assert names(nothing, tmp_path) == ["y.cbf"]
    assert [p.path for p in nothing.problems] == ["z_*.cbf"]
    assert "wildcard" in nothing.problems[0].text


def test_a_name_with_brackets_is_a_name_when_it_exists(tmp_path):
    (path,) = make(tmp_path, "grid[1].cbf")
    assert find_frames([path]).frames == [FrameRef(str(path))]


def test_explicit_file_whatever_its_suffix(tmp_path):
    (path,) = make(tmp_path, "frame.raw", content=b"\0\1\2\xff")
    assert find_frames([path]).frames == [FrameRef(str(path))]


def test_hostile_files_stay_frames(tmp_path):
    """Their worker says what is wrong with them; the search opens no image."""
    make(tmp_path, "empty.cbf", "good.cbf")
    make(tmp_path, "text.cbf", content=b"shopping list\n")
    make(tmp_path, "closed.cbf")[0].chmod(0)
    make(tmp_path, "broken.h5", content=b"no HDF5 at all")
    inputs = find_frames([tmp_path, tmp_path / "missing.cbf"])
    assert names(inputs, tmp_path) == ["broken.h5", "closed.cbf", "empty.cbf", "good.cbf", "text.cbf", "missing.cbf"]
    assert [(p.path, "no such file" in p.text) for p in inputs.problems] == [(str(tmp_path / "missing.cbf"), True)]
    assert find_frames([tmp_path / "text.cbf"]).frames == [FrameRef(str(tmp_path / "text.cbf"))]


@pytest.mark.parametrize("name", ["no_such_folder", "no/such/place/to_go", ""])
def test_missing_paths_are_named(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keep.txt").write_text("x")
    inputs = find_frames([name])
    assert inputs.frames == []
    assert len(inputs.problems) == 1
    assert inputs.problems[0].text.endswith(".")
    assert inputs.sources[0].kind == "nothing"


def test_folder_without_images_says_what_was_looked_for(tmp_path):
    make(tmp_path, "notes.txt")
    (problem,) = find_frames([tmp_path]).problems
    assert ".cbf" in problem.text
    assert ".gz" in problem.text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_closed_folder_is_named(tmp_path):
    make(tmp_path, "closed/a.cbf", "b.cbf")
    (tmp_path / "closed").chmod(0)
    inputs = find_frames([tmp_path])
    (tmp_path / "closed").chmod(0o700)
    assert names(inputs, tmp_path) == ["b.cbf"]
    assert "Permission" in inputs.problems[0].text


def test_pipes_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.cbf")
    make(tmp_path, "a.cbf")
    assert names(find_frames([tmp_path]), tmp_path) == ["a.cbf"]
    inputs = find_frames([tmp_path / "pipe.cbf"])
    assert inputs.frames == []
    assert "pipe" in inputs.problems[0].text


def test_names_that_no_list_can_hold_are_named(tmp_path):
    make(tmp_path, "two\nlines.cbf", "good.cbf")
    with open(os.fsencode(tmp_path) + b"/latin\xe9.cbf", "wb"):
        pass
    inputs = find_frames([tmp_path])
    assert names(inputs, tmp_path) == ["good.cbf"]
    assert len(inputs.problems) == 2
    for problem in inputs.problems:
        str(problem).encode("utf-8")
        assert "rename" in problem.text


def test_list_as_written_with_comments_and_missing_lines(tmp_path, monkeypatch):
    make(tmp_path, "lists/near.cbf", "here.cbf", "more/m_2.cbf", "more/m_10.cbf")
    text = "# my images\n\nhere.cbf\r\nnear.cbf\nhere.cbf\nmore\ngone.cbf\ngone_folder\nz*.cbf\nmulti.h5#3\n"
    (tmp_path / "lists" / "images.lst").write_text(text)
    monkeypatch.chdir(tmp_path)
    inputs = find_frames(["lists/images.lst"])
    assert names(inputs, tmp_path) == [
        "here.cbf", "lists/near.cbf", "more/m_2.cbf", "more/m_10.cbf", "gone.cbf", "multi.h5#3",
    ]  # fmt: skip
    assert [p.path for p in inputs.problems] == ["gone.cbf", "gone_folder", "z*.cbf", "multi.h5#3"]
    assert inputs.sources[0].kind == "list"


def test_a_runs_own_list_comes_back_as_it_was(tmp_path):
    frames = [FrameRef(str(p)) for p in make(tmp_path, "a_1.cbf", "b/a_1.cbf")] + [FrameRef(f"{tmp_path}/m.h5", 4)]
    make(tmp_path, "m.h5")
    (tmp_path / "integrated.lst").write_text("".join(f"{frame}\n" for frame in reversed(frames)))
    assert find_frames([tmp_path / "integrated.lst"]).frames == frames[::-1]


def test_list_is_known_by_content(tmp_path):
    make(tmp_path, "a.cbf")
    (tmp_path / "images").write_text(f"{tmp_path}/a.cbf\n")
    (tmp_path / "README").write_text("Some words\nthat are no paths\nsee a.cbf\n")
    inputs = find_frames([tmp_path / "images", tmp_path / "README"])
    assert names(inputs, tmp_path) == ["a.cbf"]
    assert [p.path for p in inputs.problems] == [str(tmp_path / "README")]


def test_list_that_names_itself(tmp_path):
    make(tmp_path, "a.cbf")
    (tmp_path / "x.lst").write_text(f"{tmp_path}/x.lst\n{tmp_path}/a.cbf\n")
    assert names(find_frames([tmp_path / "x.lst"]), tmp_path) == ["a.cbf"]


@pytest.mark.parametrize("content", [b"", b"# only a comment\n"])
def test_empty_list_is_named(tmp_path, content):
    (path,) = make(tmp_path, "x.lst", content=content)
    inputs = find_frames([path])
    assert inputs.frames == []
    assert len(inputs.problems) == 1


def test_path_with_a_number_sign_that_exists_is_a_path(tmp_path):
    (path,) = make(tmp_path, "odd#2.cbf")
    (folder_file,) = make(tmp_path, "odd#3/a.cbf")
    assert find_frames([path, folder_file]).frames == [FrameRef(str(path)), FrameRef(str(folder_file))]
    assert split_number("a.h5#0") == ("a.h5", 0)


def test_mixture_counts_each_file_once_and_reports_progress(tmp_path):
    paths = make(tmp_path, *(f"x_{i}.cbf" for i in range(2500)))
    told: list[int] = []
    inputs = find_frames([paths[7], tmp_path, str(tmp_path / "*.cbf")], progress=told.append)
    assert len(inputs.frames) == 2500
    assert inputs.frames[0].path == str(paths[7])
    assert told == [1000, 2000, 2500]


def test_a_limit_of_names_ends_a_search_wherever_they_come_from(tmp_path):
    folder = tmp_path / "images"
    paths = make(folder, *(f"x_{i}.cbf" for i in range(20)))
    listed = tmp_path / "all.lst"
    listed.write_text("".join(f"{path}\n" for path in paths))
    others = make(tmp_path / "others", *(f"x_{i}.log" for i in range(20)))
    for source in (folder, folder / "*.cbf", listed, others[0].parent, others[0].parent / "*"):
        with pytest.raises(OverLimitError, match="19 names or images"):
            find_frames([source], most=19)
        find_frames([source], most=20)


def test_content(tmp_path):
    assert content_of(str(make(tmp_path, "a", content=b"\x89HDF\r\n\x1a\n..")[0])) == "hdf5"
    # a letter of two bytes across the end of what is looked at
    assert content_of(str(make(tmp_path, "b", content=b"a" * 65535 + "é".encode())[0])) == "text"
    assert content_of(str(make(tmp_path, "c", content=b"###CBF\n\xff\xfe\xfd")[0])) == "binary"


@settings(suppress_health_check=[HealthCheck.too_slow])  # of a machine that does other things, too
@given(st.lists(st.text(alphabet="aB_.0129", max_size=8)))
def test_natural_order_is_one_order_whatever_the_start(texts):
    assert sorted(texts, key=natural_key) == sorted(reversed(texts), key=natural_key)


@given(st.lists(st.integers(0, 10**30), unique=True), st.sampled_from(["", "x_", "run 7/x"]))
def test_natural_order_counts(numbers, stem):
    texts = [f"{stem}{number}.cbf" for number in numbers]
    assert sorted(texts, key=natural_key) == [f"{stem}{number}.cbf" for number in sorted(numbers)]


def test_a_hundred_thousand_files_in_under_five_seconds(tmp_path):
    """A promise to people with large folders; about 1 s where this was written."""
    for sub in range(10):
        (tmp_path / f"run{sub}").mkdir()
        folder = os.open(tmp_path / f"run{sub}", os.O_RDONLY)
        os.close(os.open("img_0.cbf", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
        for i in range(1, 10_000):  # further names of the same file: made in a tenth of the time of as many files
            os.link("img_0.cbf", f"img_{i}.cbf", src_dir_fd=folder, dst_dir_fd=folder)
        os.close(folder)
    start = time.perf_counter()
    inputs = find_frames([tmp_path])
    seconds = time.perf_counter() - start
    assert len(inputs.frames) == 100_000
    assert inputs.frames[11].path == str(tmp_path / "run0" / "img_11.cbf")
    print(f"100,000 files listed in {seconds:.2f} s")
    assert seconds < 5
    shutil.rmtree(tmp_path)  # pytest would keep those of the last three times
