"""Checks the spot-finding settings that the image page sends to a helper process."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import BeforeValidator, Field

_LARGEST = 2**31 - 1  # that DIALS takes as an integer
_THRESHOLD = "spotfinder.threshold.dispersion"
_FILTER = "spotfinder.filter"

_blank = BeforeValidator(lambda given: None if given == "" else given)
_Number = Annotated[Annotated[float, Field(ge=0, allow_inf_nan=False)] | None, _blank]
_Whole = Annotated[Annotated[int, Field(ge=0, le=_LARGEST)] | None, _blank]


def _value_of(phil: str) -> Any:
    return Query(description=f"Value of {phil} to try.")


def preview_settings(
    sigma_background: Annotated[_Number, _value_of(f"{_THRESHOLD}.sigma_background")] = None,
    sigma_strong: Annotated[_Number, _value_of(f"{_THRESHOLD}.sigma_strong")] = None,
    global_threshold: Annotated[_Number, _value_of(f"{_THRESHOLD}.global_threshold")] = None,
    kernel_size: Annotated[_Whole, _value_of(f"{_THRESHOLD}.kernel_size")] = None,
    min_local: Annotated[_Whole, _value_of(f"{_THRESHOLD}.min_local")] = None,
    gain: Annotated[_Number, _value_of(f"{_THRESHOLD}.gain")] = None,
    min_spot_size: Annotated[_Whole, _value_of(f"{_FILTER}.min_spot_size")] = None,
    max_spot_size: Annotated[_Whole, _value_of(f"{_FILTER}.max_spot_size")] = None,
    d_min: Annotated[_Number, _value_of(f"{_FILTER}.d_min (A)")] = None,
    d_max: Annotated[_Number, _value_of(f"{_FILTER}.d_max (A)")] = None,
) -> list[str]:
    """Backend assignments ``name=value`` for the settings in a query; a dependency of routes."""
    given = {
        f"{_THRESHOLD}.sigma_background": sigma_background,
        f"{_THRESHOLD}.sigma_strong": sigma_strong,
        f"{_THRESHOLD}.global_threshold": global_threshold,
        f"{_THRESHOLD}.kernel_size": None if kernel_size is None else f"{kernel_size} {kernel_size}",
        f"{_THRESHOLD}.min_local": min_local,
        f"{_THRESHOLD}.gain": gain,
        f"{_FILTER}.min_spot_size": min_spot_size,
        f"{_FILTER}.max_spot_size": max_spot_size,
        f"{_FILTER}.d_min": d_min,
        f"{_FILTER}.d_max": d_max,
    }
    return [f"{name}={value}" for name, value in given.items() if value is not None]
