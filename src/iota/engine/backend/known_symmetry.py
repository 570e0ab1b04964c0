"""Sets the parameters of the backend for a known cell and space group."""

from __future__ import annotations

from iota.crystallography.cells import Cell
from iota.crystallography.compatibility import cell_problem
from iota.crystallography.metric_symmetry import cell_in_setting_of
from iota.params.to_backend import phil
from iota.records import Settings


def known_symmetry_phil(cell: Cell | None, space_group: str | None) -> str:
    """Backend PHIL that gives a cell, a space group or both as known."""
    text = ""
    if cell is not None:
        text += phil("cctbx_xfel.target_unit_cell", " ".join(f"{x:.4f}" for x in cell))
    if space_group is not None:
        text += phil("cctbx_xfel.target_space_group", f'"{space_group}"')
    return text


def with_lattice(label: str, cell: Cell, space_group: str, given_space_group: str | None) -> Settings:
    """Settings for frames of a determined lattice; a space group given by the user is kept if it fits.

    The cell is turned into the setting of that group, such as P 21 1 1 or R 3 :R.
    """
    if given_space_group is None:
        return Settings(label, known_symmetry_phil(cell, space_group))
    turned = cell_in_setting_of(cell, space_group, given_space_group) or cell
    fits = cell_problem(turned, given_space_group) is None  # also a group of lower symmetry
    return Settings(label, known_symmetry_phil(turned, given_space_group if fits else space_group))
