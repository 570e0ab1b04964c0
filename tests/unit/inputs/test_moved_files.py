"""Files that are renamed or moved after they were handed over, before or after somebody reads them."""

import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from iota.inputs.watching.seen import identity_of, key_of
from iota.inputs.watching.watch import Watcher
from iota.processing import feed as feed_module
from iota.processing.feed import WatchFeed
from iota.records import FrameRef, FrameResult

IMAGE = b"###CBF\r\nX-Binary-Size: 9\r\n\r\n\x0c\x1a\x04\xd5" + bytes(9) + b"\r\n--CIF-BINARY-FORMAT-SECTION----\r\n"


class Beamline:
    """A watched folder, with a run that reads what is handed over only when it is told to; time is its own."""

    def __init__(self, tmp_path, monkeypatch, **options):
        self.now = 1000.0
        monkeypatch.setattr(feed_module.time, "monotonic", lambda: self.now)
        self.folder = tmp_path / "data"
        self.folder.mkdir(exist_ok=True)
        self.is_to_finish = False
        self.frames: list[FrameRef] = list(options.get("already", ()))
        self.queued: list[FrameRef] = []
        self.records: list[FrameResult] = []
        watcher = Watcher([self.folder], settle_s=0.0, rest_s=20.0, budget_s=10.0, **options)
        self.feed = WatchFeed(watcher, self._arrived, lambda: self.is_to_finish)

    def _arrived(self, frames, moved=()):
        for result in moved:
            self.frames.remove(result.frame)
        assert not set(frames) & set(self.frames)
        self.frames += frames

    def put(self, name, content=IMAGE):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def poll(self, n=4):
        for _ in range(n):
            self.now += 0.5
            self.queued += self.feed.poll()
            self.records += self.feed.overdue()
        return self

    def read(self, frame=None):
        """Read what was handed over, or one frame of it, as a worker does."""
        for one in [frame] if frame else list(self.queued):
            self.queued.remove(one)
            result = FrameResult(frame=one, name=one.path, outcome="failed_import")
            if Path(one.path).exists():
                result.outcome = "integrated"
                result.file = None if one.index is not None else identity_of(os.stat(one.path))[1]
            self.finish(result)
        return self

    def finish(self, result):
        if self.feed.take(result):
            self.records.append(result)

    @property
    def outcomes(self):
        """Last part of the path, and outcome of each record; each frame of the run has one."""
        assert sorted(self.frames) == sorted(result.frame for result in self.records)
        return {str(FrameRef(r.frame.path.rpartition("/")[2], r.frame.index)): r.outcome for r in self.records}


@pytest.fixture
def beamline(tmp_path, monkeypatch):
    return Beamline(tmp_path, monkeypatch)


@pytest.mark.parametrize("target", ["b.cbf", "deeper/a.cbf", "deeper/b.cbf"])
@pytest.mark.parametrize("is_seen_before_it_fails", [True, False])
def test_a_file_renamed_before_it_was_read_comes_under_its_new_name(beamline, target, is_seen_before_it_fails):
    path = beamline.put("a.cbf")
    beamline.poll()
    (beamline.folder / "deeper").mkdir()
    path.rename(beamline.folder / target)
    if is_seen_before_it_fails:
        beamline.poll()
    beamline.read().poll().read()
    assert beamline.outcomes == {target.rpartition("/")[2]: "integrated"}
    assert beamline.frames == [FrameRef(str(beamline.folder / target))]


def test_a_file_renamed_twice_and_its_folder_too_comes_once(beamline):
    path = beamline.put("one/a.cbf")
    beamline.poll()
    path.rename(path.with_name("b.cbf"))
    beamline.poll()
    path.parent.rename(beamline.folder / "two")
    beamline.read().poll().read()
    path = beamline.folder / "two" / "b.cbf"
    path.rename(path.with_name("c.cbf"))
    beamline.poll().read().poll().read()
    assert beamline.outcomes == {"b.cbf": "integrated"}


def test_a_file_renamed_after_it_was_read_does_not_come_again(beamline):
    path = beamline.put("a.cbf")
    beamline.poll()
    os.utime(path, (1e9, 1e9))  # cp -p sets times when all is written
    beamline.read()
    path.rename(path.with_name("b.cbf"))
    beamline.poll()
    assert beamline.queued == []
    assert beamline.outcomes == {"a.cbf": "integrated"}


