"""IOTA's parameters and the parameters of the backend that they set: one table, read in both directions.

Of several values for one parameter of the backend, the last in this order is used: the default of
``dials.stills_process``, the default of IOTA, the target file, the command line, and a parameter of IOTA that is
changed from its default.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import msgspec

from iota.params import safe_text

_DISPERSION = "spotfinder.threshold.dispersion"
UNIT_CELL, SPACE_GROUP = "indexing.known_symmetry.unit_cell", "indexing.known_symmetry.space_group"
MASKS = {scope: f"{scope}.lookup.mask" for scope in ("spotfinder", "integration")}
GAINS = (f"{_DISPERSION}.gain", "integration.summation.detector_gain")
# Settings of spot finding that are tried in a grid search and on the image page, by their short names
SPOT_FINDING = {
    "sigma_background": f"{_DISPERSION}.sigma_background",
    "sigma_strong": f"{_DISPERSION}.sigma_strong",
    "global_threshold": f"{_DISPERSION}.global_threshold",
    "kernel_size": f"{_DISPERSION}.kernel_size",
    "min_local": f"{_DISPERSION}.min_local",
    "gain": f"{_DISPERSION}.gain",
    "min_spot_size": "spotfinder.filter.min_spot_size",
    "max_spot_size": "spotfinder.filter.max_spot_size",
    "d_min": "spotfinder.filter.d_min",
    "d_max": "spotfinder.filter.d_max",
}

# Defaults of IOTA where only the backend has a parameter. Why the Ewald proximal volume limit is not that of
# stills_process: docs/decisions/0002-learning-the-lattice.md
OWN_DEFAULTS = {
    "indexing.stills.ewald_proximal_volume_max": "0.03",
    "integration.debug.delete_shoeboxes": "True",
}


class Counterpart(msgspec.Struct, frozen=True):
    """Parameters of IOTA, nearly always one, and the parameters of the backend that all have the same value from it.

    ``to_backend`` makes PHIL words from values, or None where they set nothing. ``from_backend`` makes texts, as in a
    form (:class:`iota.params.fields.Field`), from words without quotes; None if IOTA cannot express them.
    """

    own: tuple[str, ...]
    backend: tuple[str, ...]
    to_backend: Callable[..., str | None] = str
    from_backend: Callable[[str], tuple[str, ...] | None] = lambda words: (words,)
    unless: str = ""  # value of IOTA's parameter that sets nothing
    becomes: str = ""  # how the value is converted, in words; empty where it stays the same
    at_import: bool = False  # part of reading an image, and of no use for an image that was converted
    is_copied: bool = False  # a run makes a file of its own from the one that is named

    def words(self, values: Any) -> str | None:
        """PHIL words for the backend from the values of IOTA's parameters, as attributes; None sets nothing."""
        return self.to_backend(*(value_of(values, name) for name in self.own))

    def is_changed(self, values: Any, defaults: Any) -> bool:
        """Whether any of its IOTA parameters differs from its default."""
        return any(_differ(value_of(values, name), value_of(defaults, name)) for name in self.own)


def value_of(values: Any, name: str) -> Any:
    """Value of a parameter by its full name."""
    return reduce(getattr, name.split("."), values)


def _differ(value: Any, default: Any) -> bool:
    if value is None or default is None:  # types of cctbx cannot be compared with None
        return value is not default
    return bool(value != default)


def _unless_none(write: Callable[[Any], str]) -> Callable[[Any], str | None]:
    return lambda value: None if value is None else write(value)


def _unless_false(write: Callable[[Any], str]) -> Callable[[Any], str | None]:
    return lambda value: write(value) if value else None


def _number(value: float) -> str:
    return f"{value:g}"


def _cell(cell: Any) -> str:
    return " ".join(map(_number, cell.parameters()))


def _in_quotes(value: Any) -> str:
    return f'"{value}"'


def _methods(use_fft3d: bool) -> str:
    return "fft1d fft3d" if use_fft3d else "fft1d"


def _use_fft3d(methods: str) -> tuple[str, ...] | None:
    return {"fft1d fft3d": ("True",), "fft1d": ("False",)}.get(methods)


def _centre(x: float, y: float) -> str | None:
    return f"{x:g} {y:g}" if x or y else None


