"""Translates target files of earlier versions: parameters of LABELIT, DISTL and old DIALS."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

# Parameters and scopes of the HA14 backend (LABELIT, DISTL), and what to use instead; empty: nothing like it.
_HA14: dict[str, str] = {
    "target_cell": "cctbx_xfel.target_unit_cell",
    "target_cell_centring_type": "cctbx_xfel.target_space_group",
    "known_setting": "cctbx_xfel.target_space_group",
    "beam_search_scope": "indexing.mm_search_scope",
    "distl_highres_limit": "spotfinder.filter.d_min",
    "force_method2_resolution_limit": "spotfinder.filter.d_min",
    "distl_lowres_limit": "spotfinder.filter.d_max",
    "distl_minimum_number_spots_for_indexing": "data_selection.image_triage.minimum_Bragg_peaks",
    "distl.minimum_spot_area": "spotfinder.filter.min_spot_size",
    "distl.minimum_signal_height": "spotfinder.threshold.dispersion.sigma_strong",
    "distl.minimum_spot_height": "spotfinder.threshold.dispersion.sigma_background",
    "distl_permit_binning": "",
    "distl": "spotfinder",
    "difflimit_sigma_cutoff": "cctbx_xfel.significance_filter",
    "mosaicity_limit": "indexing.stills.ewald_proximal_volume_max",
    "integration.detector_gain": "image_import.gain",
    "integration.background_factor": "",
    "integration.enable_one_to_one_safeguard": "",
    "integration.model": "",
    "integration.spotfinder_subset": "",
    "integration.mask_pixel_value": "image_import.mask",
    "integration.greedy_integration_limit": "",
    "integration.combine_sym_constraints_and_3D_target": "",
    "integration.spot_prediction": "",
    "integration.guard_width_sq": "",
    "integration.mosaic": "",
}


# Parameters and scopes that DIALS had under other names.
_RENAMED = {"spotfinder.threshold.xds": "spotfinder.threshold.dispersion"}

# What DIALS had and has no more, and what to use instead.
_GONE = {
    "verbosity": "the backend's messages for each image are in the folder logs/ of a run",
    "output.datablock_filename": "IOTA names the files of a run",
    "output.integration_pickle": "IOTA names the files of a run",
}


class TranslatedTarget(msgspec.Struct):
    """A target of an earlier version, translated to current names."""

    phil: str = ""  # parameters under their names of today
    told: list[str] = []  # what to tell people, a sentence each
    names: set[str] = set()  # names in the target that are dealt with


def translate_target(unknown: Iterable[Any], is_known: Callable[[str], bool]) -> TranslatedTarget:
    """Translate definitions of a target that the installed backend does not know.

    Args:
        unknown: of PHIL, each with a full name as ``path`` and the definition as ``object``.
        is_known: whether a full name is one of the backend's.
    """
    result = TranslatedTarget()
    left_out: dict[tuple[str, str], list[Any]] = {}
    for item in unknown:
        where = item.object.where_str.strip(" ()")
        new = _renamed(item.path)
        if new is not None and is_known(new):
            result.phil += f"{new} = {' '.join(str(word) for word in item.object.words)}\n"
            result.told.append(f"{item.path} is read as {new} ({where}).")
        elif (gone := _gone(item.path)) is not None:
            left_out.setdefault(gone, []).append(item)
        else:
            continue
        result.names.add(item.path)
    for (old, sentence), items in left_out.items():
        where = items[0].object.where_str.strip(" ()")
        name = items[0].path if len(items) == 1 else f"{old} ({len(items)} parameters)"
        result.told.append(f"{name} {sentence.format(where=where)}")
    return result


def _renamed(name: str) -> str | None:
    return next((new + name[len(old) :] for old, new in _RENAMED.items() if _begins(name, old)), None)


def _gone(name: str) -> tuple[str, str] | None:
    """Parameter or scope that no longer has any effect, and a sentence on it without its name."""
    for old, instead in _HA14.items():
        if _begins(name, old):
            use = f"use {instead}" if instead else "it is not needed by DIALS"
            return old, f"was a parameter of the HA14 backend and no longer has any effect ({{where}}): {use}."
    for old, instead in _GONE.items():
        if _begins(name, old):
            return old, f"no longer has any effect ({{where}}): {instead}."
    return None


def _begins(name: str, old: str) -> bool:
    return name == old or name.startswith(old + ".")
