"""Compares two geometries on the same hits."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

import msgspec

from iota.crystallography.cells import Cell
from iota.records import FrameResult
from iota.runs.geometry_revisions import Method, Proof

_CLEARLY = 0.06  # more information on the lattice: 3 % in the RMSD
_FEWER_SPOTS = 0.6  # a wrong geometry looks like mosaicity, and then noise is indexed, too
_HIGHER_RMSD = 1.3  # spots far from their predictions are indexed as well
_NEARER_CELL = 0.5
_MARGINAL = 20  # of so many hits one may be lost: with weak ones it is chance whether they are integrated
_INTEGRATED, _GAINED = 0.5, 0.1  # of the hits, with a geometry that a search found


class Tried(NamedTuple):
    """What became of a hit with a geometry."""

    has_lattice: bool  # integrated, or indexed by itself if the lattice is not known
    n_indexed: int = 0  # spots
    rmsd_px: float | None = None
    unit_cell: Cell | None = None

    @classmethod
    def of(cls, result: FrameResult) -> Tried:
        """From a record."""
        if result.outcome != "integrated" or not result.lattices:
            return cls(False)
        first = result.lattices[0]
        return cls(True, sum(one.n_indexed for one in result.lattices), first.rmsd_px, first.unit_cell)


def compare(
    method: Method, before: Sequence[Tried], after: Sequence[Tried], given_cell: Cell | None, *, again: bool = False
) -> Proof:
    """Compare a new geometry with the one in use.

    One that was found by a search must integrate more hits, and half of them at least. Another one must
    lose none, and its spots must tell more of the lattices, or its cells be nearer to the given one.

    Args:
        method: how the new one was determined.
        before: what became of hits with the geometry in use.
        after: the same with the new one, in the same order.
        given_cell: cell of the crystals (A, degrees), if it was given.
        again: the geometry in use is not the given one any more: a smaller improvement is enough.
    """
    both = [(old, new) for old, new in zip(before, after, strict=True) if old.has_lattice and new.has_lattice]
    proof = Proof(
        n_hits=len(before),
        n_integrated_before=sum(one.has_lattice for one in before),
        n_integrated_after=sum(one.has_lattice for one in after),
        n_both=len(both),
        n_indexed_before=sum(one.n_indexed for one in before),
        n_indexed_after=sum(one.n_indexed for one in after),
        rmsd_before_px=_rmsd_px([old for old, _ in both]),
        rmsd_after_px=_rmsd_px([new for _, new in both]),
        cell_before=_difference([old for old, _ in both], given_cell),
        cell_after=_difference([new for _, new in both], given_cell),
        is_better=False,
    )
    is_better = _finds_more(proof) if method == "search" else _fits_better(proof, 0.0 if again else _CLEARLY)
    return msgspec.structs.replace(proof, is_better=is_better)


def _rmsd_px(hits: Sequence[Tried]) -> float | None:
    known = [hit.rmsd_px for hit in hits if hit.rmsd_px is not None]
    return median(known) if known else None


def _difference(hits: Sequence[Tried], cell: Cell | None) -> float | None:
    cells = [hit.unit_cell for hit in hits if hit.unit_cell is not None]
    if cell is None or not cells:
        return None
    return median(max(abs(x / y - 1.0) for x, y in zip(one[:3], cell[:3], strict=True)) for one in cells)


def _finds_more(proof: Proof) -> bool:
    return (
        proof.n_integrated_after - proof.n_integrated_before >= max(2.0, _GAINED * proof.n_hits)
        and proof.n_integrated_after >= _INTEGRATED * proof.n_hits
        and proof.n_indexed_after > proof.n_indexed_before
    )


def _fits_better(proof: Proof, clearly: float) -> bool:
    """Whether no more than a marginal hit is lost, and indexed spots tell more: their number by their mean square."""
    lost = proof.n_integrated_before - proof.n_integrated_after
    if lost > proof.n_hits // _MARGINAL or not proof.n_both:
        return False
    spots = proof.n_indexed_after / max(1, proof.n_indexed_before)
    rmsd = 1.0
    if proof.rmsd_before_px and proof.rmsd_after_px:
        rmsd = proof.rmsd_after_px / proof.rmsd_before_px
    if spots < _FEWER_SPOTS or rmsd > _HIGHER_RMSD:
        return False
    is_nearer = (
        proof.cell_before is not None
        and proof.cell_after is not None
        and proof.cell_after < _NEARER_CELL * proof.cell_before
    )
    return spots / rmsd**2 > 1.0 + clearly or is_nearer
