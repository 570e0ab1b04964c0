"""The summary of a run: what a person wants to know first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec
import numpy as np

from iota.analysis.lattices import group_lattices
from iota.records import NOT_HITS, OUTCOMES, FrameResult, Lattice, Outcome
from iota.symmetry import Cell, median_cell, primitive_niggli

_MOST_CELLS = 5000  # grouping compares cells with groups; more than this many add nothing to a median


class Consensus(msgspec.Struct, kw_only=True):
    """The lattice of most integrated lattices."""

    bravais: str
    space_group: str
    n_lattices: int  # of this Bravais type and cell
    unit_cell: Cell  # median
    unit_cell_spread: Cell  # robust standard deviation: 1.4826 times the median absolute deviation


class Summary(msgspec.Struct, kw_only=True):
    """Counts and typical values of a run."""

    n_frames: int
    counts: dict[Outcome, int]  # of finished frames, outcomes that occur only
    n_lattices: int = 0
    n_multi_lattice_frames: int = 0
    consensus: Consensus | None = None
    other_bravais: dict[str, int] = {}  # Bravais symbol -> lattices that are not of the consensus
    d_min_A: tuple[float, float, float] | None = None  # best, median, worst
    n_integrated_median: float | None = None
    wilson_b_A2_median: float | None = None
    beam_centre_px_median: tuple[float, float] | None = None
    distance_mm_median: float | None = None
    pixel_size_mm: float | None = None
    best_files: dict[str, str] = {}  # files of the frame with most integrated reflections, relative to the run folder
    settings: dict[str, int] = {}  # integrated frames by the settings that their lattice was found with

    @property
    def n_finished(self) -> int:
        """Frames that have a record."""
        return sum(self.counts.values())

    @property
    def n_hits(self) -> int:
        """Frames with enough diffraction to be indexed."""
        return self.n_finished - sum(self.counts.get(outcome, 0) for outcome in NOT_HITS)

    @property
    def n_integrated(self) -> int:
        """Frames that were integrated."""
        return self.counts.get("integrated", 0)


class SummaryBuilder:
    """Takes records one by one and keeps only what the summary needs."""

    def __init__(self, n_frames: int) -> None:
        self.n_frames = n_frames
        self._outcomes: Counter[Outcome] = Counter()
        self._settings: Counter[str] = Counter()
        self._lattices: list[Lattice] = []
        self._n_multi = 0
        self._best: FrameResult | None = None

    def add(self, result: FrameResult) -> None:
        """Take a record."""
        self._outcomes[result.outcome] += 1
        if result.outcome == "integrated":
            self._settings[result.settings] += 1
            self._lattices += result.lattices
            self._n_multi += len(result.lattices) > 1
            if self._best is None or _n_reflections(result) > _n_reflections(self._best):
                self._best = result

    @property
    def counts(self) -> dict[Outcome, int]:
        """Finished frames by outcome, in the order of the stages."""
        return {outcome: self._outcomes[outcome] for outcome in OUTCOMES if self._outcomes[outcome]}

    def summary(self) -> Summary:
        """Make the summary of what was taken so far."""
        summary = Summary(
            n_frames=self.n_frames,
            counts=self.counts,
            n_lattices=len(self._lattices),
            n_multi_lattice_frames=self._n_multi,
            settings=dict(self._settings.most_common()),
        )
        if self._lattices:
            summary.consensus = consensus(self._lattices)
            summary.best_files = self._best.files if self._best else {}
            others = Counter(x.bravais for x in self._lattices if x.bravais != summary.consensus.bravais)
            summary.other_bravais = dict(others.most_common())
            d_min = [x.d_min_A for x in self._lattices if x.d_min_A is not None]
            if d_min:
                summary.d_min_A = (min(d_min), float(np.median(d_min)), max(d_min))
            summary.n_integrated_median = float(np.median([x.n_integrated for x in self._lattices]))
            summary.wilson_b_A2_median = _median(x.wilson_b_A2 for x in self._lattices)
            summary.distance_mm_median = _median(x.distance_mm for x in self._lattices)
            summary.pixel_size_mm = self._lattices[0].pixel_size_mm
            centres = [x.beam_centre_px for x in self._lattices if x.beam_centre_px]
            if centres:
                fast, slow = np.median(np.array(centres), axis=0)
                summary.beam_centre_px_median = (float(fast), float(slow))
        return summary


def _n_reflections(result: FrameResult) -> int:
    return sum(lattice.n_integrated for lattice in result.lattices)


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def consensus(lattices: list[Lattice]) -> Consensus:
    """Bravais type of most lattices, and among these the largest group of one cell.

    Args:
        lattices: at least one.
    """
    bravais = Counter(x.bravais for x in lattices).most_common(1)[0][0]
    members = [x for x in lattices if x.bravais == bravais]
    sample = members[:: max(1, len(members) // _MOST_CELLS)]
    groups = group_lattices((str(k), primitive_niggli(x.unit_cell, x.space_group)) for k, x in enumerate(sample))
    largest = [sample[int(k)] for k in groups[0].members]
    cells = np.array([x.unit_cell for x in largest])
    middle = median_cell([x.unit_cell for x in largest])
    spread = 1.4826 * np.median(np.abs(cells - np.array(middle)), axis=0)
    a, b, c, alpha, beta, gamma = (float(x) for x in spread)
    return Consensus(
        bravais=bravais,
        space_group=Counter(x.space_group for x in largest).most_common(1)[0][0],
        n_lattices=round(len(largest) * len(members) / len(sample)),
        unit_cell=middle,
        unit_cell_spread=(a, b, c, alpha, beta, gamma),
    )
