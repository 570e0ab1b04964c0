"""Monitor mode: files, folders and lists that come into being while somebody looks."""

import bz2
import gzip
import os
import pickle
import shutil
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from iota.inputs import find_frames
from iota.inputs.watching.complete import state_of
from iota.inputs.watching.series import Series
from iota.inputs.watching.watch import Watcher
from iota.records import FrameRef

TICK_S = 0.03


def cbf(n_bytes: int = 2000, fill: bytes = b"\x01") -> bytes:
    head = (
        f"###CBF: VERSION 1.5\r\ndata_x\r\n--CIF-BINARY-FORMAT-SECTION--\r\nX-Binary-Size: {n_bytes}\r\n\r\n".encode()
    )
    return head + b"\x0c\x1a\x04\xd5" + fill * n_bytes + b"\r\n--CIF-BINARY-FORMAT-SECTION----\r\n;\r\n"


def put(path: Path, content: bytes | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cbf() if content is None else content)
    return path


def watch(*sources, settle_s=0.1, rest_s=20.0, budget_s=2.0, **options) -> Watcher:
    """A watcher that looks at everything each time, also on a machine that has much to do."""
    return Watcher(sources, settle_s=settle_s, rest_s=rest_s, budget_s=budget_s, **options)


def until(watcher: Watcher, n: int, limit_s: float = 5.0) -> list[FrameRef]:
    """Poll as the coordinator does until ``n`` frames have come."""
    frames: list[FrameRef] = []
    end = time.monotonic() + limit_s
    while len(frames) < n and time.monotonic() < end:
        frames += watcher.poll()
        time.sleep(TICK_S)
    assert len(frames) >= n, (frames, watcher.problems)
    return frames


def for_a_while(watcher: Watcher, seconds: float = 0.25) -> list[FrameRef]:
    frames: list[FrameRef] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        frames += watcher.poll()
        time.sleep(TICK_S)
    return frames


def frames_of(*paths: Path) -> list[FrameRef]:
    return [FrameRef(str(path)) for path in paths]


def test_finds_what_find_frames_finds(tmp_path):
    for name in ("b/img_10.cbf", "b/img_9.cbf", "a.img", "c/xtal.0001", "c/.hidden.cbf", "int_x.pickle", "notes.txt"):
        put(tmp_path / name)
    (tmp_path / "linked").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    assert sorted(until(watch(tmp_path), 4)) == sorted(find_frames([tmp_path]).frames)


def test_each_frame_once_and_in_natural_order(tmp_path):
    first = [put(tmp_path / f"img_{i}.cbf") for i in (8, 9, 10)]
    watcher = watch(tmp_path)
    assert until(watcher, 3) == frames_of(*first)
    later = put(tmp_path / "img_11.cbf")
    assert until(watcher, 1) == frames_of(later)
    assert for_a_while(watcher) == []
    assert watcher.pending == 0
    assert watcher.problems == []


def test_already_found_frames_never_come_again(tmp_path):
    real = put(tmp_path / "a" / "z.cbf")
    (tmp_path / "a" / "b.cbf").symlink_to(real)
    put(tmp_path / "old.img", b"x")
    already = find_frames([tmp_path]).frames
    watcher = watch(tmp_path, already=already)
    assert for_a_while(watcher) == []
    new = put(tmp_path / "a" / "c.cbf")
    assert until(watcher, 1) == frames_of(new)
    shutil.move(tmp_path / "old.img", tmp_path / "a" / "old.img")
    assert for_a_while(watcher) == []


COPY_SLOWLY = """
import sys, time
source, target, pieces, pause = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
data = open(source, "rb").read()
step = len(data) // pieces + 1
with open(target, "wb") as file:
    for start in range(0, len(data), step):
        file.write(data[start:start + step]); file.flush(); time.sleep(pause)
"""


