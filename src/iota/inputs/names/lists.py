"""Reads text lists of paths, one per line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from iota.inputs.names.kinds import is_image_name

_FRAME_NUMBER = re.compile(r"^(?P<path>.+)#(?P<number>[0-9]{1,12})$")
_LINES_EXAMINED = 50


def read_lines(path: str) -> Iterator[str]:
    """Yield the lines of a list, without blank ones and comments (``#`` first). Raises OSError."""
    # surrogateescape: a name in an old encoding still opens its file; utf-8-sig: editors of other systems begin with it
    with Path(path).open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for line in file:
            text = line.strip()
            if text and not text.startswith("#"):
                yield text


def split_number(text: str) -> tuple[str, int | None]:
    """Split ``path#N`` into the path and the number N, counted from 1; the number is None where there is none."""
    match = _FRAME_NUMBER.match(text) if "#" in text else None
    return (match["path"], int(match["number"])) if match else (text, None)


def place_line(path: str, list_folder: str) -> str:
    """Resolve a path in a list: relative to the current folder, otherwise to the folder of the list."""
    if os.path.isabs(path) or os.path.lexists(path):
        return path
    beside_list = os.path.join(list_folder, path)
    return beside_list if os.path.lexists(beside_list) else path


def holds_paths(path: str) -> bool:
    """Whether half or more of a text file's first lines name an image or an existing file."""
    lines = list(islice(read_lines(path), _LINES_EXAMINED))
    folder = os.path.dirname(path)

    def leads_somewhere(line: str) -> bool:
        name, _ = split_number(line)
        return is_image_name(name) or os.path.lexists(place_line(name, folder))

    return bool(lines) and 2 * sum(map(leads_somewhere, lines)) >= len(lines)
