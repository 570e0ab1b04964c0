"""Writes CrystFEL cell files: lattice type, centring, unique axis.

Source: crystfel_unitcell(5).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from cctbx import sgtbx

_WITH_AXIS = ("monoclinic", "tetragonal", "hexagonal")  # a cell file of another lattice must not name one
_MAIN_AXIS = {"monoclinic": (2,), "tetragonal": (4,), "hexagonal": (3, 6)}  # orders of rotation


class LatticeWords(NamedTuple):
    """CrystFEL's words for a lattice."""

    lattice_type: str
    centering: str
    unique_axis: str  # "*" where there is none


def lattice_words(group: Any) -> LatticeWords:
    """Words for the lattice of a space group of cctbx in its setting."""
    system, centering = group.crystal_system().lower(), group.conventional_centring_type_symbol()
    if system == "trigonal" and centering == "P" and group.info().is_reference_setting() is False:
        primitive_of_r = group.info().reference_setting().group().conventional_centring_type_symbol() == "R"
        if primitive_of_r:
            return LatticeWords("rhombohedral", "R", "*")
    lattice_type = "hexagonal" if system == "trigonal" else system
    return LatticeWords(lattice_type, "H" if centering == "R" else centering, _unique_axis(group, lattice_type))


def _unique_axis(group: Any, lattice_type: str) -> str:
    for operation in group:
        rotation = operation.r()
        if abs(rotation.type()) in _MAIN_AXIS.get(lattice_type, ()):
            axis = rotation.info().ev()
            return "abc"[max(range(3), key=lambda k: abs(axis[k]))]
    return "*"


def cell_file_text(unit_cell: Sequence[float], space_group: str) -> str:
    """A CrystFEL cell file.

    Args:
        unit_cell: a b c (A), alpha beta gamma (degrees).
        space_group: Hermann-Mauguin symbol.
    """
    words = lattice_words(sgtbx.space_group_info(space_group).group())
    lines = ["CrystFEL unit cell file version 1.0", "", f"lattice_type = {words.lattice_type}"]
    if words.lattice_type in _WITH_AXIS:
        lines.append(f"unique_axis = {words.unique_axis}")
    lines.append(f"centering = {words.centering}")
    lines += [f"{name} = {value:.3f} A" for name, value in zip("abc", unit_cell[:3], strict=True)]
    lines += [f"{name} = {value:.3f} deg" for name, value in zip(("al", "be", "ga"), unit_cell[3:], strict=True)]
    return "\n".join(lines) + "\n"