@pytest.mark.parametrize("end", ["cbf", "img", "cbf.gz", "cbf.bz2", "h5"])
def test_slow_writer_who_pauses_longer_than_the_file_settles(tmp_path, end):

    smv = b"{\nHEADER_BYTES=  512;\nTYPE=unsigned_short;\nSIZE1=40;\nSIZE2=30;\n}\n".ljust(512) + b"\1\0" * 1200
    content = {
        "cbf": cbf(),
        "img": smv,
        "cbf.gz": gzip.compress(os.urandom(900) + cbf()),
        "cbf.bz2": bz2.compress(cbf()),
    }
    source = tmp_path / f"source.{end}"
    if end == "h5":
        write_nexus(source, 3)
    else:
        put(source, content[end])
    target = tmp_path / "watched" / f"x.{end}"
    target.parent.mkdir()
    if end == "cbf.gz":
        put(source, gzip.compress(cbf(3000, b"\x07")))
    writer = subprocess.Popen([sys.executable, "-c", COPY_SLOWLY, source, target, "4", "0.25"])
    watcher = watch(target.parent, settle_s=0.08)
    frames = []
    while writer.poll() is None:
        new = watcher.poll()
        if new:
            assert target.stat().st_size == source.stat().st_size
        frames += new
        time.sleep(0.02)
    frames += until(watcher, 0 if frames else 1)
    assert len(frames) == (3 if end == "h5" else 1)


def test_half_written_file_of_unknown_format_waits_until_it_is_at_rest(tmp_path):
    path = put(tmp_path / "x.mar2300", b"1" * 100)
    watcher = watch(tmp_path, settle_s=0.3)
    for _ in range(8):
        with path.open("ab") as file:
            file.write(b"2" * 100)
        assert watcher.poll() == []
        assert watcher.pending == 1
        time.sleep(0.1)
    assert until(watcher, 1) == frames_of(path)


def test_truncated_file_waits_and_comes_in_the_end(tmp_path):
    path = put(tmp_path / "x.cbf", cbf()[:700])
    watcher = watch(tmp_path, rest_s=1.0)
    started = time.monotonic()
    assert until(watcher, 1) == frames_of(path)
    assert time.monotonic() - started >= 0.9


@pytest.mark.parametrize("form", ["cbf", "smv", "marccd", "gz", "bz2", "pickle"])
def test_every_truncation_is_seen(tmp_path, form):

    smv = b"{\nHEADER_BYTES=  512;\nTYPE=unsigned_short;\nSIZE1=40;\nSIZE2=30;\n}\n".ljust(512) + b"\1\0" * 1200
    marccd = bytearray(b"II*\0".ljust(4096, b"\0")) + b"\1\0" * 1200
    marccd[1028:1031] = b"MMX"
    struct.pack_into("<3I", marccd, 1024 + 80, 40, 30, 2)
    name, content = {
        "cbf": ("x.cbf", cbf()),
        "smv": ("x.img", smv),
        "marccd": ("x.mccd", bytes(marccd)),
        "gz": ("x.cbf.gz", gzip.compress(cbf())),
        "bz2": ("x.cbf.bz2", bz2.compress(cbf())),
        "pickle": ("x.pickle", pickle.dumps({"DATA": b"\1" * 99})),
    }[form]
    path = tmp_path / name

    def state(n: int) -> str:
        path.write_bytes(content[:n])
        with path.open("rb") as file:
            return state_of(file.fileno(), name, n, thorough=form == "gz")

    assert {state(n) for n in range(1, len(content) - 40, 7)} == {"incomplete"}
    assert state(len(content)) == ("unknown" if form == "pickle" else "complete")


def test_gzip_of_several_members_and_of_unknown_content(tmp_path):

    for content in (gzip.compress(b"abc") + gzip.compress(cbf()), gzip.compress(cbf()) + gzip.compress(b"x" * 99)):
        path = put(tmp_path / "x.img.gz", content)
        with path.open("rb") as file:
            assert state_of(file.fileno(), path.name, len(content), thorough=True) == "complete"
            assert state_of(file.fileno(), path.name, len(content)) != "complete"


