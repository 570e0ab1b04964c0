"""Orders to a running run, stop and finish, given through its folder."""

from __future__ import annotations

import contextlib
from typing import Literal, get_args

from iota.atomic_files import write_atomically
from iota.errors import RunFolderError
from iota.runs.folder import RunFolder
from iota.runs.state import is_at_work, read_state

# stop: end now, what is finished is kept; finish: look for no more images, and end when all are processed
Order = Literal["stop", "finish"]


def give_order(folder: RunFolder, order: Order) -> None:
    """Tell a run what to do; it obeys within a second or two.

    Raises:
        RunFolderError: the folder cannot be written, as when its disk is full; says how to do without.
    """
    try:
        write_atomically(folder.control, order + "\n")
    except OSError as error:
        raise RunFolderError(f"Run {folder.number} was not told to {order}: {_why(folder, error)}") from error


def _why(folder: RunFolder, error: OSError) -> str:
    """Why an order cannot be written, and how to end the run without one."""
    why = f"{folder.control} cannot be written: {error.strerror}."
    with contextlib.suppress(RunFolderError):
        state = read_state(folder.state)
        if is_at_work(state) and state.status != "queued":
            return f"{why} Make room and try again, or end it on {state.host} with: kill {state.process_id}"
    return f"{why} Make room and try again."


def read_order(folder: RunFolder) -> Order | None:
    """The pending order for a run; None if there is none."""
    try:
        text = folder.control.read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return next((order for order in get_args(Order) if order == text), None)


def clear_orders(folder: RunFolder) -> None:
    """Forget orders that were given to an earlier coordinator of the run."""
    with contextlib.suppress(OSError):
        folder.control.unlink(missing_ok=True)
