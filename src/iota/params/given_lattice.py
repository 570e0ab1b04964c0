"""The unit cell and space group that the user gave in the target, read without the backend."""

from __future__ import annotations

from pathlib import Path

from iota.errors import ParameterError
from iota.params import safe_text
from iota.symmetry import Cell, cell_from_text

_SCOPE = "indexing.known_symmetry."


def given_lattice(target: Path) -> tuple[Cell, str] | None:
    """Cell and space group (P 1 if none) that a user gave for a run; None where no cell was given.

    A target that cannot be read gives none: whoever runs it says what is wrong.
    """
    try:
        definitions = safe_text.parse(target.read_text(encoding="utf-8")).all_definitions()
        words = {item.path: " ".join(word.value for word in item.object.words) for item in definitions}
        cell, space_group = (words.get(f"{_SCOPE}{name}", "None") for name in ("unit_cell", "space_group"))
        if cell == "None":
            return None
        return cell_from_text(cell), "P 1" if space_group == "None" else space_group
    except (OSError, UnicodeDecodeError, ParameterError):
        return None
