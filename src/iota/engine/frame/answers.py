"""Answers the questions of the coordinator (:mod:`iota.engine.frame.questions`), with DIALS."""

from __future__ import annotations

from iota.engine.backend.installation import dials_version
from iota.engine.backend.ladder import given_space_group, ladder, lattice_is_given
from iota.engine.backend.parameters import is_backend_name, nearest_name, target_text, with_lines
from iota.engine.frame.tasks import make_engine
from iota.engine.preparation.preparation import prepare

__all__ = [
    "dials_version",
    "given_space_group",
    "is_backend_name",
    "ladder",
    "lattice_is_given",
    "make_engine",
    "nearest_name",
    "prepare",
    "target_text",
    "with_lines",
]
