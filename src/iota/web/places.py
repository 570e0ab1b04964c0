"""Where the web interface keeps what outlives it: in the user's own folders, never in a project."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

import msgspec

from iota.errors import UsageError


def state_folder() -> Path:
    """Folder of what a user did before, as the XDG rules say; made when it is not there.

    Raises:
        UsageError: it cannot be made.
    """
    return _made(Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "iota")


def cache_folder() -> Path:
    """Folder of what can be made again, as the XDG rules say; made when it is not there.

    Raises:
        UsageError: it cannot be made.
    """
    return _made(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "iota")


class ServerMemory(msgspec.Struct):
    """What a server of a project takes over from the one before, so that pages that are open find it again."""

    token: str
    port: int = 0  # 0: none yet

    @classmethod
    def of(cls, project: Path) -> ServerMemory:
        """Memory of the last server of a project, or a new one with a new token."""
        try:
            return msgspec.json.decode(_memory_path(project).read_bytes(), type=cls)
        except (OSError, msgspec.DecodeError):
            return cls(token=secrets.token_urlsafe(24))

    def keep(self, project: Path) -> None:
        """Write it down, readable by its owner only.

        Raises:
            UsageError: the folder cannot be written.
        """
        path = _memory_path(project)
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(msgspec.json.encode(self))
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}. Set XDG_STATE_HOME to a folder.") from error


def _memory_path(project: Path) -> Path:
    digest = hashlib.blake2b(str(project.absolute()).encode(), digest_size=8).hexdigest()
    return state_folder() / f"server-{digest}.json"


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made: {error.strerror}. Set XDG_STATE_HOME to another place.") from error
    return folder
