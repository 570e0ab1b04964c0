"""Gets the parameter definitions of the installed backend from another process, and caches them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.util
import sys
from pathlib import Path

import msgspec

import iota
from iota.atomic_files import write_atomically
from iota.engine.questions import DEFINITIONS
from iota.errors import UsageError
from iota.params.forms import Definitions, Form
from iota.processes.question import NoAnswerError
from iota.web.places import cache_folder


class Backend:
    """The form of the backend's parameters, as soon as it is known. One for each server."""

    def __init__(self) -> None:
        self.dials = ""
        self.form: Form | None = None
        self.problem = ""
        self._asking: asyncio.Task[None] | None = None

    async def ready(self) -> Form | None:
        """Wait for the form; None where there is a problem. DIALS is asked once, whoever waits."""
        if self.form is None and not self.problem:
            if self._asking is None:
                self._asking = asyncio.create_task(self._ask())
            await asyncio.shield(self._asking)
        return self.form

    def again(self) -> None:
        """Forget that there was a problem: somebody may have mended it."""
        self.problem, self._asking = "", None

    async def _ask(self) -> None:
        try:
            found = await asyncio.to_thread(lambda: kept() or ask())
        except NoAnswerError as error:
            self.problem = str(error)
        else:
            self.form = await asyncio.to_thread(Form.from_text, found.phil)
            self.dials = found.dials


def kept() -> Definitions | None:
    """Definitions of the installed DIALS as they were kept; None where they were not, or DIALS or IOTA is another."""
    path = _path()
    if path is None:
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Definitions)
    except (OSError, msgspec.DecodeError):
        return None


def ask() -> Definitions:
    """Ask a process for the definitions and keep them; takes about as long as starting DIALS, 2 to 5 s.

    Raises:
        NoAnswerError: DIALS does not load.
    """
    found = DEFINITIONS.ask(None)
    path = _path()
    if path is not None:
        _keep(path, found)
    return found


def _keep(path: Path, found: Definitions) -> None:
    with contextlib.suppress(OSError):  # a home that is full or read-only: they are asked for again the next time
        write_atomically(path, msgspec.json.encode(found).decode())


def _path() -> Path | None:
    """File in the user's cache for this installation of DIALS and this IOTA; None without DIALS.

    An upgrade writes the program's file anew, so its time tells one DIALS from the next without importing it.
    """
    spec = importlib.util.find_spec("dials")
    if spec is None or not spec.submodule_search_locations:
        return None
    program = Path(spec.submodule_search_locations[0], "command_line", "stills_process.py")
    iotas = Path(iota.__file__).parent  # what has its defaults for the backend, and its words on them
    own = [*(iotas / "params").rglob("*.py"), *(iotas / "engine" / "backend").glob("*.py")]
    try:
        times = [file.stat().st_mtime_ns for file in (program, *sorted(own))]
        folder = cache_folder()
    except (OSError, UsageError):
        return None
    key = f"{program} {times} {sys.version} {iota.__version__}"
    return folder / f"backend_{hashlib.blake2b(key.encode(), digest_size=8).hexdigest()}.json"
