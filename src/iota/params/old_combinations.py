"""Translates parameters of earlier versions whose meaning depends on one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from iota.crystallography.space_groups import bravais_symbol

Values = Mapping[str, str]  # by full name in the script


class Meaning(msgspec.Struct):
    """The current meaning of some parameters."""

    assignments: list[tuple[str, str]] = []  # name and value
    told: list[str] = []  # names that are told to be read so; none for all
    replaces: set[str] = set()  # other names in the script that do not count beside it
    objection: str = ""  # a sentence, without its stop, where they mean nothing


class Combination(msgspec.Struct, frozen=True):
    """A rule: which names of a script it is about, and what they mean."""

    among: frozenset[str]
    meaning: Callable[[Values], Meaning]
    applies: Callable[[set[str]], bool] = lambda names: True

    def names(self, script: Sequence[Any]) -> set[str]:
        """Names in a script, a sequence of things with a ``path``, that this rule is about."""
        paths = {said.path for said in script}
        return paths & self.among if self.applies(paths) else set()


def _has(name: str) -> Callable[[set[str]], bool]:
    """A rule applies to scripts that have this name."""
    return lambda names: name in names


def _given(value: str) -> bool:
    return value not in ("None", "")


# -- the crystal

_LATTICE = {
    "triclinic": "a", "monoclinic": "m", "orthorhombic": "o", "tetragonal": "t", "hexagonal": "h", "cubic": "c"
}  # fmt: skip
# Rotational symmetry of each Bravais lattice.
_GROUPS = {
    "aP": "P1",
    "mP": "P2",
    "mC": "C2",
    "mI": "I2",
    "oP": "P222",
    "oC": "C222",
    "oI": "I222",
    "oF": "F222",
    "tP": "P422",
    "tI": "I422",
    "hP": "P622",
    "hR": "R32:H",
    "cP": "P432",
    "cI": "I432",
    "cF": "F432",
}


def _bravais_lattice(values: Values) -> Meaning:
    """Give the Bravais lattice of LABELIT as a point group."""
    short = {name.rsplit(".", 1)[-1]: value for name, value in values.items()}
    kind, centring = short.get("target_lattice_type", "None"), short.get("target_centering_type", "None")
    if kind == centring == "None":
        return Meaning()
    # a rhombohedral lattice has the centring R, whatever was written
    symbol = "hR" if kind == "rhombohedral" else _LATTICE.get(kind, "") + ("P" if centring == "None" else centring)
    said = f"target_lattice_type={kind} {{}} target_centering_type={centring}"
    if symbol not in _GROUPS:
        return Meaning(
            objection=f"{said.format('with')} is not a Bravais lattice: give cctbx_xfel.target_space_group instead"
        )
    return Meaning([("cctbx_xfel.target_space_group", _GROUPS[symbol])], said.split(" {} "))


def _lattice_group(values: Values) -> Meaning:
    """The point group by which results of LABELIT were filtered stood for the lattice: P 4 for all tetragonal ones."""
    ((_, group),) = values.items()
    name = "cctbx_xfel.selection.prefilter.target_pointgroup"
    if not _given(group):
        return Meaning()
    try:
        return Meaning([(name, _GROUPS[bravais_symbol(group.strip("\"'"))])])
    except (RuntimeError, KeyError):
        return Meaning([(name, group)])  # who reads it says what is wrong with it


_PREFILTER_2015 = {
    "target_unit_cell": "cctbx_xfel.selection.prefilter.target_unit_cell",
    "target_uc_tolerance": "cctbx_xfel.selection.prefilter.target_uc_tolerance",
}


def _prefilter_2015(values: Values) -> Meaning:
    """Cell and tolerance of the prefilter, which were separate parameters, without effect if it was off."""
    return Meaning([(_PREFILTER_2015[name], value) for name, value in values.items()])


def _no_group_2015(values: Values) -> Meaning:
    return Meaning(
        objection="target_space_group had no effect in that version and is ignored;"
        " to index in a space group, use cctbx_xfel.target_space_group"
    )


# -- spot finding


_MANY_POINTS = 50  # the default grid of all later versions has 25
_AREA_AND_HEIGHT = {"a": "area", "h": "height"}


def _first_grids(values: Values) -> Meaning:
    """The grid of the first versions, by its limits or by averages with deviations.

    Some began with heights at which DIALS, unlike DISTL, takes noise for spots; these are searched from the centre.
    """
    found: dict[str, str] = {}
    n_points = 1
    for letter, name in _AREA_AND_HEIGHT.items():
        try:
            low, high = _limits(values, letter)
        except (KeyError, ValueError):
            continue
        median = max(1, (low + high + 1) // 2)
        reach = max(0, median - low)
        found |= {f"{name}_median": f"{median}", f"{name}_range": f"{reach}"}
        n_points *= 2 * reach + 1
    if "grid_search.flag_on" in values:
        kind = "smart" if n_points > _MANY_POINTS else "brute_force"
        found["type"] = kind if values["grid_search.flag_on"] == "True" else "no_grid_search"
    return Meaning([(f"cctbx_xfel.grid_search.{name}", value) for name, value in found.items()])


def _limits(values: Values, letter: str) -> tuple[int, int]:
    """Minimum and maximum area or height. Raises KeyError, ValueError: neither is given, or one is not a number."""
    given = {end: values.get(f"grid_search.{letter}_{end}") for end in ("min", "max", "avg", "std")}
    numbers = {end: int(float(value)) for end, value in given.items() if value is not None}
    if not numbers:
        raise KeyError(letter)
    if numbers.keys() & {"avg", "std"}:
        middle, reach = numbers.get("avg", {"a": 5, "h": 4}[letter]), numbers.get("std", 2)
        return middle - reach, middle + reach
    return numbers.get("min", 1), numbers.get("max", 10)


_FIRST_GRIDS = frozenset(f"grid_search.{letter}_{end}" for letter in "ah" for end in ("min", "max", "avg", "std"))


# -- images


def _input_list(values: Values) -> Meaning:
    """One image, or a list of images; they went before the folder that was given."""
    for name in ("advanced.single_img", "input_list"):
        if _given(values.get(name, "None")):
            return Meaning([("input", values[name])], [name], {"input"})
    return Meaning()


def _prefix(values: Values) -> Meaning:
    """Names of converted images, when they were given by one parameter: Auto, None or a prefix."""
    ((_, prefix),) = values.items()
    if prefix == "Auto":
        return Meaning([("image_import.rename_pickle", "auto_filename")])
    if not _given(prefix):
        return Meaning([("image_import.rename_pickle", "keep_file_structure")])
    return Meaning([("image_import.rename_pickle", "custom_filename"), ("image_import.rename_pickle_prefix", prefix)])


def _conversion(values: Values) -> Meaning:
    """Conversion could be switched off; images were then not made square."""
    short = {name.rsplit(".", 1)[-1]: value for name, value in values.items()}
    square = short.get("square_mode", "no_modification")
    if short["convert_images"] == "False" or not _given(square):
        square = "no_modification"
    return Meaning(
        [("image_import.convert_images", short["convert_images"]), ("image_import.square_mode", square)],
    )


# -- pictures


def _pictures(values: Values) -> Meaning:
    kind = "no_visualization"
    if _given(values.get("pred_img", "None")) or values.get("advanced.pred_img.flag") == "True":
        kind = "cv_vectors" if values.get("advanced.pred_img.cv_vectors") == "True" else "integration"
    return Meaning([("analysis.viz", kind)])


def _charts(values: Values) -> Meaning:
    return Meaning([("analysis.charts", str("True" in values.values()))])


_LABELIT = ("cctbx", "cctbx_ha14")
COMBINATIONS: tuple[Combination, ...] = (
    *(
        Combination(frozenset({f"{scope}.target_lattice_type", f"{scope}.target_centering_type"}), _bravais_lattice)
        for scope in (*_LABELIT, "cctbx_xfel")
    ),
    *(
        Combination(frozenset({f"{scope}selection.prefilter.target_pointgroup"}), _lattice_group)
        for scope in ("", *(f"{scope}." for scope in _LABELIT))
    ),
    Combination(frozenset({"target_pointgroup"}), _lattice_group, _has("flag_prefilter")),
    Combination(frozenset(_PREFILTER_2015), _prefilter_2015, _has("flag_prefilter")),
    Combination(frozenset({"target_space_group"}), _no_group_2015, _has("flag_prefilter")),
    Combination(_FIRST_GRIDS | {"grid_search.flag_on"}, _first_grids, lambda names: bool(names & _FIRST_GRIDS)),
    Combination(frozenset({"input_list", "advanced.single_img"}), _input_list),
    Combination(
        frozenset({"image_conversion.rename_pickle_prefix"}),
        _prefix,
        lambda names: "image_conversion.rename_pickle" not in names,
    ),
    *(
        Combination(
            frozenset({f"{scope}.convert_images", f"{scope}.square_mode"}),
            _conversion,
            _has(f"{scope}.convert_images"),
        )
        for scope in ("advanced", "image_conversion")
    ),
    Combination(frozenset({"pred_img", "advanced.pred_img.flag", "advanced.pred_img.cv_vectors"}), _pictures),
    Combination(frozenset({"advanced.charts", "advanced.mosaicity_plot"}), _charts),
)

# -- two backends in one script

_CHOICES = ("advanced.integrate_with", "integrate_with", "advanced.processing_backend")
# What only LABELIT used, beside its scope.
_LABELIT_IMPORT = (
    "image_conversion.rename_pickle",
    "image_conversion.rename_pickle_prefix",
    "image_conversion.square_mode",
    "advanced.flip_beamXY",
)


def leave_out(script: Values) -> tuple[set[str], str]:
    """Names in a script of the time of two backends that only the other one had, and a sentence without its stop."""
    choice = next((name for name in _CHOICES if name in script), None)
    if choice is None:
        return set(), ""
    backend = script[choice]
    if backend in ("cctbx", "ha14"):
        # cctbx_xfel, the scope of today, was the other one's while there was a scope for HA14
        scopes = ["dials", *(["cctbx_xfel"] if _in_scope(script, "cctbx_ha14") else [])]
        others: set[str] = set()
    else:
        scopes = ["cctbx_ha14", *(["cctbx"] if not choice.endswith("processing_backend") else [])]
        others = {name for name in _LABELIT_IMPORT if name in script}
    found = {scope: _in_scope(script, scope) for scope in scopes}
    names = others.union(*found.values())
    told = [f"{scope} ({len(found[scope])} parameters)" for scope in scopes if found[scope]] + sorted(others)
    sentence = f"Ignored, because {choice} = {backend} chose the other backend: {', '.join(told)}"
    return names, sentence


def _in_scope(script: Values, scope: str) -> set[str]:
    return {name for name in script if name.startswith(scope + ".")}
