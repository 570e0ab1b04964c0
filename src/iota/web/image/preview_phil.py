"""Settings of spot finding that the image page lets people try, as PHIL; nothing else gets into a helper process."""

from __future__ import annotations

import math
from collections.abc import Mapping

from iota.errors import UsageError

_DISPERSION = "spotfinder.threshold.dispersion"
NAMES = {
    "sigma_background": (f"{_DISPERSION}.sigma_background", float),
    "sigma_strong": (f"{_DISPERSION}.sigma_strong", float),
    "global_threshold": (f"{_DISPERSION}.global_threshold", float),
    "kernel_size": (f"{_DISPERSION}.kernel_size", int),
    "min_local": (f"{_DISPERSION}.min_local", int),
    "gain": (f"{_DISPERSION}.gain", float),
    "min_spot_size": ("spotfinder.filter.min_spot_size", int),
    "max_spot_size": ("spotfinder.filter.max_spot_size", int),
    "d_min": ("spotfinder.filter.d_min", float),
    "d_max": ("spotfinder.filter.d_max", float),
}


def assignments(given: Mapping[str, str]) -> list[str]:
    """Backend assignments ``name=value`` for the settings in a query; others are left alone.

    Raises:
        UsageError: a value is no number, or one that means nothing.
    """
    found = []
    for name, (phil, kind) in NAMES.items():
        text = given.get(name, "").strip()
        if not text:
            continue
        try:
            value = kind(text)
        except ValueError as error:
            raise UsageError(f"{name.replace('_', ' ')} is a number, not {text[:20]}.") from error
        if not math.isfinite(value) or value < 0:
            raise UsageError(f"{name.replace('_', ' ')} is 0 or more, not {text[:20]}.")
        found.append(f"{phil}={value} {value}" if name == "kernel_size" else f"{phil}={value:g}")
    return found
