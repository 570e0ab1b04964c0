"""Decides on which lattice most integrated lattices of a run agree, and classifies the others."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from iota.analysis.cells.clustering import (
    Cluster,
    Codes,
    Symmetries,
    describe_clusters,
    label_cells,
    multiples_of_clusters,
)
from iota.analysis.cells.proportions import Z_95, wilson_interval
from iota.crystallography.cells import Cell, median_cell, volume_A3
from iota.crystallography.lattices import cells_in_one_setting, niggli_cell
from iota.crystallography.metric_symmetry import MEDIAN_DISTORTION_DEG, metric_symmetries
from iota.crystallography.multiples import supercell_index
from iota.crystallography.space_groups import point_group_order

MAX_CELLS = 5000  # more than this many add nothing to a median
_MAX_CANDIDATES = 5
_MIN_FRACTION = 0.02  # of all lattices, for a candidate to be shown
_RIVAL = 0.5  # a subcell wins with this many votes per vote for its supercell, as supercells also explain every spot

Floats = npt.NDArray[np.float64]


class Candidate(msgspec.Struct, kw_only=True):
    """Another lattice or symmetry that was found in the run."""

    bravais: str
    """Bravais symbol, e.g. tP."""
    space_group: str
    """Hermann-Mauguin symbol."""
    n_lattices: int
    """Lattices of this type and cell."""
    unit_cell: Cell
    """Median (A, degrees)."""
    relation: str
    """Its relation to the consensus, in words."""


class Consensus(msgspec.Struct, kw_only=True):
    """The lattice of most integrated lattices."""

    bravais: str
    """Bravais symbol, e.g. tP."""
    space_group: str
    """Hermann-Mauguin symbol."""
    n_lattices: int
    """Lattices of this Bravais type and cell."""
    unit_cell: Cell
    """Median (A, degrees)."""
    unit_cell_spread: Cell
    """Robust standard deviation: 1.4826 times the median absolute deviation (A, degrees)."""
    share: float = 0.0
    """Fraction of all lattices that are of this Bravais type and cell."""
    share_interval: tuple[float, float] = (0.0, 1.0)
    """95 % confidence interval of this fraction (Wilson, J. Am. Stat. Assoc. (1927) 22, 209)."""
    is_close: bool = False
    """Whether the best candidate is not significantly less frequent."""
    metric_symmetry: str = ""
    """Space group of a higher symmetry that the median cell allows; empty if there is none."""
    metric_cell: Cell | None = None
    """The cell in that symmetry."""
    candidates: list[Candidate] = []
    """Other lattices, the most frequent first."""
    n_multiples: int = 0
    """Other lattices that are super- or subcells of it, of index 2 to 4, minus those expected by chance."""
    n_unlike: int = 0
    """Lattices that are neither the consensus, nor multiples of it, nor a candidate."""


def consensus(symmetries_: Symmetries, codes: Codes, cells: Floats, max_cells: int = MAX_CELLS) -> Consensus:
    """The largest cluster, and in it the most frequent Bravais type; a subcell takes precedence over its supercell.

    Between a cluster and its multiples, the one that accounts for most lattices, directly or through multiples, takes
    precedence: without a known cell most lattices found are multiples of the true one, and few are multiples of those.

    Args:
        symmetries_: Bravais symbol and space group, by code.
        codes: symmetry of each lattice, `[n]`, n > 0.
        cells: cell of each lattice (A, degrees), `[n, 6]`.
        max_cells: of more lattices than this, only every n-th is examined.
    """
    step = max(1, len(cells) // max_cells)
    sample, sample_codes = cells[::step], codes[::step]
    labels = label_cells(sample, sample_codes, symmetries_)
    clusters = describe_clusters(labels, sample, sample_codes, symmetries_, least=1)
    if not clusters:  # no two cells are alike
        labels = np.arange(len(sample), dtype=np.intp)
        clusters = describe_clusters(labels, sample, sample_codes, symmetries_, least=1)
    clusters = clusters[: 2 * _MAX_CANDIDATES]
    multiples = multiples_of_clusters(labels, sample, sample_codes, symmetries_, clusters)
    chosen = _best_supported(clusters, _chosen(clusters))
    members = np.flatnonzero(labels == chosen)
    votes = _votes(sample_codes[members], symmetries_)
    bravais = next(iter(votes))
    same = members[np.isin(sample_codes[members], [k for k, (name, _) in enumerate(symmetries_) if name == bravais])]
    alike = cells_in_one_setting(sample[same], bravais)
    middle = median_cell(alike)
    a, b, c, alpha, beta, gamma = (1.4826 * np.median(np.abs(alike - np.array(middle)), axis=0)).tolist()
    space_group = symmetries_[Counter(sample_codes[same].tolist()).most_common(1)[0][0]][1]
    found = Consensus(
        bravais=bravais,
        space_group=space_group,
        n_lattices=round(len(same) * len(cells) / len(sample)),
        unit_cell=middle,
        unit_cell_spread=(a, b, c, alpha, beta, gamma),
        share=len(same) / len(sample),
        share_interval=wilson_interval(len(same), len(sample)),
    )
    scale = len(cells) / len(sample)
    others = _other_lattices(clusters, chosen, scale)
    candidates = [*_lower_symmetries(votes, sample, sample_codes, members, symmetries_, scale), *others.values()]
    candidates.sort(key=lambda candidate: -candidate.n_lattices)
    least = max(1.0, _MIN_FRACTION * len(cells))
    found.candidates = [x for x in candidates if x.n_lattices >= least][:_MAX_CANDIDATES]
    found.n_multiples = round(clusters[chosen].n_multiples * scale)
    unlike = ~np.isin(labels, [chosen, *(k for k, x in others.items() if x in found.candidates)])
    if found.n_multiples:
        unlike[multiples[chosen]] = False
    found.n_unlike = round(np.count_nonzero(unlike) * scale)
    if found.candidates:
        found.is_close = _is_close(len(same), found.candidates[0].n_lattices / scale)
    _add_metric_symmetry(found)
    return found


def _is_close(first: float, second: float) -> bool:
    """Whether two counts of votes do not differ significantly (sign test, normal approximation)."""
    return first - second < Z_95 * math.sqrt(first + second)


def _votes(codes: Codes, symmetries_: Symmetries) -> dict[str, int]:
    """Votes for Bravais types, most first."""
    return dict(Counter(symmetries_[code][0] for code in codes.tolist()).most_common())


def _primitive(cluster: Cluster) -> Cell:
    return niggli_cell(cluster.unit_cell, cluster.space_group)


def _chosen(clusters: Sequence[Cluster]) -> int:
    """Number of the cluster that is the consensus."""
    first = _primitive(clusters[0])
    chosen = 0
    for k, cluster in enumerate(clusters[1:], start=1):
        if cluster.n_lattices < _RIVAL * clusters[0].n_lattices:
            break
        cell = _primitive(cluster)
        if (supercell_index(cell, first) or 1) > 1 and volume_A3(cell) < volume_A3(_primitive(clusters[chosen])):
            chosen = k
    return chosen


def _best_supported(clusters: Sequence[Cluster], chosen: int) -> int:
    """The chosen cluster, or a multiple of it that accounts for significantly more lattices."""
    first, best = _primitive(clusters[chosen]), chosen
    for k, cluster in enumerate(clusters):
        votes = [clusters[x].n_lattices + clusters[x].n_multiples for x in (k, best)]
        if votes[0] > votes[1] and not _is_close(votes[0], votes[1]):
            cell = _primitive(cluster)
            if (supercell_index(cell, first) or 1) > 1 or (supercell_index(first, cell) or 1) > 1:
                best = k
    return best


def _lower_symmetries(
    votes: dict[str, int],
    cells: Floats,
    codes: Codes,
    members: npt.NDArray[np.intp],
    symmetries_: Symmetries,
    scale: float,
) -> list[Candidate]:
    """Other Bravais types that frames with the consensus lattice were indexed in."""
    found = []
    for bravais, number in list(votes.items())[1:]:
        of_type = members[np.isin(codes[members], [k for k, (name, _) in enumerate(symmetries_) if name == bravais])]
        code = Counter(codes[of_type].tolist()).most_common(1)[0][0]
        found.append(
            Candidate(
                bravais=bravais,
                space_group=symmetries_[code][1],
                n_lattices=round(number * scale),
                unit_cell=median_cell(cells_in_one_setting(cells[of_type], bravais)),
                relation="same lattice, different symmetry",
            )
        )
    return found


def _other_lattices(clusters: Sequence[Cluster], chosen: int, scale: float) -> dict[int, Candidate]:
    """Candidates from the other clusters, by the number of the cluster."""
    first = _primitive(clusters[chosen])
    return {
        k: Candidate(
            bravais=cluster.bravais,
            space_group=cluster.space_group,
            n_lattices=round(cluster.n_lattices * scale),
            unit_cell=cluster.unit_cell,
            relation=_relation(first, _primitive(cluster)),
        )
        for k, cluster in enumerate(clusters)
        if k != chosen
    }


def _relation(first: Cell, other: Cell) -> str:
    larger, smaller = supercell_index(first, other), supercell_index(other, first)
    if larger == 1:
        return "nearly the same lattice"
    if larger:
        return f"supercell, {larger} times the volume"
    if smaller:
        return f"subcell, 1/{smaller} of the volume"
    return "another lattice"


def _add_metric_symmetry(found: Consensus) -> None:
    """Report a higher symmetry that the median cell allows, if most lattices were indexed in a lower one."""
    best = metric_symmetries(niggli_cell(found.unit_cell, found.space_group), MEDIAN_DISTORTION_DEG)[0]
    if best.bravais != found.bravais and point_group_order(best.space_group) > point_group_order(found.space_group):
        found.metric_symmetry, found.metric_cell = best.space_group, best.unit_cell
