"""Entry points of ``iota.run`` and ``iota.doctor``, which first start loading DIALS.

For the former, a separate process starts loading DIALS before this one imports anything. The latter reports what is
missing even if it needs this itself.

Processes made by ``multiprocessing`` import the program's main module, too, which is one more reason to keep it small.
"""

from __future__ import annotations

import os
import sys

from iota.cli.broken_pipe import ends_on_broken_pipe
from iota.requirements.locks import compare, install_command
from iota.workers import dials

_WITHOUT_DIALS = frozenset(("-h", "--help", "--version", "--completion", "--stop", "--finish", "--analyze"))


@ends_on_broken_pipe
def run() -> int:
    """Run the command; returns its exit status."""
    try:
        if _needs_dials():
            dials.start()
        from iota.cli.run import main  # 0.3 s, in which the process that has DIALS starts
    except KeyboardInterrupt:
        sys.stderr.write("iota.run: stopped before processing began.\n")
        return 130
    return main()


def doctor() -> int:
    """Run ``iota.doctor``; returns its exit status."""
    try:
        from iota.cli.doctor import main  # needs packages that may be missing
    except ModuleNotFoundError as error:
        missing = ", ".join(compare().missing) or str(error.name).partition(".")[0]
        sys.stderr.write(
            f"iota.doctor: these Python packages are not installed: {missing}. Install what IOTA needs:"
            f" {install_command(['run'])}\n"
        )
        return 1
    return main()


def _needs_dials() -> bool:
    """Whether the command may need DIALS; shell completion does not."""
    options = (argument.partition("=")[0] for argument in sys.argv[1:])
    return _WITHOUT_DIALS.isdisjoint(options) and "_ARGCOMPLETE" not in os.environ


if __name__ == "__main__":
    sys.exit(run())
