"""Translation table of names and values of parameters in earlier versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator

# An old name or scope, and what it became; applied again until the name is known. One that ends in a dot is a scope.
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
    ("advanced.sig_height_search", "cctbx_xfel.grid_search.sig_height_search"),
    ("select_by", "cctbx_xfel.selection.select_by"),
    ("flag_prefilter", "cctbx_xfel.selection.prefilter.flag_on"),
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
    ("min_sigma", "data_selection.image_triage.strong_sigma"),
    ("image_import.minimum_Bragg_peaks", "data_selection.image_triage.minimum_Bragg_peaks"),
    ("image_import.miminum_Bragg_peaks", "data_selection.image_triage.minimum_Bragg_peaks"),  # as it was written
    ("image_import.strong_sigma", "data_selection.image_triage.strong_sigma"),
    ("image_import.image_triage.", "data_selection.image_triage."),
    ("image_import.image_triage", "data_selection.image_triage.flag_on"),
    ("image_import.image_range", "data_selection.image_range"),
    ("image_import.random_sample", "data_selection.random_sample"),
    ("advanced.image_range", "data_selection.image_range"),
    ("advanced.random_sample", "data_selection.random_sample"),
    ("random_sample", "data_selection.random_sample"),
    # import
    ("image_conversion", "image_import"),
    ("advanced.estimate_gain", "image_import.estimate_gain"),
    ("advanced.convert_images", "image_import.convert_images"),
    ("advanced.square_mode", "image_import.square_mode"),
    ("advanced.beamstop", "image_import.beamstop"),
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
    ("advanced.heatmap", "analysis.summary_graphs"),
    ("analysis.heatmap", "analysis.summary_graphs"),
    # the interface
    ("advanced.image_viewer", "gui.image_viewer"),
    ("advanced.monitor_mode", "gui.monitor_mode"),
    ("advanced.monitor_mode_timeout", "gui.monitor_mode_timeout"),
    ("advanced.monitor_mode_timeout_length", "gui.monitor_mode_timeout_length"),
)

# What can no longer mean anything: beginning of the name, and what to use instead.
_RETIRED: tuple[tuple[str, str], ...] = (
    ("cctbx_xfel.selection.select_only", "iota.run --analyze RUN repeats the lists and summary of a run"),
    ("image_triage.grid_search", "use cctbx_xfel.grid_search, also for weak images"),
    (
        "selection_res_limit",
        "reflections at all resolutions are considered when the best result of a grid search is selected",
    ),
    ("flag_inp_test", "it was used for testing the program"),
    (
        "advanced.flip_beamXY",
        "LABELIT had its axes swapped; image_import.flip_beamXY is for headers with swapped axes",
    ),
    ("advanced.save_tmp_pickles", "only the best result of a grid search is written"),
    ("advanced.clean_up_output", "temporary files are always removed"),
    ("image_conversion.invert_boolean_mask", "image_import.mask is True where pixels are good, as DIALS writes it"),
    ("advanced.debug", "the backend's messages for each image are in the folder logs/ of a run"),
    ("advanced.experimental", "advanced.acceleration determines what may be done differently from the backend"),
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
    "analysis.summary_graphs": {"None": "False", "show": "True", "file": "True", "both": "True"},
    "image_import.square_mode": {"None": "no_modification"},
    "image_import.rename_pickle": {"None": "keep_file_structure"},
}


def current_name(name: str, is_known: Callable[[str], bool]) -> str | None:
    """Current name of a parameter; None if there is none.

    Args:
        name: full name in a script.
        is_known: whether a full name is one of today's.
    """
    return next((step for step in _steps(name) if is_known(step)), None)


def _steps(name: str) -> Iterator[str]:
    """The names of a parameter from version to version."""
    for _ in range(len(_MOVED)):  # ends whatever the table holds
        yield name
        moved = next(((old, new) for old, new in _MOVED if _begins(name, old)), None)
        if moved is None:
            return
        name = moved[1] + name[len(moved[0]) :]


def backend_name(name: str) -> str | None:
    """Name in the backend of a parameter that IOTA once had itself; None if there is none."""
    return next((new for old, new in _MOVED if name == old and new.startswith("spotfinder.")), None)


def retired(name: str) -> tuple[str, str] | None:
    """Parameter or scope that no longer has any effect, and what to use instead; None for all others."""
    for step in _steps(name):
        for old, instead in _RETIRED:
            if _begins(step, old):
                return name.removesuffix(step[len(old) :]), instead
    return None


def _begins(name: str, old: str) -> bool:
    return name == old or name.startswith(old if old.endswith(".") else old + ".")


def current_words(name: str, words: list[str]) -> list[str]:
    """Words of a value as they are spelt now; of a choice whose values changed, only what was chosen is kept."""
    if name not in _VALUES:
        return words
    value = chosen(words)
    return [_VALUES[name].get(value, value)]


def chosen(words: list[str]) -> str:
    """The value of a choice, as in ``None *tetragonal``; of anything else the whole value."""
    starred = [word[1:] for word in words if word.startswith("*")]
    return starred[0] if starred else " ".join(words)
