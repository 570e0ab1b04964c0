"""Whether a cell fits a space group, and the cell that does."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

from cctbx import sgtbx, uctbx

from iota.crystallography.cells import Cell, as_cell, cell_text, checked_cell
from iota.crystallography.nearness import AS_GIVEN, ONE_SETTING, is_near, is_within_fraction
from iota.errors import ParameterError


def fitted_cell(cell: Sequence[float], group: Any) -> Cell:
    """The cell with the constraints of a space group of cctbx applied, if it nearly fulfils them.

    Raises:
        ParameterError: it does not, or no crystal can have this cell.
    """
    fitted = as_cell(group.average_unit_cell(uctbx.unit_cell(checked_cell(cell))).parameters())
    if not is_near(cell, fitted, ONE_SETTING):
        raise ParameterError(
            f"{sgtbx.space_group_info(group=group)} does not fit the cell of this run, {cell_text(cell, 1)}: it demands"
            f" one like {cell_text(fitted, 1)} (Å, degrees)."
        )
    return fitted


def _is_compatible(group: Any, unit_cell: Any) -> bool:
    return bool(group.is_compatible_unit_cell(unit_cell, AS_GIVEN.length, AS_GIVEN.angle_deg))


_GENERIC = (10.0, 11.3, 12.9, 81.0, 93.0, 104.0)  # a cell that has no symmetry


def cell_problem(cell: Sequence[float], space_group: str) -> str | None:
    """A sentence if the cell is incompatible with the space group (beyond 1 % and 1 degree); None if it is compatible.

    It gives the constraints of the space group in its setting, and the same lattice with axes that would fit.
    """
    info = sgtbx.space_group_info(space_group)
    if _is_compatible(info.group(), uctbx.unit_cell(checked_cell(cell))):
        return None
    rule = _cell_rule(info.group())
    said = f"The cell {_short(cell)} does not fit {info}{f', which needs {rule}' if rule else ''}."
    axes, symbol = _other_axes(cell, info), _other_setting(cell, info)
    if axes:
        said += f" The cell {' or '.join(_short(other) for other in axes)} would fit."
    return f"{said} With {symbol} the cell would fit as it is." if symbol else said


def _short(cell: Sequence[float]) -> str:
    return " ".join(f"{round(value, 2):g}" for value in cell)


def _cell_rule(group: Any) -> str:
    """The constraints of a space group on a cell in its setting, such as ``a = b and α = β = 90°, γ = 120°``."""
    a, b, c, alpha, beta, gamma = as_cell(group.average_unit_cell(uctbx.unit_cell(_GENERIC)).parameters())
    rules = _equal({"a": a, "b": b, "c": c})
    angles = {"α": alpha, "β": beta, "γ": gamma}
    for fixed in (90, 120):
        names = [name for name, angle in angles.items() if abs(angle - fixed) < 1e-3]
        rules += [f"{' = '.join(names)} = {fixed}°"] if names else []
        angles = {name: angle for name, angle in angles.items() if name not in names}
    rules += _equal(angles)
    return " and ".join([", ".join(rules[:-1]), rules[-1]] if len(rules) > 1 else rules)


def _equal(values: dict[str, float]) -> list[str]:
    """Those of the named values that are equal, as ``a = b``; each named once."""
    groups: list[list[str]] = []
    for name, value in values.items():
        same = next((group for group in groups if abs(values[group[0]] - value) < 1e-3), None)
        if same is None:
            groups.append([name])
        else:
            same.append(name)
    return [" = ".join(group) for group in groups if len(group) > 1]


def _other_setting(cell: Sequence[float], info: Any) -> str | None:
    """The symbol of a rhombohedral group in its other setting where the cell is of that, such as ``R 3 :R``."""
    setting = info.group().match_tabulated_settings()
    if setting.extension() not in ("H", "R"):
        return None
    other = sgtbx.space_group_info(f"{setting.hermann_mauguin()} :{'R' if setting.extension() == 'H' else 'H'}")
    return str(other) if _is_compatible(other.group(), uctbx.unit_cell(checked_cell(cell))) else None


_MAX_CHOICES = 2  # of axes that are named


def _other_axes(cell: Sequence[float], info: Any) -> list[Cell]:
    """The same lattice in axes that fit: in another order, or turned from rhombohedral ones or the usual setting."""
    found: list[Cell] = []
    given = checked_cell(cell)
    orders = [(*(given[k] for k in order), *(given[3 + k] for k in order)) for order in permutations(range(3))]
    to_others = (info.change_of_basis_op_to_primitive_setting(), info.change_of_basis_op_to_reference_setting())
    turned = [uctbx.unit_cell(given).change_basis(to_other.inverse()) for to_other in to_others]
    for candidate in [*(uctbx.unit_cell(order) for order in orders), *turned]:
        if _is_compatible(info.group(), candidate):
            fitting = as_cell(candidate.parameters())
            if not any(is_within_fraction(fitting, other, AS_GIVEN.length) for other in found):
                found.append(fitting)
    return found[:_MAX_CHOICES]