def test_renamed_into_place_is_found_at_once(tmp_path):
    watcher = watch(tmp_path)
    for_a_while(watcher, 0.2)
    part = put(tmp_path / "x.cbf.tmp", cbf())
    os.utime(part, (time.time() - 5, time.time() - 5))
    assert for_a_while(watcher, 0.2) == []
    part.rename(tmp_path / "x.cbf")
    assert watcher.poll() == frames_of(tmp_path / "x.cbf")


def test_subfolders_created_later(tmp_path):
    watcher = watch(tmp_path)
    for_a_while(watcher, 0.2)
    path = put(tmp_path / "run7" / "deep" / "deeper" / "x.cbf")
    named_like_an_image = put(tmp_path / "run.0001" / "y.cbf")
    started = time.monotonic()
    assert sorted(until(watcher, 2)) == sorted(frames_of(path, named_like_an_image))
    assert time.monotonic() - started < 0.8
    shutil.rmtree(tmp_path / "run.0001")
    for_a_while(watcher)
    later = put(tmp_path / "run.0001" / "z.cbf")
    assert until(watcher, 1) == frames_of(later)


def test_folder_that_does_not_exist_yet_vanishes_and_comes_back(tmp_path):
    folder = tmp_path / "later"
    watcher = watch(folder)
    assert for_a_while(watcher, 0.2) == []
    assert [str(folder) in problem.text for problem in watcher.problems] == [True]
    assert watcher.expected == 1
    a = put(folder / "sub" / "a.cbf")
    assert until(watcher, 1) == frames_of(a)
    shutil.rmtree(folder)
    assert for_a_while(watcher, 0.2) == []
    put(a)
    b = put(folder / "sub" / "b.cbf")
    assert until(watcher, 1) == frames_of(b), "a name that came before does not come again"
    shutil.rmtree(folder / "sub")
    for_a_while(watcher, 0.2)
    c = put(folder / "sub" / "c.cbf")
    assert until(watcher, 1) == frames_of(c)


def test_single_file_and_wildcards_are_waited_for(tmp_path):
    watcher = watch(tmp_path / "one.cbf", tmp_path / "run*" / "img_*.dat", tmp_path / "pat_?.cbf")
    for_a_while(watcher, 0.2)
    one = put(tmp_path / "one.cbf")
    assert until(watcher, 1) == frames_of(one)
    put(tmp_path / "run3" / "other.dat", b"\0binary")
    two = put(tmp_path / "run3" / "img_1.dat", b"\0binary")
    three = put(tmp_path / "pat_1.cbf")
    put(tmp_path / "pat_10.cbf")
    assert sorted(until(watcher, 2)) == frames_of(three, two)
    four = put(tmp_path / "run3" / "img_2.dat", b"\0binary")
    assert until(watcher, 1) == frames_of(four)
    assert for_a_while(watcher) == []


def test_growing_list(tmp_path):
    images = [put(tmp_path / "images" / f"img_{i}.cbf") for i in range(5)]
    listed = tmp_path / "good.lst"
    watcher = watch(listed)
    for_a_while(watcher, 0.15)
    with listed.open("w") as file:

        def write(text):
            file.write(text)
            file.flush()

        write("")
        assert for_a_while(watcher, 0.15) == []
        write(f"# comment\n{images[0]}\nimages/img_1.cbf\n{str(images[2])[:-3]}")
        assert until(watcher, 2) == frames_of(images[0], images[1])
        assert for_a_while(watcher, 0.3) == [], "half a line is none"
        write("cbf\n")
        assert until(watcher, 1) == frames_of(images[2])
        write(f"images/later.cbf\n{images[1]}\n{tmp_path / 'folder'}\n")
        assert for_a_while(watcher, 0.2) == []
        assert watcher.expected == 2
        later = put(tmp_path / "images" / "later.cbf")
        assert until(watcher, 1) == frames_of(later)
        inside = put(tmp_path / "folder" / "y.cbf")
        assert until(watcher, 1) == frames_of(inside)
    short = f"{images[3]}\n{images[4]}"
    listed.write_text(short)  # written anew, no end of line
    watcher._lists[str(listed)]._rest_s = 0.3  # as monitor_mode_incomplete_after would be
    assert until(watcher, 2) == frames_of(images[3], images[4])


