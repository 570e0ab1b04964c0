"""Parameters in PHIL: definitions, scripts and command lines, and scripts of earlier versions."""

from iota.params.definitions import MASTER_PHIL
from iota.params.scripts import (
    Parameters,
    choices,
    defaults,
    full_text,
    is_assignment,
    read,
    script_text,
    sort_arguments,
)

__all__ = [
    "MASTER_PHIL",
    "Parameters",
    "choices",
    "defaults",
    "full_text",
    "is_assignment",
    "read",
    "script_text",
    "sort_arguments",
]
