"""``iota``: starts the server of the browser interface."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import stat
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from rich.console import Console

import iota
from iota.cli.broken_pipe import ends_on_broken_pipe
from iota.errors import IotaError, UsageError
from iota.installation import predecessor_warning
from iota.params import is_assignment
from iota.web.access.browser_page import BrowserPage
from iota.web.access.running import running_server

_DESCRIPTION = """\
The graphical interface of IOTA: a small server on this machine, and a page in the browser. Runs continue when the page
is closed or the server is stopped.
"""
_EXAMPLES = """\
examples
  iota                                   an empty start page; runs are written below the current folder
  iota ./images/                         with these images
  iota iota.param                        with the parameters of a script
  iota script.param mp.n_processors=8    with a script, and some of its parameters changed
  iota --watch /data/visit -n 16         ready to process images as they arrive
  iota --address                         a new address of the running server, for another browser

from another machine
  ssh -L 8765:127.0.0.1:8765 beamline, start iota --no-browser there, and open the address that it prints here.
  It works once, within an hour; iota --address prints another.
  Behind a proxy (nginx, jupyter-server-proxy), give the public address: --base-url https://host/iota

exit status
  0 the server was stopped, 2 usage error, or no port is available
"""


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="iota",
        usage="iota [options] [SCRIPT ...] [PATH ...] [name=value ...]",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EXAMPLES,
    )
    parser.add_argument(
        "arguments",
        nargs="*",
        metavar="SCRIPT | PATH | name=value",
        help="initial contents of the start page: scripts (.param, .phil), images, folders, lists, parameters",
    )
    parser.add_argument("-n", "--nproc", type=int, metavar="N", help="number of processes for runs")
    parser.add_argument("-w", "--watch", action="store_true", help="turn monitor mode on")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument(
        "--address",
        action="store_true",
        help="print a new address of the server running in this folder; it can be opened once, within an hour",
    )
    asked.add_argument(
        "--token",
        action="store_true",
        help="print the token with which programs access the server running in this folder",
    )
    parser.add_argument("--port", type=int, default=0, help="port (default: the one used last, or the first free one)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--base-url", default="", metavar="URL", help="public address of the server behind a proxy")
    parser.add_argument("--version", action="version", version=f"IOTA {iota.__version__}")
    return parser


@ends_on_broken_pipe
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = make_parser().parse_intermixed_args(argv)
    errors = Console(stderr=True, highlight=False)
    warning = predecessor_warning()
    if warning:
        errors.print(f"Warning: {warning}", markup=False, soft_wrap=True)
    try:
        if options.address or options.token:
            server = running_server()
            print(server.new_address() if options.address else server.token)
            return 0
        return _serve(options)
    except IotaError as error:
        errors.print(f"iota: {error}", markup=False, soft_wrap=True)
        return error.exit_status


def _serve(options: argparse.Namespace) -> int:
    arguments = [*options.arguments]
    if options.nproc is not None:
        if options.nproc < 1:
            raise UsageError("-n must be 1 or more processes.")
        arguments.append(f"mp.n_processors={options.nproc}")
    if options.watch:
        arguments.append("gui.monitor_mode=True")
    for argument in arguments:
        if (
            Path(argument).suffix in (".param", ".phil")
            and not is_assignment(argument)
            and not Path(argument).is_file()
        ):
            raise UsageError(f"There is no script {argument}.")
    from iota.web.server import Server  # a second that --help need not wait

    server = Server(Path.cwd(), arguments, host=options.host, port=options.port, base_url=options.base_url)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    address = server.running.new_address()
    with server.running.announced(), contextlib.ExitStack() as at_end:
        _tell(server.running.url, address)
        if not options.no_browser and _has_display():
            page = BrowserPage(address, server.running.port)
            at_end.callback(page.remove)
            server.application.entered = page.used
            opening = threading.Timer(0.5, page.open)
            opening.daemon = True  # some browsers are waited for
            opening.start()
        server.serve()
    return 0


def _tell(url: str, address: str) -> None:
    """Print the address of the server; its word is not written to a file that others can read."""
    console = Console(highlight=False)
    is_seen = _is_file_for_others(sys.stdout)
    lines = [f"IOTA {iota.__version__}: {url if is_seen else address}"]
    if is_seen:
        lines.append(
            "This output can be read by others, so the address is incomplete: iota --address prints a complete one."
        )
    lines.append(f"Runs are written below {Path.cwd()}. Ctrl-C stops the server; runs continue.")
    for line in lines:
        console.print(f" {line}", markup=False, soft_wrap=True)


def _is_file_for_others(output: TextIO) -> bool:
    try:
        found = os.fstat(output.fileno())
    except (OSError, ValueError):  # closed, or no file at all
        return False
    return stat.S_ISREG(found.st_mode) and bool(found.st_mode & (stat.S_IRGRP | stat.S_IROTH))


def _has_display() -> bool:
    """Whether a browser can open a window; in a bare terminal, it would take over the terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


if __name__ == "__main__":
    sys.exit(main())
