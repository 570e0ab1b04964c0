"""Captures the log output of the backend for each frame."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

_BACKEND_LOGGERS = ("dials", "dxtbx", "py.warnings")


@contextlib.contextmanager
def frame_log() -> Iterator[io.StringIO]:
    """Collect what DIALS logs and prints within the context; nothing reaches the terminal or other frames."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter("%(message)s"))
    loggers = [logging.getLogger(name) for name in _BACKEND_LOGGERS]
    before = [(logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.handlers[:] = [handler]
        logger.setLevel(logging.INFO)
        logger.propagate = False
    try:
        with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text), warnings.catch_warnings():
            warnings.simplefilter("default")
            yield text
    finally:
        for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
            logger.handlers[:] = handlers
            logger.setLevel(level)
            logger.propagate = propagate
