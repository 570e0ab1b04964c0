"""Names and values of earlier versions, and what they are called now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

# Beginning of an old name, and what it became; applied again until the name is known.
_MOVED: tuple[tuple[str, str], ...] = (
    # scopes of the back ends of their time
    ("cctbx_ha14.image_triage", "image_triage"),
    ("cctbx_ha14.image_conversion", "image_conversion"),
    ("cctbx_ha14", "cctbx_xfel"),
    ("cctbx", "cctbx_xfel"),
    ("dials.min_spot_size", "spotfinder.filter.min_spot_size"),
    ("dials.global_threshold", "spotfinder.threshold.dispersion.global_threshold"),
    ("dials", "cctbx_xfel"),
    # before there were such scopes
    ("target", "cctbx_xfel.target"),
    ("n_processors", "mp.n_processors"),
    ("mp_method", "mp.method"),
    ("mp_queue", "mp.queue"),
    ("grid_search.flag_on", "cctbx_xfel.grid_search.type"),
    ("grid_search", "cctbx_xfel.grid_search"),
    ("selection", "cctbx_xfel.selection"),
    ("advanced.integrate_with", "advanced.processing_backend"),
    ("integrate_with", "advanced.processing_backend"),
    # triage and choice of images
    ("image_triage.min_Bragg_peaks", "data_selection.image_triage.minimum_Bragg_peaks"),
    ("image_triage.type", "data_selection.image_triage.flag_on"),
    ("image_triage", "data_selection.image_triage"),
    ("cctbx_xfel.minimum_Bragg_peaks", "data_selection.image_triage.minimum_Bragg_peaks"),
    ("cctbx_xfel.strong_sigma", "data_selection.image_triage.strong_sigma"),
    ("cctbx_xfel.selection.min_sigma", "data_selection.image_triage.strong_sigma"),
    ("selection.min_sigma", "data_selection.image_triage.strong_sigma"),
    ("image_import.minimum_Bragg_peaks", "data_selection.image_triage.minimum_Bragg_peaks"),
    ("image_import.miminum_Bragg_peaks", "data_selection.image_triage.minimum_Bragg_peaks"),  # as it was written
    ("image_import.strong_sigma", "data_selection.image_triage.strong_sigma"),
    ("image_import.image_triage", "data_selection.image_triage"),
    ("image_import.image_range", "data_selection.image_range"),
    ("image_import.random_sample", "data_selection.random_sample"),
    ("advanced.image_range", "data_selection.image_range"),
    ("advanced.random_sample", "data_selection.random_sample"),
    # import
    ("image_conversion", "image_import"),
    ("advanced.estimate_gain", "image_import.estimate_gain"),
    ("advanced.flip_beamXY", "image_import.flip_beamXY"),
    # filter
    ("cctbx_xfel.filter.target_pointgroup", "cctbx_xfel.filter.pointgroup"),
    ("cctbx_xfel.filter.target_unit_cell", "cctbx_xfel.filter.unit_cell"),
    ("cctbx_xfel.filter.target_uc_tolerance", "cctbx_xfel.filter.uc_tolerance"),
    # analysis
    ("analysis.run_clustering", "analysis.clustering.flag_on"),
    ("analysis.cluster_threshold", "analysis.clustering.threshold"),
    ("analysis.cluster_n_images", "analysis.clustering.n_images"),
    ("analysis.cluster_limit", "analysis.clustering.limit"),
    ("analysis.cluster_write_files", "analysis.clustering.write_files"),
    ("advanced.cluster_threshold", "analysis.clustering.threshold"),
    ("advanced.viz", "analysis.viz"),
    ("advanced.charts", "analysis.charts"),
    # the interface
    ("advanced.image_viewer", "gui.image_viewer"),
    ("advanced.monitor_mode", "gui.monitor_mode"),
    ("advanced.monitor_mode_timeout", "gui.monitor_mode_timeout"),
    ("advanced.monitor_mode_timeout_length", "gui.monitor_mode_timeout_length"),
)

# What can no longer mean anything: beginning of the name, and what to use instead.
_RETIRED: tuple[tuple[str, str], ...] = (
    ("cctbx_xfel.selection.select_only", "iota.run --analyze RUN makes lists and summary of a run again"),
    ("selection.select_only", "iota.run --analyze RUN makes lists and summary of a run again"),
    ("image_triage.grid_search", "cctbx_xfel.grid_search has the settings that are searched, for weak images too"),
    ("data_selection.image_triage.grid_search", "cctbx_xfel.grid_search has the settings that are searched"),
    ("analysis.heatmap", "analysis.summary_graphs draws the heat map, too"),
    ("advanced.debug", "the folder logs/ of a run has the backend's own words for each image"),
    ("advanced.experimental", "advanced.acceleration says what may be done differently from the backend"),
)

# Values that are spelt differently now, by the name of today.
_VALUES: dict[str, dict[str, str]] = {
    "data_selection.image_triage.flag_on": {
        "None": "False",
        "no_triage": "False",
        "simple": "True",
        "grid_search": "True",
    },
    "cctbx_xfel.grid_search.type": {"True": "brute_force", "False": "no_grid_search", "None": "no_grid_search"},
    "advanced.processing_backend": {"dials": "cctbx_xfel", "cctbx.xfel": "cctbx_xfel", "cctbx": "ha14"},
    "analysis.viz": {"None": "no_visualization"},
    "image_import.square_mode": {"None": "no_modification"},
    "image_import.rename_pickle": {"None": "keep_file_structure"},
}

_LATTICE_TYPE, _CENTERING = "cctbx_xfel.target_lattice_type", "cctbx_xfel.target_centering_type"
# Rotational symmetry of each Bravais lattice; a rhombohedral one has the centring R, whatever was written.
_GROUPS: dict[str, dict[str, str]] = {
    "triclinic": {"P": "P1"},
    "monoclinic": {"P": "P2", "C": "C2", "I": "I2"},
    "orthorhombic": {"P": "P222", "C": "C222", "I": "I222", "F": "F222"},
    "tetragonal": {"P": "P422", "I": "I422"},
    "rhombohedral": {"R": "R32:H", "P": "R32:H"},
    "hexagonal": {"P": "P622", "R": "R32:H"},
    "cubic": {"P": "P432", "I": "I432", "F": "F432"},
}


class Translated(msgspec.Struct):
    """What a script of an earlier version says in the words of today."""

    phil: str = ""  # assignments to IOTA's parameters
    backend: list[tuple[str, str]] = []  # the same for the backend's, as name and value
    told: list[str] = []  # what to tell people, a sentence each


def current_name(name: str, is_known: Callable[[str], bool]) -> str | None:
    """Name of today of a parameter; None where there is none."""
    for _ in range(len(_MOVED)):  # ends whatever the table holds
        if is_known(name) or name in (_LATTICE_TYPE, _CENTERING):
            return name
        moved = next(((old, new) for old, new in _MOVED if name == old or name.startswith(old + ".")), None)
        if moved is None:
            return None
        name = moved[1] + name[len(moved[0]) :]
    return None


def retired(name: str) -> str | None:
    """What to use instead of a parameter that can no longer mean anything; None for all others."""
    return next((instead for old, instead in _RETIRED if name == old or name.startswith(old + ".")), None)


def translate(source: Any, is_known: Callable[[str], bool]) -> Translated:
    """Translate what a parsed script says in words of earlier versions, and disable it in the script.

    Args:
        source: PHIL scope of the script; definitions that are translated are disabled in it.
        is_known: whether a full name is one of IOTA's parameters of today.
    """
    result = Translated()
    lattice: dict[str, str] = {}
    for item in source.all_definitions():
        where = item.object.where_str.strip(" ()")
        name = current_name(item.path, is_known)
        if name is None:
            name = _backend_name(item.path)
        instead = retired(item.path) if name is None else None
        if instead is not None:
            item.object.is_disabled = True
            result.told.append(f"{item.path} means nothing any more ({where}): {instead}.")
            continue
        if name is None:
            continue  # not an old name either: who reads the script says so
        words = _current_words(name, [str(word) for word in item.object.words])
        is_lattice = name in (_LATTICE_TYPE, _CENTERING)
        if not is_lattice and name == item.path and words == [str(word) for word in item.object.words]:
            continue
        item.object.is_disabled = True
        value = " ".join(words)
        if is_lattice:
            lattice[name] = _chosen(words)
            lattice["where"] = where
            continue
        if name != item.path:
            result.told.append(f"{item.path} is read as {name} ({where}).")
        elif value != _chosen([str(word) for word in item.object.words]):
            result.told.append(f"{name} is read as {name} = {value} ({where}).")
        if is_known(name):
            result.phil += f"{name} = {value}\n"
        else:
            result.backend.append((name, value))
    _translate_lattice(lattice, result)
    return result


def _backend_name(name: str) -> str | None:
    """Name in the backend of one of its parameters that IOTA once had; None where there is none."""
    return next((new for old, new in _MOVED if name == old and new.startswith("spotfinder.")), None)


def _current_words(name: str, words: list[str]) -> list[str]:
    """Words of a value as they are spelt now; of a choice whose values changed, only what was chosen is kept."""
    if name not in _VALUES:
        return words
    chosen = _chosen(words)
    return [_VALUES[name].get(chosen, chosen)]


def _chosen(words: list[str]) -> str:
    """The value of a choice, as in ``None *tetragonal``."""
    starred = [word[1:] for word in words if word.startswith("*")]
    return (starred or words)[0]


def _translate_lattice(lattice: dict[str, str], result: Translated) -> None:
    """Give the Bravais lattice of the HA14 backend as a point group."""
    kind, centring = lattice.get(_LATTICE_TYPE, "None"), lattice.get(_CENTERING, "None")
    if kind == centring == "None":
        return
    group = _GROUPS.get(kind.lower(), {}).get("P" if centring == "None" else centring)
    if group is None:
        result.told.append(
            f"target_lattice_type={kind} with target_centering_type={centring} is no Bravais lattice"
            f" ({lattice['where']}): give cctbx_xfel.target_space_group instead."
        )
        return
    result.phil += f"cctbx_xfel.target_space_group = {group}\n"
    result.told.append(
        f"target_lattice_type={kind} and target_centering_type={centring} are read as"
        f" cctbx_xfel.target_space_group = {group} ({lattice['where']})."
    )


# Parameters in targets of the HA14 backend (LABELIT, DISTL), and what DIALS has instead; empty: nothing like it.
_HA14_TARGET: dict[str, str] = {
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


def ha14_target_remark(name: str, where: str) -> str | None:
    """Sentence on a parameter of the HA14 backend in a target; None for a name that was not one of its."""
    for old, instead in _HA14_TARGET.items():
        if name == old or name.startswith(old + "."):
            use = f"use {instead}" if instead else "DIALS needs nothing like it"
            return f"{name} was a parameter of the HA14 backend and means nothing any more ({where}): {use}."
    return None
