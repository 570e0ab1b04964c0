"""Per-user folders for settings, caches and files of running servers."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
from pathlib import Path

import msgspec

from iota.errors import UsageError


def state_folder() -> Path:
    """Folder of what a user did before, as the XDG rules say; made when it is not there.

    Raises:
        UsageError: it cannot be made, or others can write to it.
    """
    return _made(Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "iota")


def cache_folder() -> Path:
    """Folder of what can be made again, as the XDG rules say; made when it is not there.

    Raises:
        UsageError: it cannot be made, or others can write to it.
    """
    return _made(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "iota")


def runtime_folder() -> Path:
    """Folder of what ends with a process: that of the session where there is one, else the one of the state.

    Raises:
        UsageError: it cannot be made, or others can write to it.
    """
    session = os.environ.get("XDG_RUNTIME_DIR")
    with contextlib.suppress(UsageError):
        if session and Path(session).is_dir():
            return _made(Path(session) / "iota")
    return state_folder()


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read, whatever was there before; it is never there in part.

    Raises:
        UsageError: the folder cannot be written.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        beside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise UsageError(
            f"{path} cannot be written: {error.strerror}. Set XDG_STATE_HOME to a writable folder."
        ) from error


class LastPort(msgspec.Struct):
    """The port of a project's last server, which the next one takes, so that pages that are open find it again."""

    port: int = 0  # 0: none yet

    @classmethod
    def of(cls, project: Path) -> LastPort:
        """That of a project.  Files of earlier versions also hold a token, which opens nothing any more."""
        try:
            return msgspec.json.decode(_port_path(project).read_bytes(), type=cls)
        except (OSError, msgspec.DecodeError):
            return cls()

    def keep(self, project: Path) -> None:
        """Write it down.

        Raises:
            UsageError: the folder cannot be written.
        """
        write_private(_port_path(project), msgspec.json.encode(self))


def _port_path(project: Path) -> Path:
    digest = hashlib.blake2b(str(project.absolute()).encode(), digest_size=8).hexdigest()
    return state_folder() / f"server-{digest}.json"


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
        if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & 0o077:
            folder.chmod(0o700)
            found = folder.stat()
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be created: {error.strerror}. Set XDG_STATE_HOME to another folder."
        ) from error
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise UsageError(
            f"{folder} belongs to another user, or others can write to it. Set XDG_STATE_HOME to a folder of your own."
        )
    return folder
