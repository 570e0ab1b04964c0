"""The interface that all kinds of workers implement."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Sequence
from typing import Protocol

from iota.records import Report, Task


class Workers(Protocol):
    """The interface between the coordinator and workers."""

    n_processes: int

    def submit(self, tasks: Sequence[Task]) -> concurrent.futures.Future[list[Report]]:
        """Queue tasks for one worker; the future returns reports of the first of them, at least of one."""

    def stop(self) -> None:
        """End all workers; tasks in progress are discarded."""