def test_list_that_is_set_aside_written_anew_or_replaced_loses_no_line(tmp_path):
    images = iter([put(tmp_path / "images" / f"img_{i:02d}.cbf") for i in range(12)])
    listed, expected = tmp_path / "good.lst", []

    def lines(n):
        some = [next(images) for _ in range(n)]
        expected.extend(frames_of(*some))
        return "".join(f"{image}\n" for image in some)

    listed.write_text(lines(2))
    watcher = watch(listed)
    frames = until(watcher, 2)
    with listed.open("a") as file:
        file.write(lines(1))
        file.flush()
        listed.rename(tmp_path / "good.lst.1")  # before anybody has read the last line
        listed.write_text(lines(1))
        frames += until(watcher, 2)
        file.write(lines(1))  # by one who does not know that it has another name
    frames += until(watcher, 1)
    listed.write_text(lines(3))  # longer, in the same file
    frames += until(watcher, 3)
    (tmp_path / "new").write_text(lines(2))
    (tmp_path / "new").replace(listed)
    frames += until(watcher, 2)
    listed.unlink()
    for_a_while(watcher, 0.1)
    listed.write_text(lines(2))
    frames += until(watcher, 2)
    assert sorted(frames) == sorted(expected)


def test_list_written_ahead_of_its_images(tmp_path):
    paths = [tmp_path / "data" / f"img_{i}.cbf" for i in range(3000)]
    listed = tmp_path / "plan.lst"
    listed.write_text("".join(f"{path}\n" for path in paths))
    watcher = watch(listed)
    assert for_a_while(watcher, 0.3) == []
    assert watcher.expected == 3000
    for path in (paths[0], paths[1], paths[2500]):
        put(path)
    assert until(watcher, 3) == frames_of(paths[0], paths[1], paths[2500])


def test_deleted_before_complete_is_forgotten_and_may_come_again(tmp_path):
    path = put(tmp_path / "x.cbf", cbf()[:500])
    watcher = watch(tmp_path)
    for_a_while(watcher, 0.2)
    assert watcher.pending == 1
    path.unlink()
    assert for_a_while(watcher, 0.2) == []
    assert watcher.pending == 0
    put(path)
    assert until(watcher, 1) == frames_of(path)


def test_moved_files_and_folders_are_not_processed_twice(tmp_path):
    a, b = (put(tmp_path / "run" / name) for name in ("a.cbf", "b.img"))
    watcher = watch(tmp_path)
    assert len(until(watcher, 2)) == 2
    a.rename(tmp_path / "a.cbf")
    b.rename(tmp_path / "renamed.img")
    assert for_a_while(watcher) == []
    c = put(tmp_path / "run" / "c.cbf")
    assert until(watcher, 1) == frames_of(c)
    (tmp_path / "run").rename(tmp_path / "done")
    assert for_a_while(watcher) == []
    d = put(tmp_path / "done" / "d.cbf")
    assert until(watcher, 1) == frames_of(d)
    c2 = put(tmp_path / "run" / "e.cbf")
    assert until(watcher, 1) == frames_of(c2)


def test_inode_of_a_deleted_file_means_nothing(tmp_path):
    watcher = watch(tmp_path)
    for i in range(5):
        path = put(tmp_path / f"run{i}" / "x.cbf")
        assert until(watcher, 1) == frames_of(path)
        path.unlink()


