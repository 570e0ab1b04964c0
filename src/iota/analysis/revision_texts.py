"""Short texts on the geometries that a run tried, for its summary; complete sentences are in its log."""

from __future__ import annotations

from collections.abc import Sequence

from iota.runs.geometry_revisions import Method, Proof, Revision

_TIMES = {1: "refined", 2: "refined twice"}
_CLEARLY_NEARER = 0.5  # of the difference from the given cell


def revision_texts(revisions: Sequence[Revision]) -> list[tuple[str, str]]:
    """How the geometry in use was determined.

    Args:
        revisions: all that were tried.

    Returns:
        Names and texts: one for each method by which a better geometry was found; if none was, that it is as given.
    """
    used = [one for one in revisions if one.proof.is_better]
    if not used:
        return [("none", _not_used(revisions[-1]))] if revisions else []
    methods: tuple[Method, ...] = ("search", "refinement", "drift")
    by_method = ((method, [one for one in used if one.method == method]) for method in methods)
    return [(method, _used(passes)) for method, passes in by_method if passes]


def revision_note(one: Revision) -> str:
    """What was found and done, to be shown while the run is in progress."""
    if not one.proof.is_better:
        return f"{one.finding} Geometry {_not_used(one)}."
    return f"{one.finding} Geometry {_used([one])}. Hits are processed again."


def _used(passes: Sequence[Revision]) -> str:
    """The text on passes of one method: from the geometry before the first to that of the last."""
    first, last = passes[0], passes[-1]
    if last.method == "search":
        how = f"found with the spots of {last.n_used:,} hits"
    elif last.method == "drift":
        how = f"one for each part of the run, from {last.n_used:,} lattices"
    else:
        times = _TIMES.get(len(passes), f"refined {len(passes)} times")
        how = f"{times} against {last.n_used:,} lattices"
    return f"{how}; on {last.proof.n_hits} other hits: {_evidence(first.proof, last.proof)} ({last.folder})"


def _not_used(one: Revision) -> str:
    what = {
        "search": f"one found with the spots of {one.n_used:,} hits",
        "refinement": f"one refined against {one.n_used:,} lattices",
        "drift": f"one for each part of the run, from {one.n_used:,} lattices,",
    }[one.method]
    return f"unchanged: {what} is no better for {one.proof.n_hits} other hits ({one.folder})"


def _evidence(first: Proof, last: Proof) -> str:
    """What became better with hits that were not used."""
    parts = []
    if first.n_integrated_before != last.n_integrated_after:
        parts.append(f"{first.n_integrated_before} → {last.n_integrated_after} integrated")
    if first.rmsd_before_px is not None and last.rmsd_after_px is not None:
        before, after = f"{first.rmsd_before_px:.2f}", f"{last.rmsd_after_px:.2f}"
        if before != after:
            parts.append(f"RMSD {before} → {after} px")
    if (
        first.cell_before is not None
        and last.cell_after is not None
        and last.cell_after < _CLEARLY_NEARER * first.cell_before
    ):
        parts.append(f"cell axes {100 * first.cell_before:.2f} → {100 * last.cell_after:.2f} % from the given cell")
    if not parts:
        parts.append(f"{first.n_indexed_before:,} → {last.n_indexed_after:,} spots indexed")
    return ", ".join(parts)
