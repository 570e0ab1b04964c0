"""Starts the image viewer of DIALS, with corrections for the installed wxPython."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from iota.engine.backend.installation import prepare
from iota.errors import BackendError


def show(arguments: Sequence[str]) -> None:
    """Open ``dials.image_viewer`` with these arguments and return when it is closed.

    DIALS 3.12 draws at fractions of pixels, which wxPython 4.1 and later refuse with a TypeError: the viewer dies as
    soon as there are reflections to draw.  Such calls are repeated with whole numbers.  Pickles, which files of a run
    may be or name, are read by a literal list, as everywhere (:mod:`iota.engine.viewer.guarded`).

    Raises:
        BackendError: there is no wxPython, or no display.
    """
    prepare()
    try:
        import wx
        from dials.command_line import image_viewer

        from iota.engine.viewer import guarded  # noqa: F401 - imports DIALS, which may be broken
    except ImportError as error:
        problem = f"The viewer of DIALS cannot start ({error}). Run iota.doctor to see what is missing."
        raise BackendError(problem) from error
    if not wx.App.IsDisplayAvailable():
        raise BackendError("There is no display for the viewer of DIALS. With ssh, connect with ssh -X.")
    for name in dir(wx.DC):
        method = getattr(wx.DC, name)
        if name.startswith("Draw") and callable(method):
            setattr(wx.DC, name, _taking_fractions(method))
    image_viewer.run(list(arguments))


def _taking_fractions(method: Callable[..., Any]) -> Callable[..., Any]:
    def draw(*arguments: Any, **named: Any) -> Any:
        try:
            return method(*arguments, **named)
        except TypeError:
            whole = [round(value) if isinstance(value, float) else value for value in arguments]
            return method(*whole, **{n: round(v) if isinstance(v, float) else v for n, v in named.items()})

    return draw
