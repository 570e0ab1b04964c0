"""Converts records written by earlier versions, and adds their old names to current ones for programs.

Version 1 had a sentence for the reason, ``mosaicity_deg`` for the half-width mosaicity, and ``epv_A3`` for a volume in
1/A^3.  A sentence that a current template reproduces gets its cause and values; any other is kept as text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from iota.causes import IN_LOG, Cause, Outcome, Values
from iota.causes.templates import Value, filled_in, pieces
from iota.records import FORMAT_VERSION, FrameResult, Lattice

_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?(?:e[-+]?\d+)?|inf|nan)"
_MAX_REMEMBERED = 20_000  # sentences; those with numbers may all differ
_EARLIER: dict[Outcome, list[tuple[Cause, str]]] = {  # templates that are not used any more
    "failed_import": [
        (Cause.IS_DATA_FILE, "This is a data file of {master}: give that one instead."),
        (Cause.NO_SUCH_IMAGE, "The file holds {n_images:* image|* images} only."),
        (Cause.DATA_FILE_LACKS_DATASET, "The data file {file} holds no {dataset}."),
        (Cause.DATA_FILE_WITHOUT_IMAGES, "The data file {file} holds no images in {dataset}."),
        (Cause.DATA_FILE_TOO_SHORT, "The data file {file} is shorter than the master says."),
        (Cause.IN_NO_DATA_FILE, "No data file holds this image."),
        (Cause.NOT_WRITTEN, "The pixels of this image were not written into {file}."),
        (Cause.NEVER_WRITTEN, "The pixels of this image were never written into {dataset}."),
        (Cause.DEAD_HDF5_LINK, "The file holds no {target}, to which the link {link} leads."),
        (Cause.NO_AXIS, "The file holds no {target}, on which {item} depends."),
        (Cause.NO_GROUP, "The file describes no {what}: it has no group {group}."),
        (Cause.NO_IMAGES, "The file holds no images where NeXus and DECTRIS files have them, in entry/data."),
        (Cause.NO_COUNTS, "No pixel of this image holds a count: the detector gave none, or it was lost."),
        (
            Cause.MASK_IN_FILE_SIZE,
            "The pixel mask in the file is {mask} pixels, the image {image}; correct pixel_mask in the file or"
            " delete it, and give a mask with image_import.mask.",
        ),
        (
            Cause.OTHER_DETECTOR,
            "The reference geometry is for a different detector: it has {reference}, but the images have {image}."
            " Give a geometry of their detector, or leave advanced.reference_geometry out.",
        ),
        (
            Cause.NO_DETECTOR_POSITION,
            "The header of the file does not say where the detector is: it has neither geometry/translation nor"
            " detector_distance, pixel sizes and beam centre.",
        ),
        (Cause.NO_SENSOR_THICKNESS, "The file gives sensor_thickness without a length: a number with its unit."),
        (
            Cause.CRYSTFEL_NO_WAVELENGTH,
            "{quantity} is {value:g} {unit} for this image; geometry.beam.wavelength (A) sets one for all images.",
        ),
        (Cause.MEMORY_LIMIT_READING, "The memory allowed for a frame was not enough (mp.frame_memory)."),
    ],
    "failed_triage": [(Cause.TOO_MANY_SPOTS, "{n_spots:d} spots are more than the {maximum:d} that are allowed.")],
    "failed_indexing": [
        (Cause.RMSD_TOO_HIGH, "The best lattice is off the spots by {rmsd_px:.1f} px (indexing.stills.rmsd_min_px)."),
        (Cause.TOO_FEW_FOR_OUTLIERS, "{n_spots:d} indexed spots are too few to tell outliers."),
    ],
    "failed_filter": [
        (
            Cause.RESOLUTION_UNKNOWN,
            "The lattice reaches an unknown resolution; {wanted_d_min_A:g} A or better is required.",
        ),
    ],
}


def converted(record: FrameResult) -> FrameResult:
    """Convert a record to the current fields, in place; a current one is not changed."""
    if record.version >= FORMAT_VERSION:
        record.old_reason = ""  # it follows from the cause
        return record
    if record.old_reason:  # not by a function: there may be millions
        record.cause, values = cause_of(record.old_reason, record.outcome)
        record.values, record.old_reason = values.copy(), ""
    for lattice in record.lattices:
        lattice.half_mosaicity_deg, lattice.old_mosaicity_deg = lattice.old_mosaicity_deg, None
    for point in record.grid:
        point.half_mosaicity_deg, point.old_mosaicity_deg = point.old_mosaicity_deg, None
        point.epv_per_A3, point.old_epv_A3 = point.old_epv_A3, None
        if point.old_reason:
            point.cause, values = cause_of(point.old_reason, "failed_indexing")
            point.values, point.old_reason = values.copy(), ""
    record.version = FORMAT_VERSION
    return record


def with_old_names(record: FrameResult) -> FrameResult:
    """Add the names of version 1 to a record, in place, for when it is encoded."""
    record.old_reason = record.reason
    name_as_before(record.lattices)
    for point in record.grid:
        point.old_reason = point.reason
        point.old_mosaicity_deg, point.old_epv_A3 = point.half_mosaicity_deg, point.epv_per_A3
    return record


def name_as_before(lattices: Iterable[Lattice]) -> None:
    """Add the names of version 1 to lattices, for when they are encoded."""
    for lattice in lattices:
        lattice.old_mosaicity_deg = lattice.half_mosaicity_deg


@lru_cache(maxsize=_MAX_REMEMBERED)
def cause_of(sentence: str, outcome: Outcome) -> tuple[Cause, Values]:
    """The cause whose template gives exactly this sentence, with its values; if none does, the sentence as text.

    Args:
        sentence: of a record of version 1.
        outcome: of the record; causes of this outcome come first.
    """
    for cause, template, expression in _expressions(outcome):
        match = expression.fullmatch(sentence)
        if match is not None:
            values = _values(template, match.groups())
            if filled_in(template, values) == sentence:
                return cause, values
    return Cause.OTHER, {"text": sentence}


@lru_cache
def _expressions(outcome: Outcome) -> list[tuple[Cause, str, re.Pattern[str]]]:
    """Templates as expressions: those of an outcome first, in order of decreasing length of their fixed text."""
    found = sorted(_EARLIER.get(outcome, []), key=lambda earlier: -len(_own_words(earlier[1])))
    causes = sorted(Cause, key=lambda cause: (cause.outcome != outcome, -len(_own_words(cause.template))))
    found += [(cause, cause.template) for cause in causes if len(_own_words(cause.template)) >= _MIN_WORDS]
    return [(cause, template, re.compile(_expression(template), re.DOTALL)) for cause, template in found]


_MIN_WORDS = 10  # letters; with fewer, as in "{file}: {text}", other sentences would do as well


def _own_words(template: str) -> str:
    return "".join(piece.words for piece in pieces(template))


def _expression(template: str) -> str:
    """Regular expression that matches the sentences of a template, with a group for each value."""
    parts = []
    for piece in pieces(template):
        parts.append(re.escape(piece.words))
        if piece.name == "see":
            parts.append(re.escape(IN_LOG))
        elif piece.choices:
            parts.append(f"({'|'.join(re.escape(one).replace(_STAR, _NUMBER) for one in piece.choices)})")
        elif piece.name:
            parts.append(f"({_NUMBER}(?: {_NUMBER})*)" if piece.format else "(.+?)")
    return "".join(parts)


_STAR = re.escape("*")


def _values(template: str, found: Sequence[str]) -> Values:
    values: Values = {}
    places = [piece for piece in pieces(template) if piece.name not in ("", "see")]
    for piece, text in zip(places, found, strict=True):
        if piece.name not in values:
            values[piece.name] = _chosen(piece.choices, text) if piece.choices else _value(text, piece.format)
    return values


def _chosen(choices: list[str], text: str) -> int:
    """The number for which these words stand."""
    number = re.search(_NUMBER, text)
    if number is not None and text not in choices:
        return int(number[0])
    return choices.index(text) + (0 if len(choices) > 2 else 1)


def _value(text: str, form: str) -> Value:
    if not form:
        return text
    numbers = text.split()
    if len(numbers) > 1:
        return [float(x) for x in numbers]
    if form == "d":
        return int(text)
    return float(text) if math.isfinite(float(text)) else text
