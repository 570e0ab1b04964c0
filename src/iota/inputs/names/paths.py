"""Expands paths as people type them, and checks that a list can hold them."""

from __future__ import annotations

import os


def absolute(text: str) -> str:
    """Return an absolute path without ``..``, but where one follows a link: for the system that is another folder."""
    if text.startswith("~") and not os.path.lexists(text):
        text = os.path.expanduser(text)
    path = os.path.join(os.getcwd(), text)
    plain = os.path.normpath(path)
    if ".." not in path.split("/") or os.path.realpath(path) == os.path.realpath(plain):
        return plain
    return path.rstrip("/")


def can_be_written(path: str) -> bool:
    """Whether a text list can contain the path."""
    if "\n" in path or "\r" in path:
        return False
    if path.isascii():
        return True
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