def test_a_file_renamed_between_its_reading_and_its_record_counts_once(beamline):
    path = beamline.put("a.cbf")
    beamline.poll()
    file = identity_of(path.stat())[1]
    path.rename(path.with_name("b.cbf"))
    beamline.poll()
    beamline.finish(FrameResult(frame=beamline.queued.pop(), name="a", outcome="failed_triage", file=file))
    beamline.poll()
    assert beamline.queued == []
    assert beamline.outcomes == {"a.cbf": "failed_triage"}


def test_a_file_that_takes_the_name_of_one_that_was_not_read_hides_neither(beamline):
    path = beamline.put("current.cbf")
    beamline.poll()
    path.rename(path.with_name("img_1.cbf"))
    beamline.put("current.cbf", IMAGE + b" ")
    beamline.read().poll().read()  # what is read is the second under the name of the first
    assert beamline.outcomes == {"img_1.cbf": "integrated", "current.cbf": "integrated"}


def test_a_new_file_with_the_inode_of_a_deleted_one_is_new(beamline):
    path = beamline.put("a.cbf")
    beamline.poll().read()
    inode = path.stat().st_ino
    for k in range(100):
        path.unlink()
        path = beamline.put(f"b_{k}.cbf")
        if path.stat().st_ino == inode:
            break
    beamline.poll().read()
    assert beamline.outcomes == {"a.cbf": "integrated", path.name: "integrated"}


def test_a_copy_is_another_file(beamline):
    path = beamline.put("a.cbf")
    beamline.poll()
    shutil.copy2(path, path.with_name("b.cbf"))
    beamline.poll().read()
    assert beamline.outcomes == {"a.cbf": "integrated", "b.cbf": "integrated"}


def test_a_deleted_file_gets_its_record_after_a_while_and_a_bad_one_at_once(beamline):
    path = beamline.put("gone.cbf")
    beamline.poll()
    path.unlink()
    beamline.read()
    assert beamline.records == []
    beamline.poll(130)
    assert beamline.outcomes == {"gone.cbf": "failed_import"}
    bad = beamline.put("bad.cbf")
    beamline.poll()
    beamline.finish(FrameResult(frame=beamline.queued.pop(), name="bad", outcome="failed_import"))
    assert bad.exists()
    assert beamline.outcomes == {"gone.cbf": "failed_import", "bad.cbf": "failed_import"}


def test_files_whose_disk_was_away_are_read_when_it_is_back(beamline, tmp_path):
    beamline.put("one/a.cbf")
    beamline.put("one/b.cbf")
    beamline.poll()
    beamline.folder.rename(tmp_path / "elsewhere")
    beamline.folder.mkdir()
    beamline.poll().read().poll()
    beamline.folder.rmdir()
    (tmp_path / "elsewhere").rename(beamline.folder)
    beamline.poll().read()
    assert beamline.outcomes == {"a.cbf": "integrated", "b.cbf": "integrated"}


def test_a_link_that_leads_to_another_folder_hides_nothing_of_the_first(beamline, tmp_path):
    for name in ("run_1", "run_2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.cbf").write_bytes(IMAGE)
    link = beamline.folder / "current"
    link.symlink_to(tmp_path / "run_1")
    beamline.poll()
    link.unlink()
    link.symlink_to(tmp_path / "run_2")
    beamline.read().poll().read()
    assert sorted(beamline.frames) == [FrameRef(str(tmp_path / name / "a.cbf")) for name in ("run_1", "run_2")]
    assert set(beamline.outcomes.values()) == {"integrated"}


def test_a_folder_that_is_made_again_with_the_same_names_is_told_of(beamline, caplog):
    path = beamline.put("one/a.cbf")
    beamline.poll().read()
    path.unlink()
    path.parent.rmdir()
    beamline.poll()
    beamline.put("one/a.cbf", IMAGE + b" ")
    beamline.put("one/b.cbf")
    beamline.poll().read()
    assert beamline.outcomes == {"a.cbf": "integrated", "b.cbf": "integrated"}
    assert f"{path.parent}: the folder was recreated, with images that have the same names" in caplog.text


