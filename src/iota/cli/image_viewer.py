"""``iota.image_viewer``: the image viewer of DIALS."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from iota.cli.broken_pipe import ends_on_broken_pipe
from iota.errors import IotaError
from iota.installation import predecessor_warning

_DESCRIPTION = """\
Open dials.image_viewer, with a correction for versions of wxPython with which it crashes when it draws reflections.
"""
_EXAMPLES = """\
example
  iota.image_viewer integration/001/dials/img_1_integrated.expt integration/001/dials/img_1_integrated.refl

exit status
  0 the window was closed, 2 usage error, or no display, viewer or DIALS available
"""


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="iota.image_viewer",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "arguments",
        nargs="+",
        metavar="FILE | name=value",
        help="images, .expt and .refl files, and parameters, as for dials.image_viewer",
    )
    return parser


@ends_on_broken_pipe
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = make_parser().parse_args(argv)
    warning = predecessor_warning()
    if warning:
        print(f"iota.image_viewer: {warning}", file=sys.stderr)
    try:
        from iota.engine.viewer.viewer import show  # imports DIALS, 1.2 s: not for --help

        show(options.arguments)
    except IotaError as error:
        print(f"iota.image_viewer: {error}", file=sys.stderr)
        return error.exit_status
    return 0
