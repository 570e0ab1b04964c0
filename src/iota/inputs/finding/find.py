"""Finds all frames in files, folders, wildcards and lists."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from iota.errors import InputError, UsageError
from iota.inputs.crystfel.geometry import CrystfelGeometry, is_geometry_name, read_geometry
from iota.inputs.finding.event_lists import EventLines
from iota.inputs.finding.hdf5 import Container, open_containers
from iota.inputs.finding.walk import Walk
from iota.inputs.hdf5.foreign import foreign_name
from iota.inputs.names import kinds, lists
from iota.inputs.names.order import natural_key
from iota.inputs.names.paths import absolute, can_be_written
from iota.inputs.names.problem import UNWRITABLE, Problem, problem_with
from iota.processes.protocol import OverLimitError
from iota.records import FrameRef

_TOLD_EVERY = 1000  # frames between two calls of `progress`

Kind = Literal["file", "folder", "list", "wildcard", "master", "geometry", "nothing"]


class Source(msgspec.Struct, frozen=True):
    """One of the inputs, and how many frames it contains; ``nothing`` if it does not exist."""

    path: str
    kind: Kind
    n_frames: int


class Inputs(msgspec.Struct, frozen=True):
    """All frames found, and all problems. Get it from :func:`find_frames`."""

    frames: list[FrameRef]
    problems: list[Problem]
    sources: list[Source]


def find_frames(
    sources: Sequence[str | Path],
    *,
    geometry: str | None = None,
    progress: Callable[[int], object] | None = None,
    most: int | None = None,
) -> Inputs:
    """Find the frames in any mix of image files, folders, wildcards, text lists and HDF5 or NeXus masters.

    Frames come in the order of the sources; within a folder or a wildcard in natural order, within a list as written.
    A file counts once, however often and through whatever links it is reached. Paths are absolute; links in them are
    shown as they are. No image is opened but HDF5 files, for their number of images; frames of those have an index,
    others None. ``path#N`` is image N, counted from 1, of a multi-image file.

    A missing path becomes a frame all the same when its name is that of an image, so that it ends with a line in the
    ledger. Whatever brings nothing is a problem that says what was looked for. Nothing is raised: no frames at all is
    an empty list. ``progress`` is called now and then with the number of frames so far.

    ``most`` is for who cannot wait for any number of them: OverLimitError is raised beyond so many names in folders,
    lists and wildcards, or so many frames.

    A CrystFEL geometry, given or among the sources, says where the images of HDF5 files are; lists may then name them
    as CrystFEL does, ``path entry//3``.
    """
    search = _Search(progress, most)
    search.read_geometry([*([geometry] if geometry else []), *geometries_among(sources)])
    spans: list[tuple[str, Kind, int, int]] = []
    for source in sources:
        first = len(search.found)
        kind = search.take(str(source))
        spans.append((str(source), kind, first, len(search.found)))
    containers = [item for item in search.found if isinstance(item, Container)]
    search.problems.extend(open_containers(containers, search.tell_found, search.geometry))
    frames: list[FrameRef] = []
    counted: list[Source] = []
    for path, kind, first, end in spans:
        before = len(frames)
        for item in search.found[first:end]:
            if isinstance(item, FrameRef):
                frames.append(item)
            else:
                frames.extend(item.frames())
        counted.append(Source(path, kind, len(frames) - before))
    search.tell_found(len(frames))
    return Inputs(frames, search.problems, counted)


def geometries_among(sources: Sequence[str | Path]) -> list[str]:
    """Return the CrystFEL geometries among the inputs."""
    return [str(source) for source in sources if is_geometry_name(str(source))]


class _Search:
    """What has been found so far: frames, and HDF5 files that are opened when all of them are known."""

    def __init__(self, progress: Callable[[int], object] | None, most: int | None = None) -> None:
        self.found: list[FrameRef | Container] = []
        self.problems: list[Problem] = []
        self.geometry: CrystfelGeometry | None = None
        self._events = EventLines(None)
        self._progress = progress
        self._most = most
        self._n_names = 0
        self._seen: set[str] = set()  # resolved paths of whole files; mostly the very strings of the frames
        self._picked: dict[str, set[int]] = {}  # resolved path -> images of it that were named one by one
        self._lists: set[str] = set()  # resolved paths
        self._folders: dict[str, str] = {}  # folder -> the same, resolved

    def tell_found(self, n_frames: int) -> None:
        """Report how many frames have been found."""
        if self._most is not None and n_frames > self._most:
            raise OverLimitError(f"{self._most:,} names or images")
        if self._progress is not None:
            self._progress(n_frames)

    def _count_name(self) -> None:
        self._n_names += 1
        if self._most is not None and self._n_names > self._most:
            raise OverLimitError(f"{self._most:,} names or images")

    def read_geometry(self, paths: Sequence[str]) -> None:
        """Read the geometry; any others are reported and ignored."""
        for path in dict.fromkeys(absolute(path) for path in paths):
            if self.geometry is not None:
                self._tell(path, f"only one CrystFEL geometry can be used; {self.geometry.path} is used.")
                continue
            try:
                self.geometry = read_geometry(path)
            except UsageError as error:
                self.problems.append(Problem(path, str(error)))
        self._events = EventLines(self.geometry)

    def take(self, text: str) -> Kind:
        """Add the contents of one input and return its kind."""
        if is_geometry_name(text):
            return "geometry"
        if not text.strip():
            self._tell(text, "give a file, a folder, a wildcard or a list.")
            return "nothing"
        path = absolute(text)
        try:
            status = os.stat(path)
        except PermissionError:
            return self._take_missing(
                text, path, "it cannot be accessed: you have no permission for one of the folders in its path."
            )
        except (OSError, ValueError):  # ValueError: a null character
            return self._take_absent(text, path)
        if stat.S_ISDIR(status.st_mode):
            return self._take_folder(path)
        if not stat.S_ISREG(status.st_mode):
            self._tell(text, "it is neither a file nor a folder (a pipe, a socket or a device).")
            return "nothing"
        return self._take_file(path)

    def _take_absent(self, text: str, path: str) -> Kind:
        """Add a path that does not exist as such: a numbered image, a wildcard, or something missing."""
        name, number = lists.split_number(path)
        if number is not None and number > 0 and (os.path.lexists(name) or kinds.is_image_name(name)):
            return self._take_numbered(text, name, number - 1)
        if os.path.lexists(path):
            return self._take_missing(text, path, "it is a broken link.")
        if glob.has_magic(text):
            return self._take_wildcard(text, path)
        folder = os.path.dirname(path)
        also = "" if os.path.isdir(folder) else ", and its folder does not exist either"
        return self._take_missing(text, path, f"there is no such file or folder{also}: looked for {path}.")

    def _take_missing(self, text: str, path: str, why: str) -> Kind:
        """Report a missing path; if its name is that of an image, it becomes a frame, with a line in the ledger."""
        self._tell(text, why)
        if not kinds.is_image_name(path):
            return "nothing"
        self._add(path, self._resolved(path))
        return "file"

    def _take_numbered(self, text: str, path: str, index: int) -> Kind:
        if not os.path.exists(path):
            self._tell(text, f"there is no such file: looked for {path}.")
        resolved = self._resolved(path)
        picked = self._picked.setdefault(resolved, set())
        if resolved not in self._seen and index not in picked:
            picked.add(index)
            self._append(FrameRef(path, index), path)
        return "file"

    def _take_wildcard(self, text: str, path: str) -> Kind:
        matches = []
        for match in glob.iglob(path, recursive=True):
            self._count_name()
            matches.append(match)
        matches.sort(key=natural_key)
        if not matches:
            self._tell(text, "no file or folder matches this wildcard.")
        for match in matches:
            self.take(match)
        return "wildcard"

    def _take_folder(self, path: str) -> Kind:
        walk = Walk(path, self._count_name)
        n_images = 0
        for n_images, image in enumerate(walk, start=1):  # noqa: B007 - the count outlives the loop
            self._add(image.path, image.resolved)
        for folder, reason in walk.unreadable:
            self._tell(folder, f"the folder cannot be read ({reason}).")
        for (folder, foreign), names in walk.foreign.items():
            if len(names) == 1:
                self._tell(os.path.join(folder, names[0]), foreign.sentence)
            else:
                self._tell(folder, foreign.sentence_of(len(names), names[0]))
        if not n_images and not walk.unreadable and not walk.foreign:
            self._tell(path, f"the folder and its subfolders contain no image: looked for {kinds.LOOKED_FOR}.")
        return "folder"

    def _take_file(self, path: str) -> Kind:
        """Add an existing file: by its name, or by its contents if the name is not sufficient."""
        foreign = foreign_name(path)
        if foreign is not None:
            self._tell(path, foreign.sentence)
            return "nothing"
        if kinds.is_image_name(path):
            self._add(path, self._resolved(path), named=True)
            return "master" if kinds.is_hdf5_name(path) else "file"
        try:
            content = kinds.content_of(path)
            if content == "text" and (kinds.is_list_name(path) or lists.holds_paths(path)):
                return self._take_list(path)
        except OSError as error:
            self._tell(path, f"the file cannot be read ({error.strerror}), and its name is not that of an image.")
            return "nothing"
        if content in ("text", "empty"):
            what = "is empty" if content == "empty" else "is text, but not a list of paths"
            self._tell(path, f"the file {what}: expected an image, or one path per line.")
            return "nothing"
        self._add(path, self._resolved(path), is_hdf5=content == "hdf5", named=True)
        return "master" if content == "hdf5" else "file"

    def _take_list(self, path: str) -> Kind:
        resolved = self._resolved(path)
        if resolved in self._lists:  # twice, or a list that names itself
            return "list"
        self._lists.add(resolved)
        folder = os.path.dirname(path)
        n_lines = 0
        for n_lines, written in enumerate(lists.read_lines(path), start=1):  # noqa: B007 - the count outlives the loop
            self._count_name()
            try:
                line = self._events.numbered(written, folder)
            except InputError as error:
                self._tell(written, str(error))
                continue
            name, number = lists.split_number(line)
            if number is None or os.path.lexists(line):
                self.take(lists.place_line(line, folder))
            else:
                self.take(f"{lists.place_line(name, folder)}#{number}")
        if not n_lines:
            self._tell(path, "the list contains no paths: expected one per line.")
        return "list"

    def _add(self, path: str, resolved: str, *, is_hdf5: bool | None = None, named: bool = False) -> None:
        """Add a whole file unless it was added before; ``named`` if this file was given explicitly."""
        if resolved in self._seen:
            return
        self._seen.add(resolved)
        if is_hdf5 or (is_hdf5 is None and kinds.is_hdf5_name(path)):
            self._append(Container(path, resolved, named, self._picked.setdefault(resolved, set())), path)
        else:
            self._append(FrameRef(path), path)

    def _append(self, item: FrameRef | Container, path: str) -> None:
        if not can_be_written(path):
            self._tell(path, UNWRITABLE)
            return
        self.found.append(item)
        if len(self.found) % _TOLD_EVERY == 0:
            self.tell_found(len(self.found))

    def _tell(self, path: str, why: str) -> None:
        self.problems.append(problem_with(path, why))

    def _resolved(self, path: str) -> str:
        """Return the path without symbolic links; the folder's part is found out once."""
        folder, name = os.path.split(path)
        real = self._folders.get(folder)
        if real is None:
            real = self._folders[folder] = os.path.realpath(folder)
        resolved = path if real == folder else os.path.join(real, name)
        return os.path.realpath(path) if name == ".." or os.path.islink(resolved) else resolved
