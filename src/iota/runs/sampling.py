"""Chooses frames by their names, so that a choice depends neither on their order nor on the number of workers."""

from __future__ import annotations

import hashlib
from pathlib import PurePath

from iota.records import FrameRef


def scouting_key(frame: FrameRef) -> tuple[bytes, str]:
    """Sort key that shuffles frames the same way whatever their order: a digest of the name, then the whole path."""
    name = f"{PurePath(frame.path).name}#{frame.index}"
    return hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest(), frame.path
