"""``iota.image_viewer``: look at frames with the viewer of DIALS."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from iota.errors import IotaError
from iota.installation import predecessor_warning


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="iota.image_viewer",
        description="Opens dials.image_viewer, mended where the installed wxPython would end it as soon as there are"
        " reflections to draw. All arguments are those of dials.image_viewer.",
        epilog="Example: iota.image_viewer integration/001/dials/img_1_integrated.expt"
        " integration/001/dials/img_1_integrated.refl",
    )
    parser.add_argument("arguments", nargs="+", metavar="FILE | name=value", help="images, .expt and .refl files")
    options = parser.parse_args(argv)
    warning = predecessor_warning()
    if warning:
        print(f"iota.image_viewer: {warning}", file=sys.stderr)
    try:
        from iota.engine.viewer import show  # imports DIALS

        show(options.arguments)
    except IotaError as error:
        print(f"iota.image_viewer: {error}", file=sys.stderr)
        return error.exit_status
    return 0
