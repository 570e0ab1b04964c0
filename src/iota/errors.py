"""Exceptions that end a command with a sentence for the user: input, parameters, run folder, backend.

A frame's failure is never one of these: it is a :class:`iota.records.FrameResult` with an outcome and a reason.

    IotaError               anything shown to the user as a sentence, never as a traceback
      UsageError            wrong options, parameters or paths; exit status 2
        ParameterError      a PHIL name or value that is not understood
        InputError          the input contains no images
        NotFoundError       something that was named does not exist: a run, a file, an image in it
        ConflictError       incompatible with what exists, e.g. a file of that name
      BackendError          DIALS is missing or cannot do what was asked; exit status 2
      RunFolderError        the run folder cannot be written or read (disk full, no permission, another run in it)
"""

from __future__ import annotations


class IotaError(Exception):
    """Base class; the text is one or two plain sentences that end with what to do next."""

    exit_status = 2


class UsageError(IotaError):
    """Wrong options, parameters or paths."""


class ParameterError(UsageError):
    """A PHIL name or value that is not understood."""


class InputError(UsageError):
    """The input contains no images."""


class NotFoundError(UsageError):
    """Something that was named does not exist."""


class ConflictError(UsageError):
    """A request is incompatible with existing files or state."""


class BackendError(IotaError):
    """DIALS is missing or cannot do what was asked."""


class RunFolderError(IotaError):
    """The run folder cannot be written or read."""
