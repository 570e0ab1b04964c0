"""Computes the summary of a run: counts, consensus lattice, medians, drift."""

from __future__ import annotations

import contextlib
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from iota.analysis.cells.cell_scale import CellScale, cell_scale
from iota.analysis.cells.consensus import MAX_CELLS, Consensus, consensus
from iota.analysis.drift import Drift, drifts
from iota.analysis.failures import Failure, failures
from iota.analysis.rates import RatesOverTime
from iota.analysis.table.columns import CELL, OTHER, OTHER_CODE, STAGES
from iota.analysis.table.table import RunTable
from iota.crystallography.space_groups import bravais_symbol
from iota.errors import RunFolderError
from iota.geometry.deviations import Diagnosis
from iota.geometry.drift.record import GeometryDrift
from iota.params.from_target import given_lattice
from iota.records import NOT_HITS, OUTCOMES, FrameResult, Lattice, Outcome
from iota.runs.geometry_diagnosis import read_diagnosis, read_drift
from iota.runs.geometry_revisions import Revision, read_revisions


class StageTime(msgspec.Struct, frozen=True, kw_only=True):
    """Time taken by a stage."""

    stage: str
    """Name of the stage, as in records."""
    n_frames: int
    """Frames that reached it."""
    median_s: float
    """Median per frame (s)."""
    total_s: float
    """Total over all frames (s)."""


