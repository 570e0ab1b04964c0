"""Orders to a run that goes on, from anybody who may write into its folder, on whatever machine."""

from __future__ import annotations

import contextlib
from typing import Literal, get_args

from iota.runs.folder import RunFolder

# stop: end now, what is finished is kept; finish: look for no more images, and end when all are processed
Order = Literal["stop", "finish"]


def give_order(folder: RunFolder, order: Order) -> None:
    """Tell a run what to do; it obeys within a second or two.

    Raises:
        RunFolderError: the folder cannot be written.
    """
    folder.write_text(folder.control, order + "\n")


def read_order(folder: RunFolder) -> Order | None:
    """The order that waits for a run; None when there is none."""
    try:
        text = folder.control.read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return next((order for order in get_args(Order) if order == text), None)


def clear_orders(folder: RunFolder) -> None:
    """Forget orders that were given to an earlier coordinator of the run."""
    with contextlib.suppress(OSError):
        folder.control.unlink(missing_ok=True)
