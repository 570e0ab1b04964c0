"""``dials.image_viewer``, opened on the screen of the server where it has one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from iota.errors import UsageError
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
    program = Path(sys.executable).with_name("iota.image_viewer")
    try:
        process = subprocess.Popen(
            [str(program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    except OSError as error:
        raise UsageError(f"The viewer cannot be started: {error.strerror}.") from error
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.extend(process.stderr or ()), daemon=True)
    reader.start()  # reads on as long as the viewer is open, or its pipe would fill
    deadline = time.monotonic() + _SURE_AFTER_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            reader.join(1)
            last = said[-1].strip() if said else "it ended at once"
            raise UsageError(f"dials.image_viewer did not open: {last}")
        time.sleep(0.1)
    return "dials.image_viewer is open on the screen of the server."
