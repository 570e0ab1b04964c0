"""Suggests the parameter that was probably meant by an unknown name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_SAME_LAST = 1.0  # likeness of names whose last parts are the same, and nothing else

# What other programs, and people, call ours; by the last part of the name.
_MEANING = {
    "nproc": "mp.n_processors",
    "njobs": "mp.n_processors",
    "n_jobs": "mp.n_processors",
    "n_proc": "mp.n_processors",
    "unit_cell": "cctbx_xfel.target_unit_cell",
    "space_group": "cctbx_xfel.target_space_group",
    "output_dir": "output",
    "outdir": "output",
    "detector_distance": "image_import.distance",
    "min_bragg_peaks": "data_selection.image_triage.minimum_Bragg_peaks",
}


def near_name(name: str, names: Iterable[str], *, outermost: bool = False) -> str | None:
    """The closest match for a misspelt name, in spelling or meaning; None if there is no close match.

    A name is near when its last part is spelt nearly so and its scope, too, or when its last part says enough:
    unit_cell does, flag_on and type are said of many things.

    Args:
        name: full, or cut at the front.
        names: those that there are.
        outermost: of several that are equally near the one in the outermost scope is meant; else none is.
    """
    known = list(names)
    scored = {other: likeness for other in known if (likeness := _likeness(name, other))}
    best = max(scored.values(), default=0.0)
    meant = _MEANING.get(name.rsplit(".", 1)[-1].lower())
    if best <= _SAME_LAST and meant in known:
        return meant
    near = [other for other, likeness in scored.items() if likeness == best]
    if outermost:
        depth = min((other.count(".") for other in near), default=0)
        near = [other for other in near if other.count(".") == depth]
    return near[0] if len(near) == 1 else None


def _likeness(name: str, other: str) -> float:
    """Similarity from 0 (none) to 2 (identical); up to 1 if only the last parts are similar."""
    (*scope, last), (*other_scope, other_last) = name.split("."), other.split(".")
    alike = _spelling(last, other_last)
    if alike == 0:
        return 0.0
    in_scope = _spelling(".".join(scope), ".".join(other_scope))
    if scope and other_scope and in_scope == 0:
        in_scope = _spelling(scope[-1], other_scope[-1]) * 0.9
    says_enough = "_" in other_last and other_last != "flag_on"
    return alike + in_scope if in_scope or says_enough else 0.0


def _spelling(word: str, other: str) -> float:
    """Likeness of two spellings; 0 unless one letter in six or fewer differs, or letters were exchanged."""
    if word.lower() == other.lower():
        return 1.0
    if word[:1].lower() != other[:1].lower():
        return 0.0
    if sorted(word) == sorted(other) and len(word) > 3:
        return 0.9
    ratio = difflib.SequenceMatcher(None, word.lower(), other.lower(), autojunk=False).ratio()
    return ratio if ratio > 1 - 1 / 6 else 0.0
