"""Indexing settings to try in turn on a crystal of unknown cell, the fastest first.

On real stills with a cell axis of 152 A, the defaults index none, because the largest cell is estimated from distances
between spots, and the estimate is half as long; see docs/decisions/0002-learning-the-lattice.md.
"""

from __future__ import annotations

from iota.engine.backend import parameters as backend
from iota.records import Settings

_TRIED_IN_TURN: tuple[tuple[str, dict[str, str]], ...] = (
    ("defaults", {"indexing.stills.method_list": "fft1d"}),
    (
        "2.6 times the estimated largest cell",
        {"indexing.stills.method_list": "fft1d", "indexing.max_cell_estimation.multiplier": "2.6"},
    ),
    ("max_cell=180", {"indexing.stills.method_list": "fft1d", "indexing.max_cell": "180"}),
    ("max_cell=180, fft3d", {"indexing.stills.method_list": "fft3d", "indexing.max_cell": "180"}),
    ("max_cell=300", {"indexing.stills.method_list": "fft1d", "indexing.max_cell": "300"}),
)

_SAME_MATTER = {
    "indexing.stills.method_list": ("indexing.method", "indexing.stills.method_list"),
    "indexing.max_cell_estimation.multiplier": ("indexing.max_cell", "indexing.max_cell_estimation.multiplier"),
    "indexing.max_cell": ("indexing.max_cell", "indexing.max_cell_estimation.multiplier"),
}


def lattice_is_given(target: str) -> bool:
    """Whether the user's target contains a unit cell, so that no lattice is determined."""
    return backend.extract(target).indexing.known_symmetry.unit_cell is not None


def given_space_group(target: str) -> str | None:
    """The space group in the user's target, or None."""
    given = backend.extract(target).indexing.known_symmetry.space_group
    return None if given is None else str(given)


def settings_to_try(target: str) -> list[Settings]:
    """Settings to try in turn; parameters in the user's target are never overridden."""
    given = backend.user_settings(target)
    found: dict[str, Settings] = {}
    for label, words in _TRIED_IN_TURN:
        lines = [f"{name} = {value}" for name, value in words.items() if not given.intersection(_SAME_MATTER[name])]
        phil = "".join(f"{line}\n" for line in lines)
        found.setdefault(phil, Settings(label, phil))
    return list(found.values())
