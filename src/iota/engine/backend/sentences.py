"""Translates error messages of DIALS into sentences that say what to do next."""

from __future__ import annotations

import logging
import re

from iota.errors import IotaError

logger = logging.getLogger("dials.iota")  # goes into the log of the frame, with the words of DIALS


class SentenceError(ValueError):
    """What the engine itself raises about a frame: the text is a sentence for people, and becomes the reason."""


NO_MEMORY = "The memory allowed for a frame was not enough (mp.frame_memory)."

# What DIALS 3.12 to 3.30 raises in the steps that stills_process takes, and what it means to people.
_KNOWN: tuple[tuple[str, str], ...] = (
    # spot finding
    (
        r"number of strong pixels found \((\d+)\) is greater",
        "Too many strong pixels for a diffraction pattern ({0}): the gain may be wrong (image_import.gain), or the"
        " threshold too low.",
    ),
    (
        r"detector is reporting a gain of ([\d.]+) but you have also supplied a gain of ([\d.]+)",
        "The gain is {0} in the header, but {1} was given: omit image_import.gain, or set"
        " input.ignore_gain_mismatch=True.",
    ),
    (r"Mask sizes don'?t match|lookup mask.*(size|shape)", "The mask does not have the shape of the detector."),
    (r"^Mask (\S+) not found", "The mask {0} no longer exists."),
    # indexing
    (r"No suitable (lattice|indexing solution) (could be )?found", "No lattice explains the spots."),
    (r"RMSD too high, ([\d.]+)", "The RMSD of the best lattice is too high, {0} px (indexing.stills.rmsd_min_px)."),
    (
        r"(?:Ewald proxim(?:al|ity) volume|EPV) too high",
        "The best lattice is too mosaic (indexing.stills.ewald_proximal_volume_max).",
    ),
    (
        r"No reflections left to index",
        "No spots within the resolution limits of indexing (indexing.refinement_protocol).",
    ),
    (
        r"Too few spots remaining for nearest neighbour analysis \((\d+)\)",
        "Too few spots ({0}) to estimate the largest cell axis: give the unit cell, or indexing.max_cell.",
    ),
    (
        r"No spots left for max cell analysis|Failure in nearest neighbour analysis",
        "The largest cell axis cannot be estimated from these spots: give the unit cell, or indexing.max_cell.",
    ),
    (
        r"nearest_neighbour must be smaller than the number of accepted reflections",
        "Too few spots for index_assignment.method=local.",
    ),
    (
        r"Space group is incompatible with unit cell|incompatible with (the )?(space group|symmetry)",
        "Space group and unit cell contradict each other (cctbx_xfel.target_space_group, cctbx_xfel.target_unit_cell).",
    ),
    (r"Target unit cell and space group must be provided", "This indexing method needs a unit cell and a space group."),
    (r"Target unit cell must be provided", "This indexing method needs a unit cell."),
    (
        r"No isoforms had a lookup symbol",
        "None of the isoforms (indexing.stills.isoforms) has the symmetry of the lattice.",
    ),
    (r"Image not found in set of known orientations", "No orientation is known for this image (known_orientations)."),
    (r"Unrealistic unit cell volume increase", "The unit cell changed by more than half in refinement."),
    # refinement
    (r"None of the experiments could refine", "None of the lattices could be refined."),
    (
        r"Too few reflections to parameterise|No reflections available for refinement|Empty reflections table"
        r"|indeterminate solution|[Cc]holesky|minimum number of reflections",
        "Too few spots were indexed to refine the lattice.",
    ),
    # integration
    (r"No experiments after filtering by sigma_b", "The spots are too wide (profile sigma_b_cutoff)."),
    (r"No reflections left after applying significance filter", "No significant reflections (significance filter)."),
    (
        r"Invalid input for reference reflections",
        "No indexed spots are left for modelling the reflection profiles.",
    ),
    (
        r"Found negative variances|variances == 0 but summed signal",
        "Some pixels have negative counts: mask the bad pixels (image_import.mask).",
    ),
    (
        r"An inappropriate processing algorithm|all sequences or all stills|zero-width scan|mixture of stills",
        "The header describes a rotation, not a still (input.convert_sequences_to_stills).",
    ),
    (
        r"[Nn]ot enough memory|problem allocating memory",
        "The memory allowed for a frame was not enough (mp.frame_memory).",
    ),
)

IN_LOG = "The DIALS message is in the log of the frame."
_STOPPED: dict[str, str] = {
    "import": "The image could not be imported",
    "spotfinding": "Spot finding stopped with an error",
    "indexing": "Indexing stopped with an error",
    "refinement": "Refinement stopped with an error",
    "integration": "Integration stopped with an error",
    "filter": "The integrated lattices could not be written",
}


def reason(error: BaseException, stage: str) -> str:
    """One sentence on what went wrong in a stage; DIALS' own message goes only into the log of the frame."""
    text = " ".join(str(error).split())
    if isinstance(error, IotaError | SentenceError):
        return text
    found = None
    for pattern, sentence in _KNOWN:
        match = re.search(pattern, text, re.IGNORECASE)
        if match:
            found = sentence.format(*_rounded(match.groups()))
            break
    if isinstance(error, MemoryError):
        found = NO_MEMORY
    log_words(error, is_known=found is not None)
    return found or f"{_STOPPED[stage]}. {IN_LOG}"


def elsewhere(sentence: str, place: str) -> str:
    """The sentence where no log of the frame is kept, with another one on where the DIALS message is."""
    return sentence.replace(IN_LOG, place)


def log_words(error: BaseException, *, is_known: bool = True) -> None:
    """Write what a library raised into the log of the frame: its message, and the traceback if it is not known."""
    words = str(error).strip()
    logger.warning("%s%s", type(error).__name__, f": {words}" if words else "", exc_info=None if is_known else error)


def _rounded(groups: tuple[str | None, ...]) -> list[str]:
    return [f"{float(g):.1f}" if g and re.fullmatch(r"\d+\.\d*", g) else (g or "") for g in groups]


def too_few_spots(n_spots: int, least: int) -> str:
    """Why triage discards a frame."""
    spots = {0: "No spots", 1: "1 spot"}.get(n_spots, f"{n_spots} spots")
    return f"{spots} found; at least {least} {'is' if least == 1 else 'are'} needed."


def too_many_spots(n_spots: int, most: int) -> str:
    """Why a frame with more spots than allowed is not indexed."""
    return f"{n_spots} spots found; the maximum allowed is {most} (dispatch.hit_finder)."


def no_better_than_chance(n_indexed: int, n_spots: int) -> str:
    """Why a lattice that loosely fits a few spots is rejected."""
    return f"The best lattice indexes {n_indexed} of {n_spots} spots, which is no better than chance."
