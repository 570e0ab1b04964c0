"""Lists a folder for the file browser, in a separate process with limits on time and names."""

from __future__ import annotations

import fnmatch
import heapq
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from iota.processes.protocol import OverLimitError, Tell
from iota.processes.question import Question

MAX_ENTRIES = 5000  # more names than this nobody reads; the filter finds them
_TOLD_EVERY = 10_000


class ListFolder(msgspec.Struct, frozen=True):
    """Which folder is to be listed, and what of it."""

    folder: str  # absolute path; ``~`` is the home folder
    pattern: str = ""  # of names, with wildcards; without one any name that holds the text
    files: bool = True  # whether files are listed, not folders only
    max_names: int = 5_000_000  # that are looked at


class Entry(msgspec.Struct, frozen=True):
    """One line of a folder."""

    name: str
    path: str
    is_folder: bool
    size: int = 0  # bytes
    changed: float = 0.0  # s since the epoch


class Listing(msgspec.Struct, frozen=True):
    """A folder as it is shown: folders first; ``problem`` says why it cannot be read."""

    folder: str
    entries: list[Entry] = []
    n_left_out: int = 0
    problem: str = ""


def list_folder(question: ListFolder, tell: Tell = lambda n: None) -> Listing:
    """List a folder; of a million names only those that are shown are kept and looked at.

    Raises:
        OverLimitError: it holds more names than may be looked at.
    """
    path = os.path.abspath(Path(question.folder).expanduser())  # noqa: PTH100 - symbolic links stay as people know them
    n_matches = 0

    def matches(found: Iterator[os.DirEntry[str]]) -> Iterator[tuple[tuple[bool, bool, str], os.DirEntry[str]]]:
        nonlocal n_matches
        is_wanted = _pattern(question.pattern)
        for n, item in enumerate(found, start=1):
            if n > question.max_names:
                raise OverLimitError(f"{question.max_names:,} names")
            if n % _TOLD_EVERY == 0:
                tell(n)
            name = item.name.lower()
            if is_wanted(name) and _can_be_shown(item.name):
                is_folder = _is_folder(item)
                if is_folder or question.files:
                    n_matches += 1
                    yield (not is_folder, name.startswith("."), name), item

    try:
        with os.scandir(path) as found:
            shown = heapq.nsmallest(MAX_ENTRIES, matches(found), key=lambda match: match[0])
    except OSError as error:
        return Listing(path, problem=f"{path} cannot be listed: {error.strerror}.")
    entries = [entry for _, item in shown if (entry := _entry(item)) is not None]
    return Listing(path, entries, n_matches - len(shown))


def _pattern(text: str) -> Callable[[str], object]:
    wanted = text if any(mark in text for mark in "*?[") else f"*{text}*"
    return re.compile(fnmatch.translate(wanted.lower())).match


def _can_be_shown(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_folder(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _entry(item: os.DirEntry[str]) -> Entry | None:
    try:
        stat, is_folder = item.stat(), item.is_dir()
    except OSError:  # a broken link, or just deleted
        return None
    return Entry(item.name, item.path, is_folder, stat.st_size, stat.st_mtime)


LIST_FOLDER = Question(
    f"{__name__}:{list_folder.__name__}",
    ListFolder,
    Listing,
    "The search",
    seconds=30,
    megabytes=200,
    counted="names",
    advice="Type the path of a folder or file in it.",
    nice=10,  # images and pages come first
)
