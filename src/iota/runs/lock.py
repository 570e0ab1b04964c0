"""The lock that lets only one coordinator work on a run, also on file systems without locks.

Three things show that a run is in use: the lock of the file system (``flock``) on ``.lock``; the process recorded in
this file; and the one in ``state.json``.  The first is reliable where it works.  Where it does not, as on Lustre
mounted without it, or if the file was deleted, a process on this machine is looked up, and one on another machine is
watched: it gives a sign of life every second.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType

import msgspec

from iota.errors import RunFolderError
from iota.runs.folder import RunFolder
from iota.runs.process import ProcessMark, own_mark
from iota.runs.state import STALE_AFTER_S, RunState, read_state

_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
_BEAT_S = 1.0  # between two signs of life
_WATCH_S = 5.0  # for a sign of life of another machine, whose clock may be wrong
_PATIENCE_S = 5.0  # with a file system that does not answer, when the run is over
_SETTLE_S = 1.0  # without locks of the file system: for another process that took the run at the same moment


class LostRunError(RunFolderError):
    """Another process has taken over the run."""


class _Claim(msgspec.Struct, frozen=True):
    """The contents of the lock file."""

    process: ProcessMark
    token: str  # of one lock


class RunLock:
    """Holds a run while the context lasts, and notices when another process has taken it."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._path = folder.path / ".lock"
        self._own = _Claim(own_mark(), secrets.token_hex(8))
        self._file: int | None = None
        self._place: os.stat_result | None = None  # of the folder
        self._gone: set[ProcessMark] = set()  # whose claims are void
        self._over = threading.Event()
        self._keeper: threading.Thread | None = None
        self._verifying = threading.Lock()
        self._lost = ""  # to whom
        self._verified = 0.0  # when it was last seen that the run is ours

    @property
    def is_lost(self) -> bool:
        """Whether another process has taken the run; nothing may be written into its folder any more."""
        return bool(self._lost)

    def acquire(self, tell: Callable[[str], None] = lambda _: None) -> None:
        """Acquire the run, unless this process already has it.

        Args:
            tell: is told when it takes some seconds.

        Raises:
            RunFolderError: another coordinator has the run, or its folder cannot be written.
        """
        if self._file is not None:
            return
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            self._place = self._folder.path.stat()
            has_lock = _flock(self._file)
            self._refuse_if_taken(tell, has_lock=has_lock)
            self._write_claim()
            if not has_lock:
                time.sleep(_SETTLE_S)
                self._verify()
        except BlockingIOError as error:
            holder = _claim(self._file)
            self._close()
            raise self._busy(str(holder.process) if holder else "another process") from error
        except OSError as error:
            self._close()
            raise RunFolderError(f"{self._path} cannot be written: {error.strerror}.") from error
        except BaseException:
            self._close()
            raise
        if self._lost:
            self._close()
            raise self._busy(self._lost)
        self._verified = time.time()
        self._over.clear()
        self._keeper = threading.Thread(target=self._keep, name="run-lock", daemon=True)
        self._keeper.start()

    def check(self) -> None:
        """Check whether the run is still ours; usually takes no time.

        Raises:
            LostRunError: another process works on it.
        """
        if not self._lost and abs(time.time() - self._verified) > 3 * _BEAT_S:  # this process was stopped for a while
            with contextlib.suppress(OSError):
                self._verify()
        if self._lost:
            raise LostRunError(
                f"Run {self._folder.path} was taken over by {self._lost} while this process was unresponsive, or"
                " because its lock file was deleted. This process stops; finished images are kept."
            )

    def __enter__(self) -> RunLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        if self._keeper is not None:
            self._keeper.join(_PATIENCE_S)
        with contextlib.suppress(OSError):
            if self._file is not None and _claim(self._file) == self._own:
                os.ftruncate(self._file, 0)
        self._close()

    # -- taking it

    def _refuse_if_taken(self, tell: Callable[[str], None], *, has_lock: bool) -> None:
        """Check other claims to the run, besides the lock of the file system.

        Raises:
            RunFolderError: another coordinator has the run.
        """
        assert self._file is not None
        for process, last_sign in self._claims(has_lock=has_lock):
            lives = process.lives
            if lives is None:
                self._watch(process, last_sign, tell)
            elif lives:
                raise self._busy(str(process))
            self._gone.add(process)

    def _claims(self, *, has_lock: bool) -> Iterator[tuple[ProcessMark, float]]:
        """Other processes that claim the run, and the times of their last signs of life (s since the epoch)."""
        assert self._file is not None
        claim = _claim(self._file)
        if claim is not None and claim.process != self._own.process:
            yield claim.process, os.fstat(self._file).st_mtime
        state = _state(self._folder)
        if state is None or not state.claims_work:
            return
        # earlier versions write no mark; on their own host the lock of the file system decides where there is one
        mark = state.process or ProcessMark(state.host, "", state.process_id, 0)
        is_old_and_here = state.process is None and state.host == self._own.process.host
        if mark not in (self._own.process, *self._gone) and not (is_old_and_here and has_lock):
            yield mark, state.heartbeat

    def _watch(self, process: ProcessMark, last_sign: float, tell: Callable[[str], None]) -> None:
        """Check whether a process on another machine is working on the run.

        Raises:
            RunFolderError: it does, or it did until a moment ago.
        """
        silent_s = time.time() - last_sign
        if abs(silent_s) < STALE_AFTER_S:
            raise RunFolderError(
                f"Run {self._folder.path} was being processed by {process} {max(0, round(silent_s))} s ago. It"
                " is on another machine or in another container, so its state cannot be determined from here. Stop it"
                f" there or, if it no longer exists, try again in {round(STALE_AFTER_S - silent_s)} s."
            )
        tell(f"The run was being processed by {process}; waiting {_WATCH_S:.0f} s for a sign of life.")
        before = self._signs()
        deadline = time.monotonic() + _WATCH_S
        while time.monotonic() < deadline:
            time.sleep(0.2)
            if self._signs() != before:
                raise self._busy(f"{process}, whose clock differs from the one here")

    def _signs(self) -> tuple[int, float]:
        """The values that a process working on the run changes every second."""
        changed = 0
        with contextlib.suppress(OSError), self._path.open("rb") as file:  # opened: else network file systems remember
            changed = os.fstat(file.fileno()).st_mtime_ns
        state = _state(self._folder)
        return changed, 0.0 if state is None else state.heartbeat

    def _write_claim(self) -> None:
        assert self._file is not None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, msgspec.json.encode(self._own) + b"\n", 0)
        os.fsync(self._file)

    def _busy(self, holder: str) -> RunFolderError:
        return RunFolderError(
            f"Run {self._folder.path} is being processed by {holder}. Wait until it has finished, or stop it first."
        )

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    # -- keeping it

    def _keep(self) -> None:
        """Give signs of life, and check whether the run is still ours; in a separate thread."""
        while not self._over.wait(_BEAT_S) and not self._lost:
            with contextlib.suppress(OSError):  # a disk that is full or away for a while loses no run
                self._verify()
                os.utime(self._path)

    def _verify(self) -> None:
        """Check whether another process has taken the run, and restore the lock file if it was deleted."""
        with self._verifying:
            self._lost = self._lost or self._taken_by()
            self._verified = time.time()

    def _taken_by(self) -> str:
        """The process that has taken the run, empty if there is none; a deleted or emptied lock file is restored."""
        state = _state(self._folder)
        if state is not None and state.claims_work and state.process not in (None, self._own.process, *self._gone):
            return str(state.process)
        if self._place is None or not os.path.samestat(self._folder.path.stat(), self._place):
            return ""  # another folder is in its place: nothing is written there, and the run finds out by itself
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            claim = _claim(file)
            if claim is not None and claim != self._own and claim.process.lives is not False:
                return str(claim.process)
            if self._file is not None and os.path.samestat(os.fstat(file), os.fstat(self._file)):
                if claim is None:
                    self._write_claim()
                return ""
            with contextlib.suppress(BlockingIOError):  # then somebody is just looking at it
                _flock(file)
                file, self._file = self._file or -1, file
                self._write_claim()
            return ""
        finally:
            if file >= 0:
                os.close(file)


def _flock(file: int) -> bool:
    """Lock a file; returns whether the file system has locks.

    Raises:
        BlockingIOError: another process holds it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True


def _claim(file: int | None) -> _Claim | None:
    """The contents of a lock file; None if it is empty or was written by an earlier version."""
    try:
        return None if file is None else msgspec.json.decode(os.pread(file, 4096, 0), type=_Claim)
    except (OSError, msgspec.DecodeError):
        return None


def _state(folder: RunFolder) -> RunState | None:
    try:
        return read_state(folder.state)
    except RunFolderError:
        return None
