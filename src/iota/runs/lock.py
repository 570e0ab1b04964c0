"""One coordinator a run: a lock that dies with its process."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from pathlib import Path
from types import TracebackType

from iota.errors import RunFolderError
from iota.runs.folder import RunFolder
from iota.runs.state import STALE_AFTER_S, RunState, read_state

_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


class RunLock:
    """Holds the lock of a run while the context lasts.

    The lock is the file system's own, so a process that dies, however it dies, leaves none behind.  Where the file
    system has none, or does not pass them on to other hosts, the heartbeat in ``state.json`` tells.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._path = folder.path / ".lock"
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock, unless it is held already.

        Raises:
            RunFolderError: another coordinator has the run.
        """
        if self._file is not None:
            return
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._close()
            raise RunFolderError(self._busy(_holder(self._path))) from error
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                self._close()
                raise RunFolderError(f"{self._path} cannot be written: {error.strerror}.") from error
        state = _state(self._folder)
        if state is not None and _is_alive(state):
            self._close()
            raise RunFolderError(self._busy(f"process {state.process_id} on {state.host}"))
        assert self._file is not None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)

    def __enter__(self) -> RunLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _busy(self, holder: str) -> str:
        return f"Run {self._folder.path} is being processed by {holder}. Wait until it is over, or stop that first."


def _holder(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip() or "another process"
    except OSError:
        return "another process"


def _state(folder: RunFolder) -> RunState | None:
    return read_state(folder.state) if folder.state.exists() else None


def _is_alive(state: RunState) -> bool:
    """Whether another coordinator still works on a run, as far as its state file tells."""
    if state.status not in ("running", "watching") or state.process_id == os.getpid():
        return False
    if state.host == socket.gethostname():
        return False  # the lock of this host's own file system was free, so that process is gone
    return time.time() - state.heartbeat < STALE_AFTER_S
