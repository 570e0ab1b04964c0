"""Runs dials.stills_process; on Debian with the empty module without which it indexes nothing."""

import sys

from iota.engine.backend.installation import prepare

prepare()

from dials.command_line.stills_process import Script  # noqa: E402

if __name__ == "__main__":
    Script().run(sys.argv[1:])
