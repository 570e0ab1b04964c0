"""The server: assembles pages and API into one application, and runs it on loopback."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import ctypes
import logging
import os
import socket
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI
from nicegui import ui

from iota.errors import UsageError
from iota.web.access.guard import Access
from iota.web.access.head import HeadAsGet
from iota.web.access.keys import Keys
from iota.web.access.limits import BodyLimit, Connection
from iota.web.access.running import RunningServer
from iota.web.api import reports as report
from iota.web.api.routes import add_api
from iota.web.pages import image as image_page
from iota.web.pages import run as run_page
from iota.web.pages import runs as runs_page
from iota.web.pages import start as start_page
from iota.web.places import LastPort
from iota.web.projects.projects import Projects
from iota.web.site import Site
from iota.web.widgets import layout

FIRST_PORT = 8765
_N_PORTS = 100
_ENDED_WITHIN_S = 5.0
_M_ARENA_MAX = -8  # malloc.h of glibc


@dataclass(frozen=True)
class Address:
    """Where a server listens and how people see it."""

    host: str
    port: int
    base_url: str = ""  # under which a proxy shows it

    @property
    def url(self) -> str:
        """The address on this machine or behind the proxy, without a word that lets anybody in."""
        if "://" in self.base_url:
            return self.base_url.rstrip("/")
        host = "127.0.0.1" if self.host in ("127.0.0.1", "localhost", "") else self.host
        if host == "0.0.0.0":
            host = socket.getfqdn()
        return f"http://{host}:{self.port}{self.base_url.rstrip('/')}"


class Server:
    """A server of one project; make it, tell people its address, then :meth:`serve`."""

    def __init__(
        self,
        project: Path,
        arguments: Sequence[str] = (),
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        base_url: str = "",
    ) -> None:
        """Take a port.

        Args:
            project: folder below which ``integration/NNN`` is.
            arguments: scripts, paths and name=value that fill the start page.
            host: address of this machine that is listened on.
            port: 0 takes the one of the last server of this project, or the first that is free.
            base_url: address or path under which a proxy shows the server.

        Raises:
            UsageError: the port is taken, or the host is not one of this machine.
        """
        self._socket = _listen(host, [port] if port else _ports(LastPort.of(project).port))
        port = self._socket.getsockname()[1]
        LastPort(port).keep(project)
        keys = Keys()
        url = Address(host, port, base_url).url
        self.running = RunningServer(project=str(project.absolute()), url=url, port=port, token=keys.token)
        self.site = Site(Projects(project), tuple(arguments))
        self.application = Access(BodyLimit(HeadAsGet(make_app(self.site))), keys, port, base_url)

    def serve(self) -> None:
        """Answer until a person stops the server."""
        _share_one_heap()
        config = uvicorn.Config(
            self.application,
            http=Connection,
            log_level="warning",
            access_log=False,
            ws_max_size=16 * 1024 * 1024,
            timeout_graceful_shutdown=1,
            server_header=False,
        )
        with contextlib.suppress(KeyboardInterrupt):
            _Uvicorn(config).run(sockets=[self._socket])


def _share_one_heap() -> None:
    """Have all threads take memory from one place: where each has its own, glibc keeps what each once needed."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


class _Uvicorn(uvicorn.Server):
    """A server that ends when it is told to, whatever its threads wait for."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end, and end for good some seconds later."""
        super().handle_exit(sig, frame)
        atexit.register(_end_at_once)
        last = threading.Timer(_ENDED_WITHIN_S, _end_at_once)
        last.daemon = True
        last.start()


def _end_at_once() -> None:
    """End without clearing the memory away object by object, which takes seconds on a busy machine."""
    for output in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            output.flush()
    os._exit(0)


def make_app(site: Site) -> FastAPI:
    """The application with all pages and the API, without its guard."""
    app = make_api(site)
    register_pages(site)
    app.include_router(report.make_router(site.projects))
    ui.run_with(app, title="IOTA", favicon=layout.STATIC / "iota.svg", reconnect_timeout=30, show_welcome_message=False)
    for name in ("nicegui", "uvicorn.error", "iota.web.api.errors"):
        logging.getLogger(name).addFilter(_is_worth_telling)
    logging.getLogger("nicegui").setLevel(logging.WARNING)
    return app


def make_api(site: Site) -> FastAPI:
    """What programs ask, without pages."""
    app = FastAPI(title="IOTA", docs_url=None, redoc_url=None, openapi_url="/api/openapi.json")
    add_api(app, site.projects, site.pixels)
    return app


def _is_worth_telling(record: logging.LogRecord) -> bool:
    """False for what is nobody's fault.

    A browser went on to another page before it had its answer, of which Starlette makes an error, or the server ended
    before somebody had one.
    """
    error = record.exc_info[1] if record.exc_info else None
    is_gone = isinstance(error, RuntimeError) and str(error) == "No response returned."
    is_end = isinstance(error, asyncio.CancelledError) or str(record.msg).startswith("Cancel %s running task")
    return not (is_gone or is_end)


def register_pages(site: Site) -> None:
    """Make all pages known."""
    layout.serve_static()
    for page in (start_page, runs_page, run_page, image_page):
        page.register(site)


def _ports(last: int) -> list[int]:
    return [*([last] if last else []), *range(FIRST_PORT, FIRST_PORT + _N_PORTS)]


def _listen(host: str, ports: Sequence[int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in ports:
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((host, port))
            found.listen(128)
        except OSError as error:
            found.close()
            if error.errno != 98:  # anything but "in use" is the same for all ports
                raise UsageError(f"The server cannot listen on {host}:{port}: {error.strerror}.") from error
            continue
        return found
    one = f"Port {ports[0]} is" if len(ports) == 1 else f"All ports from {ports[0]} to {ports[-1]} are"
    raise UsageError(f"{one} in use. Choose another with --port, or omit the option.")
