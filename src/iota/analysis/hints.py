"""What to try when frames fail for a common reason, and which setting does it."""

from __future__ import annotations

import re
from typing import NamedTuple

from iota.records import Outcome


class Hint(NamedTuple):
    """One sentence, and the parameter that it is about; empty when it is about none."""

    sentence: str
    setting: str = ""


_HINTS: tuple[tuple[str, str, Hint], ...] = (
    ("failed_triage", "more than", Hint("Allow more spots, or raise the threshold: these may be salt or ice.",
                                        "spotfinder.threshold.dispersion.sigma_strong")),  # of earlier versions
    ("failed_triage", "", Hint("Most likely blanks. If they show diffraction, lower the minimum number of spots.",
                               "data_selection.image_triage.minimum_Bragg_peaks")),
    ("too_many_spots", "", Hint("Salt, ice or noise: raise the threshold. If the spots are from crystals, allow"
                                " more spots.",
                                "dispatch.hit_finder.maximum_number_of_reflections")),
    ("failed_spotfinding", "strong pixels|gain", Hint("Set the detector gain, or have it estimated"
                                                      " (image_import.estimate_gain).", "image_import.gain")),
    ("failed_spotfinding", "mask", Hint("Make a new mask from an image of this detector.", "image_import.mask")),
    ("failed_spotfinding", "", Hint("See the log of one frame; the detector gain may be wrong.",
                                    "image_import.gain")),
    ("failed_import", "HDF5 filter", Hint("Install the filter, then run these images again; iota.doctor says which are"
                                          " missing and gives the command.")),
    ("failed_import", "permissions", Hint("Ask the owner of the files for permission to read them.")),
    ("failed_import", "no such file|does not exist", Hint("The images were moved or deleted.")),
    ("failed_import", "data file", Hint("Keep a master and its data files together: copy them to where the master"
                                        " looks for them.")),
    ("failed_import", "damaged|is empty", Hint("Compare the file with the original: the transfer may have been"
                                               " incomplete.")),
    ("failed_import", "not recognise|not HDF5", Hint("Remove it from the input; if the format should be readable,"
                                                    " dials.import says more.")),
    ("failed_import", "usable wavelength", Hint("Give the wavelength in A: geometry.beam.wavelength=0.98.")),
    ("failed_import", "pixel mask in the file", Hint("Correct or delete pixel_mask in the file, and give your own"
                                                     " mask.", "image_import.mask")),
    ("failed_import", "at the sample", Hint("Set the detector distance in mm.", "image_import.distance")),
    ("failed_import", "reference geometry", Hint("Use a reference geometry of this detector, or none.",
                                                 "advanced.reference_geometry")),
    ("failed_import", "given geometry", Hint("Remove the geometry, or use one that fits this detector.",
                                             "image_import.distance")),
    ("failed_import", "mp.frame_memory", Hint("Allow more memory per image, or use fewer processes.",
                                              "mp.frame_memory")),
    ("failed_import", "", Hint("See the log of one frame, and try it with dials.import.")),
    ("failed_indexing", "contradict", Hint("Give the unit cell with axes compatible with the space group.",
                                           "cctbx_xfel.target_unit_cell")),
    ("failed_indexing", "stopped with an error", Hint("See the log of one frame.")),
    ("failed_indexing", "RMSD|off the spots by", Hint("Beam centre or distance may be wrong: compare them with the"
                                                      " header.", "image_import.beam_center.x")),
    ("failed_indexing", "too mosaic", Hint("Multiple or cracked crystals; give the unit cell if it is known.",
                                           "cctbx_xfel.target_unit_cell")),
    ("failed_indexing", "", Hint("Give the unit cell if it is known, or check beam centre, distance and wavelength.",
                                 "cctbx_xfel.target_unit_cell")),
    ("failed_refinement", "stopped with an error", Hint("See the log of one frame.")),
    ("failed_refinement", "", Hint("The lattice may be wrong: give unit cell and space group.",
                                   "cctbx_xfel.target_space_group")),
    ("failed_integration", "significant", Hint("No reflections above the noise; relax the significance filter.",
                                               "cctbx_xfel.significance_filter.sigma")),
    ("failed_integration", "too wide", Hint("Spots overlap, or the lattice is not that of the target.")),
    ("failed_integration", "negative counts", Hint("Mask the bad pixels.", "image_import.mask")),
    ("failed_integration", "", Hint("See the log of one frame.")),
    ("failed_filter", "cell", Hint("Possibly another crystal form: increase the tolerance.",
                                   "cctbx_xfel.filter.uc_tolerance")),
    ("failed_filter", "reflections", Hint("Lower the minimum number of reflections.",
                                          "cctbx_xfel.filter.min_reflections")),
    ("failed_filter", "resolution|A or better", Hint("Relax the resolution limit.",
                                                     "cctbx_xfel.filter.min_resolution")),
    ("failed_filter", "", Hint("These lattices were integrated but do not meet the criteria of the filter.",
                               "cctbx_xfel.filter.flag_on")),
    ("timed_out", "", Hint("Allow more time per image, or reduce the number of spots to be indexed.",
                           "mp.frame_timeout")),
    ("crashed", "out of memory", Hint("Use fewer processes: together they need more memory than the machine has.",
                                      "mp.n_processors")),
    ("crashed", "memory", Hint("Allow more memory per image, or use fewer processes.", "mp.frame_memory")),
    ("crashed", "", Hint("The backend ended without a message; try one image with iota.single_image.")),
)  # fmt: skip


def hints_of(outcome: Outcome) -> list[tuple[str, Hint]]:
    """Hints for an outcome, each with words found in the reason, separated by ``|``; without words for any other."""
    return [(pattern, hint) for of, pattern, hint in _HINTS if of == outcome]


def hint_for(outcome: Outcome, reason: str) -> Hint | None:
    """What to try; None if nothing is known."""
    for pattern, hint in hints_of(outcome):
        if re.search(pattern, reason, re.IGNORECASE):
            return hint
    return None
