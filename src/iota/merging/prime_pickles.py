"""Checks integration pickles before PRIME reads them, since PRIME executes what a pickle contains."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from iota.errors import UsageError

_HELD = {  # by what the engine writes
    "cctbx.miller": {"array"},
    "cctbx.sgtbx": {"space_group_info"},
    "cctbx.xray.observation_types": {"intensity"},
    "cctbx_array_family_flex_ext": {"miller_index"},
    "cctbx_orientation_ext": {"crystal_orientation"},
    "cctbx_sgtbx_ext": {"change_of_basis_op", "space_group"},
    "cctbx_uctbx_ext": {"unit_cell"},
    "scitbx_array_family_flex_ext": {"double", "grid", "vec2_double", "vec3_double"},
}


class _Nothing:
    """Takes the place of every object in a pickle."""

    def __init__(self, *_: Any) -> None: ...

    def __setstate__(self, _: Any) -> None: ...


_InPython: Any = pickle._Unpickler


class _CheckingUnpickler(_InPython):  # type: ignore[misc]
    def find_class(self, module: str, name: str) -> Any:
        if name not in _HELD.get(module, ()):
            raise pickle.UnpicklingError(f"it contains {module}.{name}")
        return _Nothing


def check_integration_pickle(path: Path) -> None:
    """Check that a pickle has the contents of an integration pickle, without constructing any of them.

    Raises:
        UsageError: it cannot be read, or holds something else.
    """
    if "\n" in str(path):
        raise UsageError(f"PRIME reads a list of paths, one per line, and {str(path)!r} contains a line break.")
    try:
        with path.open("rb") as file:
            _CheckingUnpickler(file).load()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except Exception as error:  # whatever damaged bytes lead to
        why = str(error) if isinstance(error, pickle.UnpicklingError) else "it is damaged"
        raise UsageError(f"{path} is not an integration pickle of a run ({why}) and is not passed to PRIME.") from error
