"""Detects that the folder of a run was renamed, deleted or replaced during the run."""

from __future__ import annotations

import os

from iota.runs import RunFolder


class FolderIdentity:
    """The place of a run, known by its ledger, which is open: no other file has its inode meanwhile."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._ledger: os.stat_result | None = None

    def take(self) -> None:
        """Remember the current file; to be called while the ledger is open."""
        self._ledger = self._folder.ledger.stat()

    def moved_away(self) -> str:
        """Sentence if the run is no longer at its path, so that nothing may be written there; empty if it is."""
        if self._ledger is None:
            return ""
        try:
            if os.path.samestat(self._folder.ledger.stat(), self._ledger):
                return ""
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError:  # a file system that is away for a moment; the next write will show
            return ""
        return (
            f"{self._folder.path} was renamed, deleted or replaced during the run, so the run has ended. Restore the"
            " folder, then continue with iota.run --resume."
        )
