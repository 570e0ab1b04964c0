"""Answers the questions of the coordinator (:mod:`iota.engine.frame.questions`), with DIALS."""

from __future__ import annotations

from iota.engine.backend.indexing_settings import given_space_group, lattice_is_given, settings_to_try
from iota.engine.backend.installation import dials_version
from iota.engine.backend.parameters import is_backend_name, nearest_name, target_text, with_lines
from iota.engine.frame.tasks import make_engine
from iota.engine.preparation.preparation import prepare

__all__ = [
    "dials_version",
    "given_space_group",
    "is_backend_name",
    "lattice_is_given",
    "make_engine",
    "nearest_name",
    "prepare",
    "settings_to_try",
    "target_text",
    "with_lines",
]
