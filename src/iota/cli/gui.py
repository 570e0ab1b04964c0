"""``iota``: the graphical interface, which runs in the browser."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

import iota
from iota.cli.unread import ends_when_unread
from iota.errors import IotaError, UsageError
from iota.installation import predecessor_warning
from iota.params import is_assignment

_DESCRIPTION = """\
The graphical interface of IOTA: a small server on this machine, and a page in the browser. Runs go on when the page is
closed or the server ends.
"""
_EXAMPLES = """\
examples
  iota                                   an empty start page; runs are written below the current folder
  iota ./images/                         with these images
  iota iota.param                        with the parameters of a script
  iota script.param mp.n_processors=8    with a script, and some of it changed
  iota --watch /data/visit -n 16         ready to process images as they arrive

from another machine
  ssh -L 8765:localhost:8765 beamline, start iota --no-browser there, and open the address that it prints here.
  Behind a proxy (nginx, jupyter-server-proxy) say how people see the server: --base-url https://host/iota

exit status
  0 the server was stopped, 2 wrong use, or there is no port for it
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
        help="what fills the start page: scripts (.param, .phil), images, folders, lists, parameters",
    )
    parser.add_argument("-n", "--nproc", type=int, metavar="N", help="number of processes for runs")
    parser.add_argument("-w", "--watch", action="store_true", help="monitor mode is on")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.add_argument("--port", type=int, default=0, help="port (default: that of last time, or the first free one)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--base-url", default="", metavar="URL", help="address under which a proxy shows the server")
    parser.add_argument("--version", action="version", version=f"IOTA {iota.__version__}")
    return parser


@ends_when_unread
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = make_parser().parse_intermixed_args(argv)
    errors = Console(stderr=True, highlight=False)
    warning = predecessor_warning()
    if warning:
        errors.print(f"Warning: {warning}", markup=False, soft_wrap=True)
    try:
        return _serve(options)
    except IotaError as error:
        errors.print(f"iota: {error}", markup=False, soft_wrap=True)
        return error.exit_status


def _serve(options: argparse.Namespace) -> int:
    arguments = [*options.arguments]
    if options.nproc is not None:
        if options.nproc < 1:
            raise UsageError("-n needs a number of processes, 1 or more.")
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
    console = Console(highlight=False)
    console.print(f" IOTA {iota.__version__}: {server.address.url}", markup=False, soft_wrap=True)
    console.print(
        f" Runs are written below {Path.cwd()}. Ctrl-C ends the server; runs go on.", markup=False, soft_wrap=True
    )
    if not options.no_browser and _has_display():
        threading.Timer(0.5, webbrowser.open, [server.address.url]).start()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server.serve()
    return 0


def _has_display() -> bool:
    """Whether a browser has a place to open in; in a bare terminal it would take over the terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


if __name__ == "__main__":
    sys.exit(main())