def _x_y(centre: str) -> tuple[str, ...] | None:
    found = tuple(centre.replace(",", " ").split())
    return found if len(found) == 2 else None


COUNTERPARTS = (
    Counterpart(("data_selection.image_triage.flag_on",), ("dispatch.hit_finder.enable",)),
    Counterpart(
        ("data_selection.image_triage.minimum_Bragg_peaks",), ("dispatch.hit_finder.minimum_number_of_reflections",)
    ),
    Counterpart(
        ("image_import.mask",),
        tuple(MASKS.values()),
        _unless_false(safe_text.quoted),
        unless="None",
        becomes="path of the copy in the run folder",
        at_import=True,
        is_copied=True,
    ),
    Counterpart(
        ("image_import.crystfel_geometry",),
        ("crystfel.geometry",),
        _unless_false(safe_text.quoted),
        unless="None",
        at_import=True,
    ),
    Counterpart(
        ("image_import.distance",),
        ("geometry.detector.distance",),
        _unless_false(_number),
        unless="0",
        at_import=True,
    ),
    Counterpart(
        ("image_import.beam_center.x", "image_import.beam_center.y"),
        ("geometry.detector.fast_slow_beam_centre",),
        _centre,
        _x_y,
        unless="0 0",
        becomes="x y",
        at_import=True,
    ),
    Counterpart(("image_import.gain",), GAINS, _unless_false(_number), unless="None"),
    Counterpart(("cctbx_xfel.target_space_group",), (SPACE_GROUP,), _unless_none(_in_quotes), unless="None"),
    Counterpart(("cctbx_xfel.target_unit_cell",), (UNIT_CELL,), _unless_none(_cell), unless="None"),
    Counterpart(
        ("cctbx_xfel.use_fft3d",),
        ("indexing.stills.method_list",),
        _methods,
        _use_fft3d,
        becomes="fft1d fft3d, or fft1d if False",
    ),
    Counterpart(
        ("cctbx_xfel.auto_threshold",),
        (f"{_DISPERSION}.global_threshold",),
        _unless_false(lambda _: "Auto"),
        {"Auto": ("True",)}.get,
        unless="False",
        becomes="Auto",
    ),
    Counterpart(
        ("cctbx_xfel.resolution_limits.low",), ("spotfinder.filter.d_max",), _unless_none(_number), unless="None"
    ),
    Counterpart(
        ("cctbx_xfel.resolution_limits.high",), ("spotfinder.filter.d_min",), _unless_none(_number), unless="None"
    ),
    Counterpart(("cctbx_xfel.significance_filter.flag_on",), ("significance_filter.enable",)),
    Counterpart(("cctbx_xfel.significance_filter.sigma",), ("significance_filter.isigi_cutoff",)),
    Counterpart(
        ("advanced.reference_geometry",),
        ("input.reference_geometry",),
        _unless_false(safe_text.quoted),
        unless="None",
        at_import=True,
    ),
)


class Found(msgspec.Struct, frozen=True):
    """A parameter of IOTA by which values for the backend are determined from images."""

    own: str
    backend: tuple[str, ...]
    value: str  # what is found, in words
    per_image: bool  # otherwise once, before the run, and written into its target


FOUND = (
    Found("image_import.beamstop", tuple(MASKS.values()), "mask with the shadow of the beamstop", per_image=False),
    Found("image_import.estimate_gain", GAINS, "estimated gain", per_image=False),
    Found(
        "cctbx_xfel.grid_search.type",
        tuple(SPOT_FINDING[name] for name in ("min_spot_size", "sigma_background", "sigma_strong")),
        "spot area, 1.5 times the spot height and 0.75 times the signal height of the best result",
        per_image=True,
    ),
    Found(
        "cctbx_xfel.learning.flag_on",
        (SPACE_GROUP, UNIT_CELL),
        "lattice on which images agree, if no unit cell is given",
        per_image=True,
    ),
    Found(
        "cctbx_xfel.learning.try_settings_in_turn",
        ("indexing.stills.method_list", "indexing.max_cell", "indexing.max_cell_estimation.multiplier"),
        "settings for larger cells, unless they are given",
        per_image=True,
    ),
)

OF_OWN = {name: counterpart for counterpart in COUNTERPARTS for name in counterpart.own}
OF_BACKEND = {name: counterpart for counterpart in COUNTERPARTS for name in counterpart.backend}