class RateStep(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of frames in one time interval."""

    start_s: float
    """Start, relative to the first finished frame (s)."""
    end_s: float
    """End, likewise (s)."""
    n_read: int
    """Finished frames that could be read."""
    n_hits: int
    """Hits among them."""
    n_indexed: int
    """Indexed frames among them."""
    n_integrated: int
    """Integrated frames among them."""


class Summary(msgspec.Struct, kw_only=True):
    """Counts and typical values of a run."""

    n_frames: int
    """Frames of the run, finished or not."""
    counts: dict[Outcome, int]
    """Finished frames by outcome; only outcomes that occur."""
    n_lattices: int = 0
    """Lattices of integrated frames."""
    n_multi_lattice_frames: int = 0
    """Integrated frames with more than one lattice."""
    consensus: Consensus | None = None
    """The lattice of most integrated lattices."""
    other_bravais: dict[str, int] = {}
    """Bravais symbol -> lattices of another type than the consensus."""
    d_min_A: tuple[float, float, float] | None = None
    """Resolution of the lattices: best, median, worst (A)."""
    n_integrated_median: float | None = None
    """Integrated reflections per lattice, median."""
    n_strong_median: float | None = None
    """Strong integrated reflections per lattice, median."""
    n_spots_median: float | None = None
    """Spots per hit, median."""
    rmsd_px_median: float | None = None
    """RMSD between observed and predicted spots (px), median over lattices."""
    half_mosaicity_deg_median: float | None = None
    """Half-width mosaicity, as in DIALS (degrees), median over lattices."""
    mosaicity_deg_median: float | None = None
    """Old name of half_mosaicity_deg_median."""
    domain_size_A_median: float | None = None
    """Mosaic domain size (A), median over lattices."""
    wilson_b_A2_median: float | None = None
    """Wilson B factor (A^2), median over lattices."""
    beam_centre_px_median: tuple[float, float] | None = None
    """Beam centre, fast and slow (px), median over lattices."""
    beam_centre_mm_median: tuple[float, float] | None = None
    """Beam centre, fast and slow (mm), median over lattices."""
    distance_mm_median: float | None = None
    """Detector distance (mm), median over lattices."""
    drifts: list[Drift] = []
    """Drifts of beam centre and distance."""
    failures: list[Failure] = []
    """How often each reason occurs; the rarest are omitted."""
    stages: list[StageTime] = []
    """Processing time by stage."""
    rates: list[RateStep] = []
    """Hit, indexing and integration rates over time."""
    pixel_size_mm: float | None = None
    """Size of a pixel (mm)."""
    best_files: dict[str, str] = {}
    """Files of the frame with most integrated reflections: kind -> path relative to the run folder."""
    cell_scale: CellScale | None = None
    """Scale of the cells relative to the given one, if they differ as with a wrong distance."""
    geometry: Diagnosis | None = None
    """Whether the detector is where it was taken to be; found with enough lattices, and again when a run ends."""
    geometry_drift: GeometryDrift | None = None
    """How the detector moved during the run, from the positions of spots; found with 100 lattices or more."""
    revisions: list[Revision] = []
    """Geometries that were tried during the run instead of the given one."""
    settings: dict[str, int] = {}
    """Settings with which the lattice was found -> integrated frames."""
    n_unreadable: int = 0
    """Lines of the ledger that are not records; their frames are not counted."""
    n_repeated: int = 0
    """Records of frames that have one already; they are not counted."""
    remarks: dict[str, int] = {}
    """Sentence about files or headers -> frames to which it applies."""

    @property
    def better_distance_mm(self) -> float | None:
        """Distance at which cells would be as given (mm), if that is another one; the diagnosis knows it best."""
        if self.geometry is not None and self.geometry.explains_cells:
            return self.geometry.better_distance_mm
        return None if self.cell_scale is None else self.cell_scale.distance_mm

    @property
    def follows_drift(self) -> bool:
        """Whether parts of the run were processed with geometries of their own, because the detector moved."""
        return any(one.method == "drift" and one.proof.is_better for one in self.revisions)

    @property
    def n_finished(self) -> int:
        """Frames that have a record."""
        return sum(self.counts.values())

    @property
    def n_read(self) -> int:
        """Finished frames that could be read: the total of which hits are a fraction."""
        return self.n_finished - self.counts.get("failed_import", 0)

    @property
    def n_hits(self) -> int:
        """Frames with enough diffraction to be indexed."""
        return self.n_finished - sum(self.counts.get(outcome, 0) for outcome in NOT_HITS)

    @property
    def n_indexed(self) -> int:
        """Hits in which a lattice was found, whatever their outcome."""
        return self.n_hits - self.counts.get("failed_indexing", 0)

    @property
    def n_integrated(self) -> int:
        """Frames that were integrated."""
        return self.counts.get("integrated", 0)


class SummaryBuilder:
    """Takes records that were chosen, as for merging, and says what their lattices are; about 120 bytes a lattice."""

    def __init__(self, n_frames: int) -> None:
        self.n_frames = n_frames
        self._outcomes: Counter[Outcome] = Counter()
        self._settings: Counter[str] = Counter()
        self._symmetries: dict[tuple[str, str], int] = {}  # Bravais symbol, space group -> code
        self._codes = array("H")  # `[n_lattices]`
        self._cells = array("d")  # `[n_lattices, 6]`
        self._values = {name: array("d") for name in _COLUMNS}  # `[n_lattices]` each, nan where unknown
        self._n_multi = 0
        self._pixel_size_mm: float | None = None
        self._best_files: dict[str, str] = {}
        self._most_reflections = 0

    def add(self, result: FrameResult) -> None:
        """Add a record."""
        self._outcomes[result.outcome] += 1
        if result.outcome != "integrated":
            return
        self._settings[result.settings] += 1
        self._n_multi += len(result.lattices) > 1
        for lattice in result.lattices:
            self._add_lattice(lattice)
        n_reflections = sum(lattice.n_integrated for lattice in result.lattices)
        if n_reflections > self._most_reflections:
            self._most_reflections, self._best_files = n_reflections, result.files

    def _add_lattice(self, lattice: Lattice) -> None:
        key = (lattice.bravais, lattice.space_group)
        self._codes.append(self._symmetries.setdefault(key, len(self._symmetries)))
        self._cells.extend(lattice.unit_cell)
        fast, slow = lattice.beam_centre_px or (None, None)
        fast_mm, slow_mm = lattice.beam_centre_mm or (None, None)
        known = (*(getattr(lattice, name) for name in _OF_LATTICE), fast, slow, fast_mm, slow_mm)
        for column, value in zip(self._values.values(), known, strict=True):
            column.append(np.nan if value is None else value)
        self._pixel_size_mm = lattice.pixel_size_mm

    @property
    def counts(self) -> dict[Outcome, int]:
        """Finished frames by outcome, in the order of the stages."""
        return {outcome: self._outcomes[outcome] for outcome in OUTCOMES if self._outcomes[outcome]}

    def summary(self) -> Summary:
        """Compute the summary of the records added so far."""
        summary = Summary(
            n_frames=self.n_frames,
            counts=self.counts,
            n_lattices=len(self._codes),
            n_multi_lattice_frames=self._n_multi,
            settings=dict(self._settings.most_common()),
        )
        if self._codes:
            self._describe(summary)
        return summary

    def _describe(self, summary: Summary) -> None:
        values = {name: np.frombuffer(column, dtype=np.float64) for name, column in self._values.items()}
        _describe(summary, list(self._symmetries), np.array(self._codes), np.array(self._cells).reshape(-1, 6), values)
        summary.pixel_size_mm = self._pixel_size_mm
        summary.best_files = self._best_files


_OF_LATTICE = (
    "n_integrated", "n_strong", "d_min_A", "rmsd_px", "wilson_b_A2", "half_mosaicity_deg", "domain_size_A",
    "distance_mm",
)  # fmt: skip
_COLUMNS = (*_OF_LATTICE, "beam_fast_px", "beam_slow_px", "beam_fast_mm", "beam_slow_mm")
_MAX_REASONS = 40


def summary_of(table: RunTable, n_frames: int, max_cells: int = MAX_CELLS) -> Summary:
    """Make the summary of a run from its columns.

    Args:
        table: the run's frames, as far as they are read.
        n_frames: frames of the run, finished or not.
        max_cells: so many cells are compared for the consensus, which takes 0.3 ms each.
    """
    n_rows, n_lattices = table.n_rows, table.n_lattices  # rows may be added while this goes on
    outcome = table.column("outcome", stop=n_rows)
    counts = np.bincount(outcome, minlength=len(OUTCOMES)).tolist()
    is_integrated = outcome == OUTCOMES.index("integrated")
    summary = Summary(
        n_frames=n_frames,
        counts={name: number for name, number in zip(OUTCOMES, counts, strict=True) if number},
        n_multi_lattice_frames=int(np.count_nonzero(table.column("n_lattices", stop=n_rows)[is_integrated] > 1)),
        settings=_numbers_of(table.settings, table.column("settings", stop=n_rows)[is_integrated]),
    )
    summary.revisions = read_revisions(table.folder).revisions
    summary.remarks = _remarks(table, n_rows)
    summary.n_unreadable, summary.n_repeated = table.n_unreadable, table.n_repeated
    is_hit = ~np.isin(outcome, [OUTCOMES.index(name) for name in NOT_HITS])
    summary.n_spots_median = _median(table.column("n_spots", stop=n_rows)[is_hit])
    summary.failures = _most_frequent(failures(table, n_rows))
    summary.stages = _stages(table, n_rows)
    summary.rates = _rates(table, outcome)
    of_frame = table.lattice_column("row")[:n_lattices]
    chosen = np.flatnonzero(of_frame < n_rows)
    chosen = chosen[is_integrated[of_frame[chosen]]]
    summary.n_lattices = len(chosen)
    if not len(chosen):
        return summary
    values = {name: table.lattice_column(name)[chosen] for name in _COLUMNS}
    cells = np.stack([table.lattice_column(name)[chosen] for name in CELL], axis=1).astype(float)
    codes = table.lattice_column("symmetry")[chosen]
    _describe(summary, table.symmetries, codes, cells, values, max_cells)
    summary.cell_scale = _scale_to_given(table, codes, cells, summary.distance_mm_median)
    summary.geometry, summary.geometry_drift = read_diagnosis(table.folder), read_drift(table.folder)
    reflections = np.bincount(of_frame[chosen], weights=values["n_integrated"])
    rows = np.unique(of_frame[chosen])  # reflections may be none on all of them
    with contextlib.suppress(RunFolderError):  # the ledger may be away by now
        best = table.record(int(rows[np.argmax(reflections[rows])]))
        summary.best_files = best.files
        summary.pixel_size_mm = best.lattices[0].pixel_size_mm
    return summary


def _remarks(table: RunTable, n_rows: int) -> dict[str, int]:
    frames: Counter[str] = Counter()
    for words, n in _numbers_of(table.remarks, table.column("remarks", stop=n_rows)).items():
        frames.update(dict.fromkeys(words.splitlines(), n))
    return dict(frames.most_common())


def _scale_to_given(
    table: RunTable, codes: npt.NDArray[np.uint16], cells: npt.NDArray[np.float64], distance_mm: float | None
) -> CellScale | None:
    given = given_lattice(table.folder.target)
    if given is None:
        return None
    bravais = bravais_symbol(given[1])
    same = np.isin(codes, [code for code, (symbol, _) in enumerate(table.symmetries) if symbol == bravais])
    return cell_scale(cells[same], given[0], distance_mm)


def _most_frequent(found: list[Failure]) -> list[Failure]:
    least = sorted((failure.n for failure in found), reverse=True)[:_MAX_REASONS][-1:] or [0]
    return [failure for failure in found if failure.n >= least[0]][:_MAX_REASONS]


def _stages(table: RunTable, n_rows: int) -> list[StageTime]:
    found = []
    for stage in STAGES:
        seconds = table.column(f"seconds_{stage}", stop=n_rows)
        known = seconds[np.isfinite(seconds)]
        if len(known):
            total = float(known.sum(dtype=np.float64))
            found.append(StageTime(stage=stage, n_frames=len(known), median_s=float(np.median(known)), total_s=total))
    return found


def _rates(table: RunTable, outcome: npt.NDArray[np.uint8]) -> list[RateStep]:
    counting = RatesOverTime()
    counting.add(table.column("finished", stop=len(outcome)), outcome)
    if not len(counting.counts):
        return []
    edges, counts = counting.points()
    return [
        RateStep(start_s=start, end_s=end, n_read=read, n_hits=hits, n_indexed=indexed, n_integrated=integrated)
        for start, end, (read, hits, indexed, integrated) in zip(
            edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True
        )
    ]


def _numbers_of(words: Sequence[str], codes: npt.NDArray[np.uint16]) -> dict[str, int]:
    """How often each word occurs, the most frequent first."""
    numbers = zip(*np.unique(codes, return_counts=True), strict=True)
    named = {words[code] if code < len(words) else OTHER if code == OTHER_CODE else "": int(n) for code, n in numbers}
    return dict(sorted(named.items(), key=lambda item: -item[1]))


def _describe(
    summary: Summary,
    symmetries: Sequence[tuple[str, str]],
    codes: npt.NDArray[np.uint16],
    cells: npt.NDArray[np.float64],
    values: Mapping[str, npt.NDArray[np.floating[Any]]],
    max_cells: int = MAX_CELLS,
) -> None:
    """Fill in what lattices say, as :func:`consensus` takes them; values are `[n_lattices]` each, nan where unknown."""
    summary.consensus = consensus(symmetries, codes, cells, max_cells)
    others = Counter({bravais: 0 for bravais, _ in symmetries})
    for code, number in zip(*np.unique(codes, return_counts=True), strict=True):
        others[symmetries[code][0]] += int(number)
    del others[summary.consensus.bravais]
    summary.other_bravais = {bravais: number for bravais, number in others.most_common() if number}
    d_min = values["d_min_A"][np.isfinite(values["d_min_A"])]
    if len(d_min):
        summary.d_min_A = (float(d_min.min()), float(np.median(d_min)), float(d_min.max()))
    for name in (*_OF_LATTICE[:2], *_OF_LATTICE[3:]):
        setattr(summary, f"{name}_median", _median(values[name]))
    summary.mosaicity_deg_median = summary.half_mosaicity_deg_median
    summary.beam_centre_px_median = _both(_median(values["beam_fast_px"]), _median(values["beam_slow_px"]))
    summary.beam_centre_mm_median = _both(_median(values["beam_fast_mm"]), _median(values["beam_slow_mm"]))
    summary.drifts = drifts(values)


def _both(fast: float | None, slow: float | None) -> tuple[float, float] | None:
    return None if fast is None or slow is None else (fast, slow)


def _median(values: npt.NDArray[np.floating[Any]]) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None
