"""Checks the spot-finding settings that the image page sends to a helper process."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import BeforeValidator, Field

from iota.params.counterparts import SPOT_FINDING

_LARGEST = 2**31 - 1  # that DIALS takes as an integer

_blank = BeforeValidator(lambda given: None if given == "" else given)
_Number = Annotated[Annotated[float, Field(ge=0, allow_inf_nan=False)] | None, _blank]
_Whole = Annotated[Annotated[int, Field(ge=0, le=_LARGEST)] | None, _blank]


def _value_of(name: str, unit: str = "") -> Any:
    return Query(description=f"Value of {SPOT_FINDING[name]}{unit} to try.")


def preview_settings(
    sigma_background: Annotated[_Number, _value_of("sigma_background")] = None,
    sigma_strong: Annotated[_Number, _value_of("sigma_strong")] = None,
    global_threshold: Annotated[_Number, _value_of("global_threshold")] = None,
    kernel_size: Annotated[_Whole, _value_of("kernel_size")] = None,
    min_local: Annotated[_Whole, _value_of("min_local")] = None,
    gain: Annotated[_Number, _value_of("gain")] = None,
    min_spot_size: Annotated[_Whole, _value_of("min_spot_size")] = None,
    max_spot_size: Annotated[_Whole, _value_of("max_spot_size")] = None,
    d_min: Annotated[_Number, _value_of("d_min", " (A)")] = None,
    d_max: Annotated[_Number, _value_of("d_max", " (A)")] = None,
) -> list[str]:
    """Backend assignments ``name=value`` for the settings in a query; a dependency of routes."""
    given = {
        "sigma_background": sigma_background,
        "sigma_strong": sigma_strong,
        "global_threshold": global_threshold,
        "kernel_size": None if kernel_size is None else f"{kernel_size} {kernel_size}",
        "min_local": min_local,
        "gain": gain,
        "min_spot_size": min_spot_size,
        "max_spot_size": max_spot_size,
        "d_min": d_min,
        "d_max": d_max,
    }
    return [f"{SPOT_FINDING[name]}={value}" for name, value in given.items() if value is not None]
