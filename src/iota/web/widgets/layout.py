"""The frame of every page: header, colours, dark mode, error messages."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path

from fastapi import Request
from nicegui import app, ui

import iota.web
from iota.errors import IotaError

logger = logging.getLogger(__name__)

STATIC = Path(iota.web.__file__).with_name("static")
_DARK_COOKIE = "iota-dark"
_PLACES = (("/", "Start"), ("/runs", "Runs"))


def serve_static() -> None:
    """Serve style sheet and modules below ``/iota-static``."""
    app.add_static_files("/iota-static", STATIC)


@contextlib.contextmanager
def frame(request: Request, title: str, here: str = "") -> Iterator[None]:
    """Everything around the contents of a page.

    Args:
        request: of the page.
        title: of the page, for the browser's tab.
        here: path of the place that is marked in the header.
    """
    prefix = request.headers.get("x-forwarded-prefix", "")
    ui.page_title(f"{title} - IOTA")
    ui.colors(primary="#1f6f8b", positive="#2e7d4f", negative="#b3261e", warning="#b26a00")
    for sheet in ("iota", "forms"):
        ui.add_head_html(f'<link rel="stylesheet" href="{prefix}/iota-static/{sheet}.css?v={iota.__version__}">')
    script = f"{prefix}/iota-static/access.js?v={iota.__version__}"
    ui.add_head_html(f'<script src="{script}" data-prefix="{prefix}"></script>')
    dark = ui.dark_mode(_is_dark(request))
    with ui.header(bordered=False, elevated=False).classes("iota-header row items-center no-wrap gap-2"):
        ui.link("IOTA", "/").classes("iota-logo")
        for path, name in _PLACES:
            ui.link(name, path).classes("iota-here" if path == here else "")
        ui.space()
        ui.label(f"v{iota.__version__}").classes("iota-muted gt-xs")
        button = ui.button(icon="contrast", on_click=lambda: _toggle(dark)).props("flat round dense")
        button.tooltip("Dark or light mode").props('aria-label="Dark or light mode"')
    yield


def _is_dark(request: Request) -> bool | None:
    """What was chosen in this browser; None follows the system."""
    return {"1": True, "0": False}.get(request.cookies.get(_DARK_COOKIE, ""))


def _toggle(dark: ui.dark_mode) -> None:
    is_dark = not dark.value if dark.value is not None else True
    dark.set_value(is_dark)
    ui.run_javascript(f'document.cookie = "{_DARK_COOKIE}={int(is_dark)}; path=/; max-age=31536000; samesite=lax"')


@contextlib.contextmanager
def sentences() -> Iterator[None]:
    """Show what goes wrong as a sentence; what nobody foresaw goes to the server's log as well."""
    try:
        yield
    except IotaError as error:
        notify_error(str(error))
    except Exception:
        logger.exception("Unexpected error in a page")
        notify_error("An unexpected error occurred; see the terminal of the server for details.")


def notify_error(text: str) -> None:
    """Show a sentence that stays until it is read."""
    close = {"label": "Close", "color": "white"}
    ui.notify(text, type="negative", multi_line=True, timeout=0, actions=[close], classes="iota-path")


def ago(seconds_since_epoch: float) -> str:
    """When something was, for people: ``3 min ago`` or a date."""
    past = time.time() - seconds_since_epoch
    if past < 60:
        return "now"
    if past < 3600:
        return f"{past / 60:.0f} min ago"
    if past < 86400:
        return f"{past / 3600:.0f} h ago"
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds_since_epoch))


def duration(seconds: float) -> str:
    """A time for people: ``45 s``, ``3 min 10 s``, ``2 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:.0f} min"