def test_links(tmp_path):
    outside = put(tmp_path / "outside" / "x.cbf")
    folder = tmp_path / "watched"
    folder.mkdir()
    (folder / "self").symlink_to(folder)
    (folder / "loop").symlink_to(folder / "loop")
    watcher = watch(folder)
    for_a_while(watcher, 0.2)
    (folder / "link.cbf").symlink_to(outside)
    assert until(watcher, 1) == frames_of(folder / "link.cbf")
    (folder / "again.cbf").symlink_to(outside)
    (folder / "there").symlink_to(outside.parent)
    assert for_a_while(watcher) == []
    (folder / "early.cbf").symlink_to(tmp_path / "outside2.cbf")
    assert for_a_while(watcher) == []
    put(tmp_path / "outside2.cbf")
    assert until(watcher, 1) == frames_of(folder / "early.cbf")
    y = put(tmp_path / "outside" / "y.cbf")
    assert until(watcher, 1) == frames_of(folder / "there" / y.name)


def test_wild_coming_and_going_raises_nothing_and_loses_nothing(tmp_path):
    stop = threading.Event()
    kept: list[Path] = []

    def churn():
        i = 0
        while not stop.is_set():
            folder = tmp_path / f"f{i % 7}"
            put(folder / f"tmp_{i}.cbf", cbf()[:300])
            kept.append(put(tmp_path / "keep" / f"k{i % 5}" / f"img_{i}.cbf"))
            if i % 3 == 0:
                shutil.rmtree(folder)
            else:
                (folder / f"tmp_{i}.cbf").rename(tmp_path / f"m_{i}.cbf.part")
            i += 1
            time.sleep(0.005)

    thread = threading.Thread(target=churn)
    watcher = watch(tmp_path, settle_s=0.05)
    thread.start()
    frames = for_a_while(watcher, 1.5)
    stop.set()
    thread.join()
    frames += until(watcher, len(kept) - len(frames))
    assert sorted(frames) == sorted(frames_of(*kept))


def test_a_wildcard_over_everything(tmp_path):
    put(tmp_path / "notes.txt", b"beam was fine\n")
    a, b = put(tmp_path / "a.cbf"), put(tmp_path / "sub" / "b.cbf")
    watcher = watch(tmp_path / "*")
    assert until(watcher, 2) == frames_of(a, b)
    assert ["notes.txt" in problem.text for problem in watcher.problems] == [True]
    assert watcher.expected == 0


def test_unwritable_name_is_a_problem(tmp_path):
    put(tmp_path / "a\nb.cbf")
    watcher = watch(tmp_path)
    assert for_a_while(watcher, 0.3) == []
    assert len(watcher.problems) == 1


# HDF5


def write_nexus(path: Path, n: int) -> Path:

    with h5py.File(path, "w") as file:
        file.create_group("entry/instrument").attrs["NX_class"] = "NXinstrument"
        file.create_dataset("entry/data/data", data=np.ones((n, 8, 8), np.uint16), chunks=(1, 8, 8))
    return path


def images_of(path: Path, *numbers: int) -> list[FrameRef]:
    return [FrameRef(str(path), n) for n in numbers]


WRITER = """
import sys, h5py, numpy as np
path, swmr, bare = sys.argv[1], sys.argv[2] == "swmr", sys.argv[3] == "bare"
file = h5py.File(path, "w", libver="latest" if swmr else None)
if not bare:
    file.create_group("entry/instrument").attrs["NX_class"] = "NXinstrument"
data = file.create_dataset("entry/data/data", (0, 8, 8), maxshape=(None, 8, 8), chunks=(1, 8, 8), dtype="u2")
if swmr:
    file.swmr_mode = True
for line in sys.stdin:
    n = int(line)
    data.resize(data.shape[0] + n, 0)
    data[-n:] = 7
    data.flush() if swmr else file.flush()
    print("flushed", flush=True)
file.close()
"""


