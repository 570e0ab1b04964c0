"""Translates error messages of DIALS into causes, whose sentences say what to do next."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from iota.causes import Cause, Why, why
from iota.errors import IotaError

logger = logging.getLogger("dials.iota")  # goes into the log of the frame, with the words of DIALS


class FrameError(Exception):
    """Raised by our own code about a frame; the text is a sentence for users."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


class SentenceError(FrameError, ValueError):
    """Raised about a frame in a stage: its cause becomes that of the frame."""


# What DIALS 3.12 to 3.30 raises in the steps that stills_process takes; groups are the values, by name.
_KNOWN: tuple[tuple[str, Cause], ...] = (
    # spot finding
    (r"number of strong pixels found \((?P<n_pixels>\d+)\) is greater", Cause.TOO_MANY_STRONG_PIXELS),
    (
        r"detector is reporting a gain of (?P<header_gain>[\d.]+) but you have also supplied a gain of"
        r" (?P<given_gain>[\d.]+)",
        Cause.GAIN_DIFFERS,
    ),
    (r"Mask sizes don'?t match|lookup mask.*(?:size|shape)", Cause.MASK_SHAPE),
    (r"^Mask (?P<file>\S+) not found", Cause.NO_MASK),
    # indexing
    (r"No suitable (?:lattice|indexing solution) (?:could be )?found", Cause.NO_LATTICE),
    (r"RMSD too high, (?P<rmsd_px>[\d.]+)", Cause.RMSD_TOO_HIGH),
    (r"(?:Ewald proxim(?:al|ity) volume|EPV) too high", Cause.TOO_MOSAIC),
    (r"No reflections left to index", Cause.NO_SPOTS_TO_INDEX),
    (
        r"Too few spots remaining for nearest neighbour analysis \((?P<n_spots>\d+)\)",
        Cause.TOO_FEW_FOR_MAX_CELL,
    ),
    (r"No spots left for max cell analysis|Failure in nearest neighbour analysis", Cause.NO_MAX_CELL),
    (
        r"nearest_neighbour must be smaller than the number of accepted reflections",
        Cause.TOO_FEW_FOR_LOCAL,
    ),
    (
        r"Space group is incompatible with unit cell|incompatible with (?:the )?(?:space group|symmetry)",
        Cause.CELL_CONTRADICTS_GROUP,
    ),
    (r"Target unit cell and space group must be provided", Cause.NEEDS_CELL_AND_GROUP),
    (r"Target unit cell must be provided", Cause.NEEDS_CELL),
    (r"No isoforms had a lookup symbol", Cause.NO_ISOFORM),
    (r"Image not found in set of known orientations", Cause.NO_KNOWN_ORIENTATION),
    (r"Unrealistic unit cell volume increase", Cause.CELL_RUNS_AWAY),
    # refinement
    (r"None of the experiments could refine", Cause.NOT_REFINED),
    (
        r"Too few reflections to parameterise|No reflections available for refinement|Empty reflections table"
        r"|indeterminate solution|[Cc]holesky|minimum number of reflections",
        Cause.TOO_FEW_INDEXED,
    ),
    # integration
    (r"No experiments after filtering by sigma_b", Cause.TOO_WIDE),
    (r"No reflections left after applying significance filter", Cause.NOT_SIGNIFICANT),
    (r"Invalid input for reference reflections", Cause.NO_PROFILES),
    (r"Found negative variances|variances == 0 but summed signal", Cause.NEGATIVE_COUNTS),
    (
        r"An inappropriate processing algorithm|all sequences or all stills|zero-width scan|mixture of stills",
        Cause.ROTATION,
    ),
    (r"[Nn]ot enough memory|problem allocating memory", Cause.MEMORY_LIMIT_READING),
)

_STOPPED: Mapping[str, Cause] = {
    "import": Cause.IMPORT_STOPPED,
    "spotfinding": Cause.SPOTFINDING_STOPPED,
    "indexing": Cause.INDEXING_STOPPED,
    "refinement": Cause.REFINEMENT_STOPPED,
    "integration": Cause.INTEGRATION_STOPPED,
    "filter": Cause.FILTER_STOPPED,
}


def why_stopped(error: BaseException, stage: str) -> Why:
    """Why a stage stopped, as a cause.

    The message of DIALS goes into the log of the frame; one that is not known is kept as value ``message``, too.
    """
    if isinstance(error, FrameError):
        return error.why
    text = " ".join(str(error).split())
    if isinstance(error, IotaError):
        return why(Cause.OTHER, text=text)
    found = why(Cause.MEMORY_LIMIT_READING) if isinstance(error, MemoryError) else _known(text)
    log_words(error, is_known=found is not None)
    return found or why(_STOPPED[stage], message=message_of(error))


_LONGEST_MESSAGE = 300  # characters; the whole is in the log of the frame


def message_of(error: BaseException) -> str:
    """The message of a library's exception, on one line of limited length."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:_LONGEST_MESSAGE]


def _known(text: str) -> Why | None:
    for pattern, cause in _KNOWN:
        match = re.search(pattern, text, re.IGNORECASE)
        if match:
            return why(cause, **{name: _number_or_text(value) for name, value in match.groupdict().items()})
    return None


def _number_or_text(found: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(found)
        except ValueError:
            continue
    return found


def log_words(error: BaseException, *, is_known: bool = True) -> None:
    """Write a library's exception to the log of the frame: its message, and the traceback if it is not known."""
    words = str(error).strip()
    logger.warning("%s%s", type(error).__name__, f": {words}" if words else "", exc_info=None if is_known else error)
