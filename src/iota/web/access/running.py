"""Registers running servers, so that their owner's programs and commands find them."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec

from iota.errors import UsageError
from iota.runs.process import process_lives
from iota.web.access.keys import new_word
from iota.web.places import state_folder, write_private


class RunningServer(msgspec.Struct, frozen=True, kw_only=True):
    """A server of a project.  Don't create this directly, get it from :func:`running_server`."""

    project: str
    """The project folder."""
    url: str
    """Address, without a secret."""
    port: int
    """TCP port on this machine."""
    token: str
    """Token of programs."""
    host: str = msgspec.field(default_factory=socket.gethostname)
    """Host of the server."""
    process_id: int = msgspec.field(default_factory=os.getpid)
    """Process number of the server."""

    def __repr__(self) -> str:
        """Return where it is; the token does not come into logs and notebooks."""
        return f"<Server of {self.project} at {self.url}>"

    @property
    def headers(self) -> dict[str, str]:
        """What a program sends with each request."""
        return {"Authorization": f"Bearer {self.token}"}

    def new_address(self) -> str:
        """An address that lets one browser in, once, within the hour."""
        return f"{self.url}/?token={new_word(self.token)}"

    @contextlib.contextmanager
    def announced(self) -> Iterator[None]:
        """Let the owner find it while the context lasts.

        Raises:
            UsageError: the folder cannot be written.
        """
        path = _folder() / f"server-{self.host}-{self.port}.json"
        write_private(path, msgspec.json.encode(self))
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                path.unlink()

    def _lives(self) -> bool:
        return self.host != socket.gethostname() or process_lives(self.process_id)


def running_server(project: str | os.PathLike[str] = ".") -> RunningServer:
    """The server of a project that this user started; of several the last.

    Raises:
        UsageError: none is running.
    """
    wanted = os.path.realpath(project)
    found = _running()
    for server in found:
        if os.path.realpath(server.project) == wanted:
            return server
    others = ", ".join(sorted({server.project for server in found}))
    then = f"; one is running for {others}. Change to that folder" if others else ". Type iota to start one"
    raise UsageError(f"No server is running for {wanted}{then}.")


def _running() -> list[RunningServer]:
    """All that live, the last first."""
    found = []
    for path in _folder().glob("server-*.json"):
        with contextlib.suppress(OSError, msgspec.DecodeError):
            server = msgspec.json.decode(path.read_bytes(), type=RunningServer)
            if server._lives():
                found.append((path.stat().st_mtime, server))
    return [server for _, server in sorted(found, key=lambda entry: -entry[0])]


def _folder() -> Path:
    folder = state_folder() / "servers"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
