"""Addresses of the start page, filled from a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlencode


def start_link(
    run_id: str, *, inputs: Iterable[Path] = (), values: Mapping[str, str] | None = None, setting: str = ""
) -> str:
    """Address of the start page with the settings of a run.

    Args:
        run_id: whose settings; its inputs too, where no others are given.
        inputs: what is processed instead of the inputs of the run.
        values: parameters that are changed.
        setting: name of a parameter whose dialog opens.
    """
    words = [("recover", run_id)]
    words += [("input", str(path)) for path in inputs]
    words += [("set", f"{name}={value}") for name, value in (values or {}).items()]
    if setting:
        words.append(("setting", setting))
    return f"/?{urlencode(words)}"
