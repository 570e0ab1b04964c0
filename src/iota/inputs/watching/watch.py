"""Monitor mode: yields frames as they appear during a run.

Nothing here relies on notifications from the operating system, which do not exist on network file systems: files and
folders are polled in turn, within a time budget.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import stat
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from pathlib import Path

from iota.errors import InputError
from iota.inputs.crystfel.geometry import is_geometry_name, read_geometry
from iota.inputs.finding.event_lists import EventLines
from iota.inputs.names import kinds, lists
from iota.inputs.names.paths import absolute, can_be_written
from iota.inputs.names.problem import UNWRITABLE, Problem, problem_with
from iota.inputs.watching.folders import Arrival, Folders
from iota.inputs.watching.growing import GrowingFiles
from iota.inputs.watching.growing_list import GrowingList
from iota.inputs.watching.new_names import NewName, Wildcard, status_of, status_of_link
from iota.inputs.watching.pending import Pending, Waiting
from iota.inputs.watching.queued_files import QueuedFiles
from iota.inputs.watching.seen import Seen, identity_of
from iota.records import FrameRef, FrameResult

_EXPECTED_CHECKS = 500  # paths that do not exist yet, looked for in one poll
_FRESH_LIMIT = 20_000  # names met and not looked at yet, beyond which no folder is listed
_WRITTEN_ANEW = (
    "the folder was recreated, with images that have the same names as before. These are not processed;"
    " write them under other names, or start another run."
)
_GONE = "there is no such file or folder yet: waiting for it."


class Watcher:
    """Finds the frames that are complete and were not there before, in any mix of what :func:`find_frames` takes.

    Call :meth:`poll` every 0.1 to 0.5 s; it returns within about ``budget_s`` and uses no thread. A file is handed
    over when its size and time of change stayed the same for ``settle_s`` and its content does not say that a part of
    it is missing; one that stays incomplete after ``rest_s`` without a change, so that its worker says what is wrong
    with it. Images of growing HDF5 files come as they are flushed. A list's last line counts when it ends.

    ``already`` are frames found or processed before: they never come again, nor does a file that is moved among the
    watched folders, or is written anew under a name that came before. Of these frames, those in ``unread`` have no
    record yet; ``read`` has the keys (:func:`key_of`) of the files that the others were read from. ``geometry`` is a
    CrystFEL geometry by which HDF5 files are read; one that cannot be read raises UsageError.

    A file may be moved after it was handed over. Whoever gets its record asks :meth:`was_read`; if it was not,
    :meth:`mark_unread` lets it come again from :meth:`poll`, and ``renamed`` says from what name to what other.
    """

    def __init__(
        self,
        sources: Sequence[str | Path],
        *,
        settle_s: float = 0.25,
        rest_s: float = 30.0,
        budget_s: float = 0.1,
        already: Iterable[FrameRef] = (),
        unread: Iterable[FrameRef] = (),
        read: AbstractSet[int] = frozenset(),
        geometry: str | None = None,
    ) -> None:
        self.problems: list[Problem] = []  # what stands in the way; grows, each is told once
        self.renamed: dict[FrameRef, FrameRef] = {}  # marked as unread -> as it came again; for the caller to take out
        self._budget_s = budget_s
        self._rest_s = rest_s
        self._seen = Seen(already, read)
        self._unread = set(unread)
        self._queued = QueuedFiles(self._seen)
        self._folders = Folders(self._seen)
        self._pending = Pending(self._seen, self._queued.is_new, settle_s, rest_s)
        known = read_geometry(geometry) if geometry else None
        self._events = EventLines(known)
        self._growing = GrowingFiles(self._seen, settle_s, rest_s, known)
        named = (str(source) for source in sources if not is_geometry_name(str(source)))
        self._expected: dict[tuple[str, str], None] = {(source, ""): None for source in named}
        self._offset = 0
        self._lists: dict[str, GrowingList] = {}
        self._roots: dict[tuple[str, re.Pattern[str] | None], None] = {}
        self._wildcards: list[Wildcard] = []
        self._fresh: deque[NewName | Arrival] = deque()
        self._shown: set[str] = set()  # paths of frames that have a link in them
        self._absent: dict[str, str] = {}  # paths of files that were marked as unread, and where these lie
        self._told: set[str] = set()
        self._now = 0.0

    @property
    def pending(self) -> int:
        """Number of files seen that are not complete yet."""
        return len(self._fresh) + len(self._pending) + self._growing.n_incomplete

    @property
    def expected(self) -> int:
        """Number of paths named by the user or a list that do not exist yet."""
        return len(self._expected)

    def poll(self, now: float | None = None) -> list[FrameRef]:
        """Return the frames that are new and complete, each once; ``now`` is ``time.monotonic()`` but in tests.

        Never raises for files and folders that vanish or cannot be read.
        """
        self._now = time.monotonic() if now is None else now
        started = time.perf_counter()
        deadline = started + self._budget_s
        self._check_expected()
        self._check_absent()
        self._read_lists(started + 0.3 * self._budget_s)
        self._watch_roots()
        if len(self._fresh) < _FRESH_LIMIT:
            for arrivals in self._folders.poll(self._now, started + 0.5 * self._budget_s):
                self._fresh.extend(arrivals)
        for path, reason in self._folders.unreadable:
            self._tell(path, f"the folder cannot be read ({reason}).")
        self._folders.unreadable.clear()
        for path in self._folders.written_anew:
            self._tell(path, _WRITTEN_ANEW)
        self._folders.written_anew.clear()
        frames: list[FrameRef] = []
        for file in self._pending.poll(self._now, started + 0.7 * self._budget_s):
            frames.extend(self._frame(file))
        while self._fresh:
            fresh = self._fresh.popleft()
            frames.extend(self._examine(NewName.of(fresh) if isinstance(fresh, Arrival) else fresh))
            if time.perf_counter() > deadline:
                break
        frames.extend(self._growing.poll(self._now, deadline))
        self.renamed.update(self._growing.renamed)
        self._growing.renamed.clear()
        self._tell_all(self._growing.problems)
        return frames

    def was_read(self, result: FrameResult) -> bool:
        """Whether a record is that of the file that was queued; False if it was moved before it was read."""
        if result.frame.index is not None:
            return self._growing.was_read(result)
        is_read = self._queued.was_read(result)
        if is_read:
            self._queued.settle(result.frame)
        return is_read

    def mark_unread(self, frame: FrameRef) -> None:
        """Queue a file that was moved before it was read again, and the file that has its name now."""
        if frame.index is not None:
            self._growing.mark_unread(frame, frame.index)
            return
        other = self._queued.mark_unread(frame)
        if other is not None:
            self._fresh.append(NewName(other.path, other.resolved, False, False))
        folder, name = os.path.split(frame.path)
        self._absent[frame.path] = os.path.join(os.path.realpath(folder), name)
        self._seen.forget(self._absent[frame.path])

    def drop_unread(self, frame: FrameRef) -> None:
        """Stop waiting for a file that was marked as unread."""
        if frame.index is not None:
            self._growing.drop_unread(frame, frame.index)
            return
        self._queued.drop_unread(frame)
        resolved = self._absent.pop(frame.path, None)
        if resolved is not None:
            self._seen.add(resolved)  # it has its record, and comes no more under this name

    def end(self) -> list[FrameRef]:
        """Stop waiting: return the images that HDF5 files promise and that cannot be read: each gets its record."""
        return list(self._growing.end())

    def _check_expected(self) -> None:
        """Look for paths that did not exist: the first in order, as images of a list come, and some others in turn."""
        if not self._expected:
            return
        some = _EXPECTED_CHECKS // 2
        keys = list(islice(self._expected, some))
        if len(self._expected) > some:
            self._offset = self._offset + some if self._offset + some < len(self._expected) else some
            keys += islice(self._expected, self._offset, self._offset + some)
        for text, folder in keys:
            if self._take(text, folder):
                self._expected.pop((text, folder), None)

    def _check_absent(self) -> None:
        """Check for missing files that have reappeared: the disk was unmounted, or another file has the name now."""
        for path in list(islice(self._absent, _EXPECTED_CHECKS)):
            resolved = self._absent[path] = self._absent.pop(path)  # to the end of the row
            if resolved not in self._seen and os.path.lexists(path):
                self._seen.add(resolved)
                self._fresh.append(NewName(path, resolved, False, False))

    def _take(self, text: str, folder: str) -> bool:
        """Add one path as typed or as listed in a folder; False if it does not exist yet."""
        if not text.strip():
            self._tell(text, "give a file, a folder, a wildcard or a list.")
            return True
        path, number = absolute(lists.place_line(text, folder) if folder else text), None
        status = status_of(path)
        if status is None:
            name, number = lists.split_number(text)
            if not number:
                return self._take_absent(text, path)
            path = absolute(lists.place_line(name, folder) if folder else name)
            status = status_of(path)
        if status is None:
            self._tell(path, _GONE, of_list=bool(folder))
            return False
        if stat.S_ISDIR(status.st_mode):
            self._roots[path, None] = None
            return True
        if not stat.S_ISREG(status.st_mode):
            self._tell(text, "it is neither a file nor a folder (a pipe, a socket or a device).")
            return True
        return self._take_file(path, number)

    def _take_absent(self, text: str, path: str) -> bool:
        if not glob.has_magic(text):
            self._tell(path, _GONE)
            return False
        folder, name = os.path.split(path)
        self._wildcards.append(Wildcard(folder, re.compile("" if name == "**" else fnmatch.translate(name))))
        return True

    def _take_file(self, path: str, number: int | None) -> bool:
        """Add an existing file, by its name or its contents; False if its kind cannot be determined yet."""
        is_hdf5 = kinds.is_hdf5_name(path)
        if not kinds.is_image_name(path):
            try:
                content = kinds.content_of(path)
                is_list = kinds.is_list_name(path) or (content == "text" and lists.holds_paths(path))
            except OSError as error:
                self._tell(path, f"the file cannot be read ({error.strerror}), and its name is not that of an image.")
                return False
            if is_list and content in ("text", "empty"):
                self._lists.setdefault(os.path.realpath(path), GrowingList(path, self._rest_s))
                return True
            if content in ("text", "empty"):
                if content == "text":
                    self._tell(path, "the file is text, but not yet a list of paths (one path per line).")
                return False
            is_hdf5 = content == "hdf5"
        resolved = os.path.realpath(path)
        key = resolved if number is None or is_hdf5 else f"{resolved}#{number}"
        if key not in self._seen or (is_hdf5 and number):
            self._seen.add(key)
            index = None if number is None else number - 1
            self._fresh.append(NewName(path, resolved, False, False, named=True, index=index, is_hdf5=is_hdf5))
        return True

    def _read_lists(self, deadline: float) -> None:
        for growing in list(self._lists.values()):
            while lines := growing.poll(self._now):
                for written in lines:
                    try:
                        line = self._events.numbered(written, growing.folder)
                    except InputError as error:
                        self._tell(written, str(error))
                        continue
                    if not self._take(line, growing.folder):
                        self._expected[line, growing.folder] = None
                if time.perf_counter() > deadline:
                    return

    def _watch_roots(self) -> None:
        """Watch the folders that were named, again if they were gone for a while, and those that wildcards name."""
        for wildcard in self._wildcards:
            for folder in wildcard.folders(self._now):
                self._roots[folder, wildcard.names] = None
        for folder, names in self._roots:
            if not self._folders.has(folder, names):
                try:
                    self._folders.add(folder, names)
                except OSError as error:
                    self._tell(folder, f"the folder cannot be reached ({error.strerror}): waiting for it.")

    def _examine(self, new: NewName) -> Iterator[FrameRef]:
        """Determine the kind of a new name, and yield its frame if it is complete."""
        status = status_of_link(new.path)
        if status is None:
            self._seen.forget(new.resolved)
            return
        resolved = new.resolved
        if stat.S_ISLNK(status.st_mode):
            resolved = os.path.realpath(new.path)
            if resolved != new.resolved and resolved in self._seen:
                return
            self._seen.add(resolved)
            status = status_of(new.path)
            if status is None:  # a link that leads nowhere, maybe only now
                self._pending.add(new.path, resolved, new.index, self._now)
                return
        if stat.S_ISDIR(status.st_mode):
            self._enter(new)
        elif not stat.S_ISREG(status.st_mode):
            return
        elif new.by_wildcard and not kinds.is_image_name(new.path):
            self._seen.forget(new.resolved)
            if not self._take_file(new.path, None) and not status.st_size:
                self._expected[new.path, ""] = None
        elif new.is_hdf5:
            self._growing.add(new.path, resolved, status, index=new.index, named=new.named)
        elif self._seen.was_before(resolved, new.index):
            self._remember_former(new, status)
        elif new.first and time.time() - max(status.st_mtime, status.st_ctime) > self._rest_s:
            file = Waiting(new.path, resolved, None)
            if self._queued.is_new(file, status):  # an old file costs no look inside
                yield from self._frame(file)
        elif waited := self._pending.add(new.path, resolved, new.index, self._now):
            yield from self._frame(waited)

    def _remember_former(self, new: NewName, status: os.stat_result) -> None:
        """Remember the file of a frame that was found before, maybe by a run that was stopped before it was read."""
        self._seen.identify(status)
        if (frame := FrameRef(new.path)) in self._unread:
            self._queued.add(frame, new.resolved, identity_of(status))

    def _enter(self, new: NewName) -> None:
        """Watch a folder found in a watched one; its name may be that of an image."""
        try:
            folder = self._folders.add(new.path)
        except OSError:  # gone again, or closed to us: its parent is listed again in the slow round
            self._seen.forget(new.resolved)
            return
        if folder is not None:
            self._fresh.extend(self._folders.check(folder, self._now))

    def _frame(self, file: Waiting) -> Iterator[FrameRef]:
        path = file.path
        if path in self._shown:  # its link led elsewhere before
            path = file.resolved
        if path != file.resolved:
            self._shown.add(path)
        if can_be_written(path):
            frame = FrameRef(path, file.index)
            if file.identity is not None and (before := self._queued.add(frame, file.resolved, file.identity)):
                self.renamed[before] = frame
                self._absent.pop(before.path, None)
            yield frame
        else:
            self._tell(path, UNWRITABLE)

    def _tell(self, path: str, why: str, *, of_list: bool = False) -> None:
        if not of_list:
            self._tell_all([problem_with(path, why)])

    def _tell_all(self, problems: list[Problem]) -> None:
        for problem in problems:
            if problem.text not in self._told:
                self._told.add(problem.text)
                self.problems.append(problem)
        if problems is not self.problems:
            problems.clear()
