"""Forks worker processes from one that has imported DIALS.

The coordinator itself never imports DIALS (1.2 s); questions about it are answered by this process.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import ForkServerContext
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from iota.engine.backend.installation import PRELOADED, keep_to_one_thread
from iota.errors import BackendError

if TYPE_CHECKING:
    from pebble import ProcessPool

_OF_MPI = ("OMPI_", "PMIX_", "PMI_", "MV2_", "I_MPI_", "HYDRA_", "HYDI_", "PRTE_")

_SECONDS = 900.0  # for one answer: images on a slow file system may be read for it

P = ParamSpec("P")
T = TypeVar("T")


def start() -> ForkServerContext:
    """Start the process that imports DIALS, if it is not running yet, without waiting for it.

    Returns:
        The context of ``multiprocessing`` in which to make processes; they begin as soon as DIALS is there.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", PRELOADED])  # __main__: else each process imports it
    keep_to_one_thread()
    # what processes frames is no process of MPI, and must not take itself for one
    of_mpi = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(_OF_MPI)}
    resource_tracker.ensure_running()  # which else would be started below, and let the signal through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C is for the coordinator
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.environ.update(of_mpi)
    return context


def ask(question: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
    """The result of a function of :mod:`iota.engine.frame.questions`, called in a process that has DIALS.

    Raises:
        BackendError: DIALS cannot be loaded, crashed, or did not answer in time.
        Exception: whatever the function raises.
    """
    try:
        return _answer_of(question, *arguments, **keywords)
    except ImportError as error:
        raise BackendError(f"DIALS cannot be loaded: {error}. iota.doctor explains how to fix this.") from error
    except TimeoutError as error:
        raise BackendError(f"DIALS did not answer within {_SECONDS:g} s. Run iota.doctor to find out why.") from error
    except _CrashError as error:
        try:
            _answer_of(os.getpid)
        except _CrashError:
            raise BackendError("DIALS crashes on import. iota.doctor explains how to fix this.") from error
        raise BackendError(
            "DIALS can be loaded, but crashed while the run was being prepared. A file given in the parameters, or one"
            " of the first images, may be damaged: try an image with iota.single_image."
        ) from error


class _CrashError(Exception):
    """The process with DIALS has ended."""


def _answer_of(question: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
    from pebble import ProcessExpired  # not before the process that loads DIALS is started

    answer = _answering().schedule(question, args=arguments, kwargs=keywords)
    try:
        return answer.result(timeout=_SECONDS)  # type: ignore[no-any-return]
    except FutureTimeoutError as error:
        answer.cancel()  # which ends the process
        raise TimeoutError from error
    except (BrokenProcessPool, ProcessExpired, EOFError, ConnectionError) as error:
        raise _CrashError from error


def no_more_questions() -> None:
    """Detach this process from the one that answers; a later question is answered by another one."""
    if _answering.cache_info().currsize:
        _answering().stop()
        _answering.cache_clear()


@lru_cache(maxsize=1)
def _answering() -> ProcessPool:
    """One process, which ends with this one, however that ends."""
    from pebble import ProcessPool

    return ProcessPool(max_workers=1, context=start())
