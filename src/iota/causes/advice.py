"""What to try when frames fail, and which parameter to change; the table of causes refers to this advice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from iota.causes.outcomes import Outcome


class Hint(NamedTuple):
    """One sentence, and the parameter that it is about; empty if there is none."""

    sentence: str
    setting: str = ""


SEE_LOG = Hint("See the log of one frame.")
GAIN = Hint("Set the detector gain, or have it estimated (image_import.estimate_gain).", "image_import.gain")
NEW_MASK = Hint("Make a new mask from an image of this detector.", "image_import.mask")
BAD_PIXELS = Hint("Mask the bad pixels.", "image_import.mask")
INSTALL_FILTER = Hint(
    "Install the filter, then run these images again; iota.doctor says which are missing and gives the command."
)
PERMISSION = Hint("Ask the owner of the files for permission to read them.")
MOVED = Hint("The images were moved or deleted.")
DATA_FILES = Hint("Keep a master and its data files together: copy them to where the master looks for them.")
COMPARE_WITH_ORIGINAL = Hint("Compare the file with the original: the transfer may have been incomplete.")
NOT_AN_IMAGE = Hint("Remove it from the input; if the format should be readable, dials.import says more.")
WAVELENGTH = Hint("Give the wavelength in A: geometry.beam.wavelength=0.98.")
MASK_IN_FILE = Hint("Correct or delete pixel_mask in the file, and give your own mask.", "image_import.mask")
DISTANCE = Hint("Set the detector distance in mm.", "image_import.distance")
OTHER_REFERENCE = Hint("Use a reference geometry for this detector, or none.", "advanced.reference_geometry")
OTHER_GEOMETRY = Hint("Remove the geometry, or use one that fits this detector.", "image_import.distance")
FRAME_MEMORY = Hint("Allow more memory per image, or use fewer processes.", "mp.frame_memory")
FEWER_PROCESSES = Hint("Use fewer processes: together they need more memory than the machine has.", "mp.n_processors")
CELL_OF_GROUP = Hint("Give the unit cell with axes compatible with the space group.", "cctbx_xfel.target_unit_cell")
BEAM_CENTRE = Hint("Beam centre or distance may be wrong: compare them with the header.", "image_import.beam_center.x")
CRACKED = Hint("Multiple or cracked crystals; give the unit cell if it is known.", "cctbx_xfel.target_unit_cell")
SIGNIFICANCE = Hint(
    "No reflections above the noise; relax the significance filter.", "cctbx_xfel.significance_filter.sigma"
)
OVERLAP = Hint("Spots overlap, or the lattice is not that of the target.")
TOLERANCE = Hint("Possibly another crystal form: increase the tolerance.", "cctbx_xfel.filter.uc_tolerance")
FEWER_REFLECTIONS = Hint("Lower the minimum number of reflections.", "cctbx_xfel.filter.min_reflections")
LOWER_RESOLUTION = Hint("Relax the resolution limit.", "cctbx_xfel.filter.min_resolution")

OTHERWISE: Mapping[Outcome, Hint] = {  # where the cause has no advice of its own
    "failed_import": Hint("See the log of one frame, and try it with dials.import."),
    "failed_triage": Hint(
        "Most likely blanks. If they show diffraction, lower the minimum number of spots.",
        "data_selection.image_triage.minimum_Bragg_peaks",
    ),
    "too_many_spots": Hint(
        "Salt, ice or noise: raise the threshold. If the spots are from crystals, allow more spots.",
        "dispatch.hit_finder.maximum_number_of_reflections",
    ),
    "failed_spotfinding": Hint("See the log of one frame; the detector gain may be wrong.", "image_import.gain"),
    "failed_indexing": Hint(
        "Give the unit cell if it is known, or check beam centre, distance and wavelength.",
        "cctbx_xfel.target_unit_cell",
    ),
    "failed_refinement": Hint(
        "The lattice may be wrong: give unit cell and space group.", "cctbx_xfel.target_space_group"
    ),
    "failed_integration": SEE_LOG,
    "failed_filter": Hint(
        "These lattices were integrated but do not meet the criteria of the filter.", "cctbx_xfel.filter.flag_on"
    ),
    "timed_out": Hint("Allow more time per image, or reduce the number of spots to be indexed.", "mp.frame_timeout"),
    "crashed": Hint("The backend ended without a message; try one image with iota.single_image."),
}
