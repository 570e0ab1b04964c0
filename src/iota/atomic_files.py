"""Atomic writing: a file is written under a hidden temporary name and renamed when it is complete.

A file that has its final name is complete, even if the process that wrote it was killed.  Any remains of such a process
are hidden, and are removed after a day by the next one that uses the folder.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

UNFINISHED = ".unfinished_"  # how names of what is being written begin
_STALE_S = 24 * 3600.0


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Provide the path at which a file is to be written; it replaces ``path`` when the context ends without error.

    The path ends as ``path`` does and is one of the same folder.  If anything is raised, a full disk say, what was
    written is removed and a file of before stays as it was.  A symbolic link stays one.

    Raises:
        OSError: the file system refuses.
    """
    final = Path(os.path.realpath(path))
    part = final.with_name(f"{UNFINISHED}{secrets.token_hex(6)}{final.suffix}")
    try:
        yield part
        part.replace(final)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, text: str) -> None:
    """Write a text file that appears, or replaces an older one, in one step.

    Raises:
        OSError: the file system refuses; a file of before is as it was.
    """
    with atomic_file(path) as part:
        part.write_text(text, encoding="utf-8", errors="surrogateescape")


def remove_unfinished(folder: Path) -> None:
    """Remove files and folders that killed processes left in a folder a day ago or earlier."""
    for left in folder.glob(f"{UNFINISHED}*"):
        with contextlib.suppress(OSError):  # somebody else removes it, or owns it
            if time.time() - left.lstat().st_mtime > _STALE_S:
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
