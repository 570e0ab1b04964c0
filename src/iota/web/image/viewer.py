"""``dials.image_viewer``, opened on the screen of the server where it has one."""

from __future__ import annotations

import os
import time

from iota.errors import UsageError
from iota.processes.command import Command
from iota.web.image.frames import Shown

_SURE_AFTER_S = 4.0  # a viewer that is still there then has found its display


def open_viewer(image: Shown) -> str:
    """Open the viewer on a frame, with its experiments and reflections where its run kept them.

    Returns:
        A sentence.

    Raises:
        UsageError: there is no display, or the viewer did not start.
    """
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise UsageError(
            "The server has no display for dials.image_viewer, so the image stays here in the browser. Started in a"
            " session with a display (ssh -X, a desktop), the server opens it."
        )
    files = [image.file("experiments"), image.file("reflections") or image.file("strong")]
    arguments = [file for file in files if file] if files[0] else [image.frame.path]
    viewer = Command("iota.image_viewer", arguments)
    deadline = time.monotonic() + _SURE_AFTER_S
    while time.monotonic() < deadline:
        if viewer.exit_status is not None:
            raise UsageError(f"dials.image_viewer did not open: {viewer.sentence}")
        time.sleep(0.1)
    return "dials.image_viewer is open on the screen of the server."