class Detector:
    """Another process that writes images into an HDF5 file when told."""

    def __init__(self, path: Path, *, swmr: bool = True, bare: bool = False) -> None:
        arguments = [sys.executable, "-c", WRITER, path, "swmr" if swmr else "plain", "bare" if bare else "whole"]
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def take(self, n: int) -> None:
        self.process.stdin.write(f"{n}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "flushed\n"

    def close(self) -> None:
        self.process.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@pytest.mark.parametrize("swmr", [True, False], ids=["swmr", "flushed"])
def test_growing_hdf5_frame_by_frame(tmp_path, swmr):
    path = tmp_path / "x.nxs"
    watcher = watch(tmp_path)
    with Detector(path, swmr=swmr) as detector:
        for_a_while(watcher, 0.2)
        for n in range(4):
            detector.take(1)
            assert until(watcher, 1, limit_s=1.0) == images_of(path, n)
        detector.take(3)
        assert until(watcher, 3) == images_of(path, 4, 5, 6)
    assert for_a_while(watcher, 0.3) == []


def test_images_of_a_writer_without_swmr_come_while_it_never_rests(tmp_path):
    path = tmp_path / "x.nxs"
    watcher = watch(tmp_path, settle_s=0.3)
    frames = []
    with Detector(path, swmr=False) as detector:
        for _ in range(25):
            detector.take(1)
            frames += watcher.poll()
            time.sleep(0.05)
        assert len(frames) > 5
    frames += until(watcher, 25 - len(frames))
    assert frames == images_of(path, *range(25))


def test_preallocated_images_come_when_they_are_written(tmp_path):

    path = tmp_path / "x.nxs"
    watcher = watch(tmp_path, rest_s=1.0)
    with h5py.File(path, "w", libver="latest") as file:
        file.create_group("entry/instrument").attrs["NX_class"] = "NXinstrument"
        file.create_dataset("entry/data/data", (6, 8, 8), chunks=(1, 4, 8), dtype="u2")
    code = f"""
import h5py, sys
file = h5py.File({str(path)!r}, "r+", libver="latest"); file.swmr_mode = True
for n in (0, 1, 2):
    file["entry/data/data"][n] = 5; file["entry/data/data"].flush()
    print("flushed", flush=True); sys.stdin.readline()
"""
    writer = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for n in range(3):
        writer.stdout.readline()
        assert until(watcher, 1) == images_of(path, n)
        writer.stdin.write("\n")
        writer.stdin.flush()
    writer.communicate()
    assert for_a_while(watcher, 1.2) == [], "those that were not written may come yet"
    assert watcher.end() == images_of(path, 3, 4, 5), "in the end each has its record"


def write_master(path: Path, n_files: int) -> Path:

    stem = path.name.removesuffix("_master.h5")
    with h5py.File(path, "w") as file:
        file.create_group("entry/instrument").attrs["NX_class"] = "NXinstrument"
        for i in range(1, n_files + 1):
            file[f"entry/data/data_{i:06d}"] = h5py.ExternalLink(f"{stem}_data_{i:06d}.h5", "/entry/data/data")
    return path


def test_eiger_data_files_come_under_a_master(tmp_path):
    watcher = watch(tmp_path, settle_s=0.1)
    with Detector(tmp_path / "x_data_000001.h5", bare=True) as first:
        first.take(2)
        assert for_a_while(watcher, 0.3) == [], "no master yet"
        master = write_master(tmp_path / "x_master.h5", 3)
        assert until(watcher, 2) == images_of(master, 0, 1)
        first.take(1)
        assert until(watcher, 1) == images_of(master, 2)
    with Detector(tmp_path / "x_data_000003.h5", bare=True) as third:
        third.take(2)
        assert for_a_while(watcher) == [], "images are numbered through: those of the second file come first"
    with Detector(tmp_path / "x_data_000002.h5", bare=True) as second:
        second.take(1)
        assert until(watcher, 3) == images_of(master, 3, 4, 5)
    assert for_a_while(watcher) == []
    assert watcher.problems == []


def test_data_file_copied_in_pieces_under_a_master(tmp_path):
    folder = tmp_path / "watched"
    folder.mkdir()
    master = write_master(folder / "x_master.h5", 2)
    for i, n in ((1, 2), (2, 3)):
        with h5py.File(tmp_path / f"x_data_{i:06d}.h5", "w") as file:
            file.create_dataset("entry/data/data", data=np.ones((n, 8, 8), "u2"), chunks=(1, 8, 8))
    shutil.copy(tmp_path / "x_data_000001.h5", folder)
    watcher = watch(folder)
    assert until(watcher, 2) == images_of(master, 0, 1)
    arguments = [tmp_path / "x_data_000002.h5", folder / "x_data_000002.h5", "3", "0.2"]
    writer = subprocess.Popen([sys.executable, "-c", COPY_SLOWLY, *arguments])
    assert until(watcher, 3) == images_of(master, 2, 3, 4)
    writer.wait()
    assert for_a_while(watcher, 0.2) == []


def test_missing_data_file_is_told_when_all_is_at_rest(tmp_path):
    master = write_master(tmp_path / "x_master.h5", 2)
    with Detector(tmp_path / "x_data_000002.h5", bare=True) as second:
        second.take(2)
    watcher = watch(tmp_path, rest_s=1.5)
    assert for_a_while(watcher, 0.3) == []
    assert until(watcher, 2) == images_of(master, 2, 3), "the first file is taken to be as long as the second"
    assert "x_data_000001.h5" in watcher.problems[0].text
    assert watcher.end() == images_of(master, 0, 1)
    assert watcher.end() == []


def test_virtual_dataset_over_files_that_grow(tmp_path):

    a, b = (Detector(tmp_path / f"part_{name}.h5", bare=True) for name in "ab")
    a.take(1)
    b.take(1)
    layout = h5py.VirtualLayout(shape=(6, 8, 8), dtype="u2")  # images go to the two files in turn
    for i, name in enumerate("ab"):
        layout[i::2] = h5py.VirtualSource(f"part_{name}.h5", "entry/data/data", shape=(3, 8, 8))
    master = tmp_path / "x.nxs"
    with h5py.File(master, "w", libver="latest") as file:
        file.create_group("entry/instrument").attrs["NX_class"] = "NXinstrument"
        file.create_group("entry/data").create_virtual_dataset("data", layout)
    watcher = watch(tmp_path)
    assert until(watcher, 2) == images_of(master, 0, 1)
    b.take(1)
    assert until(watcher, 1) == images_of(master, 3), "its number is certain"
    a.take(2)
    assert until(watcher, 2) == images_of(master, 2, 4)
    b.take(1)
    assert until(watcher, 1) == images_of(master, 5)
    a.close()
    b.close()
    assert for_a_while(watcher, 0.2) == []


def test_hdf5_already_found_goes_on_where_it_stood(tmp_path):
    path = tmp_path / "x.nxs"
    with Detector(path) as detector:
        detector.take(2)
        already = find_frames([tmp_path]).frames
        assert already == images_of(path, 0, 1)
        watcher = watch(tmp_path, already=already)
        assert for_a_while(watcher, 0.2) == []
        detector.take(1)
        assert until(watcher, 1) == images_of(path, 2)


def test_two_masters_of_the_same_growing_images_count_once(tmp_path):
    with Detector(tmp_path / "pixels.h5", bare=True) as detector:
        detector.take(1)
        for name in ("a.nxs", "b.nxs"):
            with h5py.File(tmp_path / name, "w") as file:
                file.create_group("entry/instrument").attrs["NX_class"] = "NXinstrument"
                file["entry/data/data"] = h5py.ExternalLink("pixels.h5", "/entry/data/data")
        watcher = watch(tmp_path)
        assert until(watcher, 1) == images_of(tmp_path / "a.nxs", 0)
        detector.take(2)
        assert until(watcher, 2) == images_of(tmp_path / "a.nxs", 1, 2)
        assert for_a_while(watcher) == []
    assert [str(tmp_path / "b.nxs") in problem.text for problem in watcher.problems] == [True]


def test_images_of_a_moved_hdf5_do_not_come_twice(tmp_path):
    path = write_nexus(tmp_path / "x.nxs", 3)
    watcher = watch(tmp_path)
    assert len(until(watcher, 3)) == 3
    (tmp_path / "sub").mkdir()
    path.rename(tmp_path / "sub" / "y.nxs")
    assert for_a_while(watcher) == []


def test_damaged_hdf5_comes_in_the_end_without_an_index(tmp_path):
    path = put(tmp_path / "x.h5", b"\x89HDF\r\n\x1a\n cut off")
    watcher = watch(tmp_path, rest_s=0.5)
    assert for_a_while(watcher, 0.3) == []
    assert watcher.pending == 1
    assert until(watcher, 1) == frames_of(path)
    assert for_a_while(watcher, 0.3) == []
    assert watcher.pending == 0


def test_numbered_image_of_a_growing_file(tmp_path):
    path = tmp_path / "x.nxs"
    watcher = watch(f"{path}#3")
    with Detector(path) as detector:
        detector.take(2)
        assert for_a_while(watcher, 0.3) == []
        detector.take(2)
        assert until(watcher, 1) == images_of(path, 2)
        assert for_a_while(watcher, 0.2) == []


# Cost


def fill(folder: Path, n: int) -> None:
    folder.mkdir(parents=True)
    content = cbf(10)
    for i in range(n):
        fd = os.open(folder / f"old_{i:06d}.cbf", os.O_WRONLY | os.O_CREAT)
        os.write(fd, content)
        os.close(fd)


def test_new_file_among_20000_old_ones_is_found_within_a_second(tmp_path):
    fill(tmp_path / "data", 20_000)
    watcher = Watcher([tmp_path / "data"])
    assert len(until(watcher, 20_000, limit_s=30)) == 20_000
    waits = []
    for i in range(4):
        path = put(tmp_path / "data" / f"new_{i}.cbf")
        started, frames = time.monotonic(), []
        while not frames:
            frames = watcher.poll()
            waits.append(time.monotonic() - started) if frames else time.sleep(0.25)
        assert frames == frames_of(path)
    assert max(waits) < 1.0, waits


def test_looking_at_500_quiet_folders_costs_little(tmp_path):
    for i in range(500):  # a quiet poll costs for each folder, not for each file; benchmarks/watch.py has 50,000 files
        fill(tmp_path / "data" / f"run_{i:03d}", 20)
    watcher = Watcher([tmp_path / "data"])
    until(watcher, 10_000, limit_s=30)
    for_a_while(watcher, 0.3)
    costs = []
    for _ in range(20):
        started = time.perf_counter()
        assert watcher.poll() == []
        costs.append(time.perf_counter() - started)
    assert sorted(costs)[10] < 0.02, costs


def test_numbered_series_go_on():
    series = Series()
    series.learn(["a_0998.cbf", "a_0999.cbf", "run_9.img", "b.cbf", "x_07.0003"])
    there = {"a_1000.cbf", "a_1001.cbf", "a_1003.cbf", "run_10.img", "x_07.0004", "x_07.0005"}
    assert list(series.next_names(there.__contains__)) == [
        "a_1000.cbf",
        "a_1001.cbf",
        "run_10.img",
        "x_07.0004",
        "x_07.0005",
    ]
    series.learn(["a_1003.cbf"])
    there.add("a_1004.cbf")
    assert list(series.next_names(there.__contains__)) == ["a_1004.cbf"]
