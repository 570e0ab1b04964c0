"""The result of one check of ``iota.doctor``."""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["good", "note", "absent", "bad"]


class Check(msgspec.Struct, frozen=True):
    """One check: what was found, and how to fix it. Only ``bad`` prevents runs from working."""

    name: str
    state: State
    found: str
    mend: str = ""
