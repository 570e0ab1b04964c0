"""Refuses locators of LCLS data (XTC), which dxtbx would evaluate.

Any text file that is given as an image is first tried as a locator.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iota.errors import ParameterError
from iota.params import safe_text


def read_locator(master_phil: Any, user_phil: str, strict: bool = False) -> Any:
    """Parameters of a locator, read as values only; stands for ``FormatXTC.params_from_phil``.

    Args:
        master_phil: definitions of the parameters.
        user_phil: path of the file.
        strict: whether there may be no others.

    Returns:
        The parameters; None for what is no locator.
    """
    definitions = {item.path: item.object for item in master_phil.all_definitions()}
    try:
        source = safe_text.parse(Path(user_phil).read_text(encoding="utf-8"), f"file {user_phil}")
        safe_text.check_numbers(definitions, source)
        scope, unknown = master_phil.fetch(sources=[source], track_unused_definitions=True)
        return None if strict and unknown else scope.extract()
    except (OSError, ValueError, RuntimeError, ParameterError):
        return None
