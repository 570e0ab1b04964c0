"""Writes the methods paragraph for a paper, with references."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from iota.analysis.cells.proportions import percent
from iota.analysis.summary import Summary
from iota.crystallography.cells import cell_text
from iota.report.merged import Merged
from iota.runs.determination import DeterminedLattice
from iota.runs.geometry_revisions import Revision

_IOTA = (
    "Lyubimov, A. Y., Uervirojnangkoorn, M., Zeldin, O. B., Brewster, A. S., Murray, T. D., Sauter, N. K., Berger,"
    " J. M., Weis, W. I. & Brunger, A. T. (2016). IOTA: integration optimization, triage and analysis tool for the"
    " processing of XFEL diffraction images. J. Appl. Cryst. 49, 1057-1064."
)
_DIALS = (
    "Winter, G., Waterman, D. G., Parkhurst, J. M., Brewster, A. S., Gildea, R. J., Gerstel, M., Fuentes-Montero, L.,"
    " Vollmar, M., Michels-Clark, T., Young, I. D., Sauter, N. K. & Evans, G. (2018). DIALS: implementation and"
    " evaluation of a new integration package. Acta Cryst. D74, 85-97."
)
_STILLS = (
    "Brewster, A. S., Waterman, D. G., Parkhurst, J. M., Gildea, R. J., Young, I. D., O'Riordan, L. J., Yano, J.,"
    " Winter, G., Evans, G. & Sauter, N. K. (2018). Improving signal strength in serial crystallography with DIALS"
    " geometry refinement. Acta Cryst. D74, 877-894."
)
_SCALING = (
    "Beilsten-Edmands, J., Winter, G., Gildea, R., Parkhurst, J., Waterman, D. & Evans, G. (2020). Scaling diffraction"
    " data in the DIALS software package: algorithms and new approaches for multi-crystal scaling."
    " Acta Cryst. D76, 385-399."
)
_COSYM = (
    "Gildea, R. J. & Winter, G. (2018). Determination of Patterson group symmetry from sparse multi-crystal data sets"
    " in the presence of an indexing ambiguity. Acta Cryst. D74, 405-410."
)
_PRIME = (
    "Uervirojnangkoorn, M., Zeldin, O. B., Lyubimov, A. Y., Hattne, J., Brewster, A. S., Sauter, N. K., Brunger, A. T."
    " & Weis, W. I. (2015). Enabling X-ray free electron laser crystallography for challenging biological systems from"
    " a limited number of crystals. eLife 4, e05421."
)
_ENGINES = {"dials": "dials.scale and dials.merge", "prime": "PRIME", "xia2": "xia2.ssx_reduce"}


def methods(
    summary: Summary,
    versions: dict[str, str],
    values: Any | None,
    minimum_spots: int | None,
    is_lattice_given: bool,
    determined: list[DeterminedLattice],
    merged: Merged | None,
) -> str:
    """The paragraph.

    Args:
        summary: of the run.
        versions: of the programs, as ``run.json`` has them.
        values: parameters of the run, None where its script cannot be read.
        minimum_spots: spots from which an image was a hit, None if unknown.
        is_lattice_given: whether its target has a unit cell.
        determined: lattices that were determined from the images.
        merged: the newest merging.
    """
    iota = f" {versions['iota']}" if "iota" in versions else ""
    dials = versions.get("DIALS", "").removeprefix("DIALS").strip()
    sentences = [
        f"{summary.n_finished:,} still images were processed with IOTA{iota} (Lyubimov et al., 2016), using the"
        " spot-finding, indexing, refinement and integration procedures of dials.stills_process from"
        f" DIALS{f' {dials}' if dials else ''} (Winter et al., 2018; Brewster et al., 2018)."
    ]
    if values is not None and values.advanced.acceleration == "on":
        sentences.append("Accelerated implementations of these steps, provided by IOTA, were used where applicable.")
    sentences.append(_hits(summary, minimum_spots))
    if summary.n_hits:
        sentences.append(_indexing(is_lattice_given, determined))
        sentences.extend(_geometry(summary.revisions))
        sentences.append(
            f"Of the hits, {_part(summary.n_indexed, summary.n_hits)} were indexed and"
            f" {_part(summary.n_integrated, summary.n_hits)} were integrated, yielding"
            f" {summary.n_lattices:,} {'lattice' if summary.n_lattices == 1 else 'lattices'}."
        )
    consensus = summary.consensus
    if consensus is not None:
        sentences.append(
            f"The median unit-cell parameters of {consensus.n_lattices:,} lattices ({consensus.bravais}) were"
            f" {_cell(consensus.unit_cell)}, with robust standard deviations of {_cell(consensus.unit_cell_spread)}."
        )
    if summary.d_min_A:
        sentences.append(f"The median resolution limit of the integrated lattices was {summary.d_min_A[1]:.2f} Å.")
    if merged is not None:
        sentences.append(_merging(merged))
    return " ".join(sentences)


def references(merged: Merged | None) -> list[str]:
    """What is to be cited."""
    found = [_IOTA, _DIALS, _STILLS]
    if merged is not None and merged.engine == "dials":
        found.append(_SCALING)
        if merged.reindexed:
            found.append(_COSYM)
    if merged is not None and merged.engine == "prime":
        found.append(_PRIME)
    return found


def _part(n: int, of: int) -> str:
    """Number and fraction: ``43 (71.7 %)``."""
    return f"{n:,} ({percent(n, of)})"


def _hits(summary: Summary, minimum: int | None) -> str:
    definition = "" if minimum is None else f" (at least {minimum} {'spot' if minimum == 1 else 'spots'})"
    if not summary.n_hits:
        return f"None of these was classified as a hit{definition}."
    hits = "was classified as a hit" if summary.n_hits == 1 else "were classified as hits"
    read = "Of these" if summary.n_read == summary.n_finished else f"Of the {summary.n_read:,} that could be read"
    return f"{read}, {_part(summary.n_hits, summary.n_read)} {hits}{definition}."


def _indexing(is_lattice_given: bool, determined: list[DeterminedLattice]) -> str:
    if determined:
        lattices = " and ".join(
            f"{lattice.bravais}, {_cell(lattice.unit_cell)}, found in {len(lattice.agreeing)} of"
            f" {lattice.n_scouted} images"
            for lattice in determined
        )
        cell, it_was = ("unit cell was", "it was") if len(determined) == 1 else ("unit cells were", "they were")
        return (
            f"The {cell} not known in advance; {it_was} determined from a sample of the hits ({lattices}) and then"
            " used to index all of them."
        )
    if is_lattice_given:
        return "The images were indexed using the known unit cell and space group."
    return "Indexing was performed without prior knowledge of the unit cell."


def _geometry(revisions: Sequence[Revision]) -> Iterator[str]:
    """How the geometry was determined from the images, if it was."""
    used = [one for one in revisions if one.proof.is_better]
    searches = [one for one in used if one.method == "search"]
    refinements = [one for one in used if one.method == "refinement"]
    if searches:
        yield f"The beam centre and detector distance were determined from the spots of {searches[0].n_used:,} hits."
    if refinements:
        passes = "" if len(refinements) == 1 else f" in {len(refinements)} passes"
        yield (
            f"The detector geometry was refined{passes} together with the crystals against the indexed spots of"
            f" {refinements[-1].n_used:,} lattices and validated with other hits."
        )
    for one in used:
        if one.method == "drift":
            yield (
                "Changes of the beam centre and detector distance during data collection were measured with"
                f" {one.n_used:,} lattices, and parts of the data set were processed with different geometries."
            )


def _merging(merged: Merged) -> str:
    program = _ENGINES.get(merged.engine, merged.engine)
    cite = {"dials": " (Beilsten-Edmands et al., 2020)", "prime": " (Uervirojnangkoorn et al., 2015)"}
    words = ""
    if merged.reindexed:
        words = (
            f"The indexing ambiguity in space group {merged.space_group} was resolved with dials.cosym"
            " (Gildea & Winter, 2018). "
        )
    words += (
        f"A total of {merged.n_lattices:,} lattices were scaled and merged in space group {merged.space_group} to a"
        f" resolution of {merged.d_min_A:.2f} Å with {program}{cite.get(merged.engine, '')}"
    )
    total = merged.overall
    if total is None:
        return words + "."
    words += f" (completeness {100 * total.completeness:.1f} %, multiplicity {total.multiplicity:.1f}"
    if total.cc_half is not None:
        words += f", CC½ {total.cc_half:.3f}"
    if total.r_split is not None:
        words += f", Rsplit {total.r_split:.3f}"
    return words + ")."


def _cell(cell: tuple[float, ...]) -> str:
    a, b, c, *angles = cell_text(cell).split()
    alpha, beta, gamma = angles
    return f"a = {a}, b = {b}, c = {c} Å, α = {alpha}, β = {beta}, γ = {gamma}°"
