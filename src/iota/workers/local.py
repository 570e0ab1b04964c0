"""Workers on this machine: a process pool that survives crashed workers and enforces the frame time-out."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pebble import CONSTS, ProcessPool

from iota.engine.frame import worker
from iota.engine.frame.bundle import run_bundle
from iota.engine.frame.config import EngineConfig
from iota.records import Task
from iota.workers import dials

if TYPE_CHECKING:
    from iota.engine.conversion.tasks import Conversion, ConvertTask


# how often processes that died or take too long are looked for (s); 0.1 costs a coordinator of blanks a tenth more
CONSTS.sleep_unit = 0.2


class _UntilOutgrown(int):
    """Pebble's ``max_tasks`` for processes that end, between two bundles, if they use too much memory.

    Pebble compares it with the number of bundles that a process has done, in that process, before it takes the next.
    """

    def __gt__(self, _n_done: int) -> bool:
        return not worker.is_outgrown()


class LocalPool:
    """Processes with DIALS that execute one bundle of tasks after another.

    When a task exceeds its time limit, or its process dies, the future of its bundle raises, and another process takes
    the place; no other bundle notices.  Nor does any when a process that has grown is replaced.
    """

    def __init__(
        self,
        n_processes: int,
        config: EngineConfig | Conversion,
        time_limit_s: float,
        engine: ModuleType = worker,
    ) -> None:
        """Start the pool; processes are started when there is work.

        Args:
            n_processes: how many.
            config: what each of them needs to know.
            time_limit_s: longest time that one task may take (s), or several that were submitted together.
            engine: module with the functions ``start(config)`` and ``run(task)``.
        """
        self.n_processes = n_processes
        self.time_limit_s = time_limit_s
        self._run = engine.run
        self._pool = ProcessPool(
            max_workers=n_processes,
            max_tasks=_UntilOutgrown(1),
            initializer=engine.start,
            initargs=(config,),
            context=dials.start(),
        )

    def submit(self, tasks: Sequence[Task] | Sequence[ConvertTask]) -> concurrent.futures.Future[list[Any]]:
        """Queue tasks for one process; the future returns reports of the first of them, at least of one."""
        future: concurrent.futures.Future[list[Any]] = self._pool.schedule(
            run_bundle, args=(self._run, tasks), timeout=self.time_limit_s
        )
        return future

    def stop(self) -> None:
        """End all processes; tasks in progress are discarded."""
        self._pool.stop()
        self._pool.join()
