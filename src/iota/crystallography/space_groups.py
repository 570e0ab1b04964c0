"""Properties of space groups, given by their symbols."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from cctbx import sgtbx
from cctbx.sgtbx import bravais_types

from iota.crystallography.cells import volume_A3
from iota.errors import ParameterError


@lru_cache(maxsize=1000)
def is_space_group(symbol: str) -> bool:
    """Whether a text is the symbol of a space group."""
    try:
        sgtbx.space_group_info(symbol)
    except RuntimeError:
        return False
    return True


def space_group_from_symbol(symbol: str) -> Any:
    """The space group of cctbx that a symbol or number stands for.

    Raises:
        ParameterError: there is none of this name.
    """
    try:
        return sgtbx.space_group_info(symbol.strip()).group()
    except RuntimeError as error:
        raise ParameterError(
            f"{symbol.strip()!r} is not a space group. Write it like P 43 21 2, P212121 or a number from 1 to 230."
        ) from error


def bravais_symbol(space_group: str) -> str:
    """Bravais symbol of a space group, e.g. ``tP``; ``hR`` in both settings of rhombohedral groups."""
    info = sgtbx.space_group_info(space_group)
    if info.group().match_tabulated_settings().extension() == "R":
        info = info.reference_setting()
    return str(bravais_types.bravais_lattice(group=info.group()))


def crystal_system(space_group: str) -> str:
    """Crystal system of a space group, e.g. ``Tetragonal``."""
    return str(sgtbx.space_group_info(space_group).group().crystal_system())


def point_group(space_group: str) -> str:
    """Point group of a space group, e.g. ``P 4 2 2`` for P 43 21 2 and for I 4 2 2."""
    group = sgtbx.space_group_info(space_group).group().build_derived_point_group()
    return str(sgtbx.space_group_info(group=group))


def point_group_order(space_group: str) -> int:
    """Number of operations of the point group, without those of the lattice."""
    return int(sgtbx.space_group_info(space_group).group().order_p())


def without_screw_axes(space_group: str) -> str:
    """Space group with rotations in place of screw axes, in its setting and with its centring: ``I 4`` for I 41."""
    group = sgtbx.space_group_info(space_group).group().build_derived_reflection_intensity_group(anomalous_flag=True)
    return str(sgtbx.space_group_info(group=group))


def asymmetric_unit_volume_A3(cell: Sequence[float], space_group: str) -> float:
    """Volume of the asymmetric unit (A^3)."""
    return volume_A3(cell) / int(sgtbx.space_group_info(space_group).group().order_z())
