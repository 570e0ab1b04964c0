"""Opens ``dials.image_viewer`` on the server's screen, if it has one."""

from __future__ import annotations

import os
import time

from iota.errors import BackendError, ConflictError
from iota.processes.command import Command
from iota.web.image.frames import Shown

_SURE_AFTER_S = 4.0  # a viewer that is still there then has found its display


def open_viewer(image: Shown) -> str:
    """Open the viewer on a frame, with its experiments and reflections where its run kept them.

    Returns:
        A sentence.

    Raises:
        ConflictError: there is no display.
        BackendError: the viewer did not start.
    """
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise ConflictError(
            "The server has no display, so dials.image_viewer cannot be opened. Start the server in a session with a"
            " display (a desktop, or ssh -X)."
        )
    files = [image.file("experiments"), image.file("reflections") or image.file("strong")]
    arguments = [file for file in files if file] if files[0] else [image.frame.path]
    viewer = Command("iota.image_viewer", arguments)
    deadline = time.monotonic() + _SURE_AFTER_S
    while time.monotonic() < deadline:
        if viewer.exit_status is not None:
            raise BackendError(f"dials.image_viewer did not open: {viewer.sentence}")
        time.sleep(0.1)
    return "dials.image_viewer has been opened on the display of the server."
