"""Other installed software: the original IOTA, and external programs."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from pathlib import Path


def predecessor_warning() -> str | None:
    """Return a sentence if the original IOTA, distribution ``iota``, is installed in the same place; else None."""
    try:
        other = importlib.metadata.distribution("iota")
    except importlib.metadata.PackageNotFoundError:
        return None
    return (
        f"The original IOTA {other.version} is installed in {other.locate_file('')}: it has the same import name, iota,"
        f" and one hides the other. Remove it with: {sys.executable} -m pip uninstall iota"
    )


def program(name: str) -> str | None:
    """Return the path of a program: on the PATH, or beside this Python."""
    beside = Path(sys.executable).parent / name
    return shutil.which(name) or (str(beside) if os.access(beside, os.X_OK) else None)
