"""How a frame can end."""

from __future__ import annotations

from typing import Literal, get_args

Outcome = Literal[
    "integrated",
    "failed_import",
    "failed_triage",
    "too_many_spots",
    "failed_spotfinding",
    "failed_indexing",
    "failed_refinement",
    "failed_integration",
    "failed_filter",
    "crashed",
    "timed_out",
]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