def test_a_file_renamed_when_no_more_images_are_wanted_is_still_found(beamline):
    path = beamline.put("a.cbf")
    beamline.poll()
    beamline.is_to_finish = True
    beamline.poll()
    assert beamline.feed.closed
    path.rename(path.with_name("b.cbf"))
    beamline.put("too_late.cbf")
    beamline.read()
    assert not beamline.feed.closed
    beamline.poll().read()
    assert beamline.feed.closed
    assert beamline.outcomes == {"b.cbf": "integrated"}


def test_files_renamed_while_a_run_was_stopped(beamline, tmp_path, monkeypatch):
    read, unread = (beamline.put(name) for name in ("read.cbf", "unread.cbf"))
    beamline.poll().read(FrameRef(str(read)))
    read.rename(read.with_name("read_2.cbf"))
    frames, files = beamline.frames, {key_of(beamline.records[0].file)}
    resumed = Beamline(tmp_path, monkeypatch, already=frames, unread=[FrameRef(str(unread))], read=files)
    resumed.records, resumed.queued = beamline.records, [FrameRef(str(unread))]
    resumed.poll()
    unread.rename(unread.with_name("unread_2.cbf"))
    resumed.poll().read().poll().read()
    assert resumed.outcomes == {"read.cbf": "integrated", "unread_2.cbf": "integrated"}


def _write_nexus(path, n, value=1):
    with h5py.File(path, "w") as file:
        file.create_group("entry/instrument").attrs["NX_class"] = "NXinstrument"
        file.create_dataset("entry/data/data", data=np.full((n, 8, 8), value, np.uint16), chunks=(1, 8, 8))
    os.utime(path, (1e9, 1e9))  # at rest
    return path


def test_images_of_an_hdf5_file_renamed_before_they_were_read_come_under_its_new_name(beamline):
    path = _write_nexus(beamline.folder / "x.nxs", 3)
    beamline.poll().read(FrameRef(str(path), 0))
    (beamline.folder / "deeper").mkdir()
    path.rename(beamline.folder / "deeper" / "y.nxs")
    beamline.read(FrameRef(str(path), 1)).poll()
    beamline.read(FrameRef(str(path), 2)).poll().read()
    assert beamline.outcomes == {"x.nxs#1": "integrated", "y.nxs#2": "integrated", "y.nxs#3": "integrated"}
    os.rename(beamline.folder / "deeper" / "y.nxs", path)
    beamline.poll()
    assert beamline.queued == []


def test_images_of_a_master_renamed_beside_its_data_come_under_its_new_name(beamline):
    master = _write_nexus(beamline.folder / "x_master.h5", 2)
    master.rename(master.with_name("x_data_000001.h5"))
    with h5py.File(master, "w") as file:
        file.create_group("entry/instrument").attrs["NX_class"] = "NXinstrument"
        file["entry/data/data_000001"] = h5py.ExternalLink("x_data_000001.h5", "/entry/data/data")
    beamline.poll().read(FrameRef(str(master), 0))
    master.rename(master.with_name("y_master.h5"))
    beamline.read().poll().read()
    assert beamline.outcomes == {"x_master.h5#1": "integrated", "y_master.h5#2": "integrated"}


def test_an_hdf5_file_with_the_inode_of_a_deleted_one_is_new(beamline):
    path = _write_nexus(beamline.folder / "x.nxs", 2)
    beamline.poll().read()
    inode = path.stat().st_ino
    for k in range(100):
        path.unlink()
        path = _write_nexus(beamline.folder / f"y_{k}.nxs", 3)
        if path.stat().st_ino == inode:
            break
    beamline.poll().read()
    assert len(beamline.outcomes) == 5


def test_images_of_an_hdf5_file_that_is_deleted_get_their_records(beamline):
    path = _write_nexus(beamline.folder / "x.nxs", 2)
    beamline.poll()
    path.unlink()
    beamline.read().poll(130)
    assert beamline.outcomes == {"x.nxs#1": "failed_import", "x.nxs#2": "failed_import"}
