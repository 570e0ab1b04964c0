"""Grid search: finds the best spot-finding settings for each frame.

The method of Lyubimov et al., J. Appl. Cryst. (2016) 49, 1057, with the current backend.  Every combination of spot
area and spot height is indexed; of the lattices that pass the prefilter, the best is integrated, and the next ones
only if this fails.  Spots are found once for all areas at one height, since the minimum area only removes smaller
spots, and combinations that find the same spots are indexed once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from dials.algorithms.shoebox import MaskCode

from iota.causes import Cause, Why, why
from iota.crystallography.space_groups import bravais_symbol
from iota.engine.frame.frame import Failure, FrameFailedError, FrameWork
from iota.engine.frame.grid import Grid, Point
from iota.engine.stills.indexing import Indexed
from iota.records import FrameResult, GridPoint, Lattice, Settings

_MIN_FRACTION = 0.5  # a lattice that explains less than this share of what the best one does is left out


class _Candidate:
    """A lattice that one or more points of the grid lead to."""

    def __init__(self, point: Point, spots: Any, indexed: Indexed, record: GridPoint) -> None:
        self.point, self.spots, self.indexed, self.record = point, spots, indexed, record


def process(work: FrameWork, grid: Grid) -> FrameResult:
    """Process a frame completely with the best spot-finding settings of a grid."""
    try:
        work.find_spots()
        search = GridSearch(work, grid)
        candidates = search.candidates()
        work.result.grid = search.records
        return _integrate_best(work, grid, candidates)
    except FrameFailedError as error:
        return work.finish(error.failure)


def _integrate_best(work: FrameWork, grid: Grid, candidates: Sequence[_Candidate]) -> FrameResult:
    failure = Failure("failed_indexing", why(Cause.NO_LATTICE_IN_GRID))
    for candidate in candidates:
        work.spots = candidate.spots
        work.result.n_spots = len(candidate.spots)
        work.result.settings = f"{candidate.indexed.label}; {candidate.point.label}"
        try:
            work.result.lattices = work.integrate(candidate.indexed, _passes(grid))
        except FrameFailedError as error:
            failure = error.failure
            work.result.attempts.append(f"{candidate.point.label}: {error.why}")
            continue
        candidate.record.is_chosen = True
        return work.finish(None)
    return work.finish(failure)


def _passes(grid: Grid) -> Any:
    return None if grid.prefilter is None else grid.prefilter.objection


class GridSearch:
    """The search on one imported frame."""

    def __init__(self, work: FrameWork, grid: Grid) -> None:
        self._work = work
        self._grid = grid
        self._spots: dict[tuple[int, int], Any] = {}  # height, signal -> spots of the least area
        self._indexed: dict[bytes, Indexed | Why] = {}  # spots -> lattice, or why there is none
        self._settings: tuple[Settings, ...] = tuple(work.settings)
        self._candidates: dict[Point, _Candidate] = {}
        self.records: list[GridPoint] = []

    def candidates(self) -> list[_Candidate]:
        """Lattices that pass the prefilter, the best first, each once."""
        if self._grid.kind == "brute_force":
            for point in self._grid.points():
                self._try(point)
        else:
            self._climb()
        return self._ranked(self._candidates.values())

    def _climb(self) -> None:
        """Search around the best point, starting from the median, until it no longer changes."""
        tried: set[Point] = set()
        middle = self._grid.median
        while True:
            for point in self._grid.around(middle):
                if point not in tried:
                    tried.add(point)
                    self._try(point)
            best = self._ranked(self._candidates.values())
            following = best[0].point if best else self._more_spots(middle)
            if following == middle or set(self._grid.around(following)) <= tried:
                return
            middle = following

    def _more_spots(self, middle: Point) -> Point:
        """One step towards more spots, if nothing has been indexed yet."""
        grid = self._grid
        return Point(
            max(grid.areas[0], middle.area - 1),
            max(grid.heights[0], middle.height - 1),
            max(grid.heights[0], middle.signal - 1),
        )

    def _try(self, point: Point) -> None:
        spots = self._spots_at(point)
        record = GridPoint(area=point.area, height=point.height, signal=point.signal, n_spots=len(spots))
        self.records.append(record)
        try:
            self._work.triage(spots)
        except FrameFailedError as failure:
            record.explain(failure.why)
            return
        found = self._index(spots)
        if isinstance(found, Why):
            record.explain(found)
            return
        crystal = found.experiments[0].crystal
        record.n_indexed = found.n_indexed
        record.half_mosaicity_deg = round(float(crystal.get_half_mosaicity_deg()), 5)
        record.epv_per_A3 = float(f"{_ewald_proximal_volume(found.experiments[0]):.4g}")
        record.explain(self._objection(crystal))
        if record.cause is None:
            self._candidates[point] = _Candidate(point, spots, found, record)

    def _spots_at(self, point: Point) -> Any:
        key = (point.height, point.signal)
        if key not in self._spots:
            least = Point(self._grid.areas[0], *key)
            self._spots[key] = self._work.spots_with(least.phil)
        spots = self._spots[key]
        return spots.select(spots["shoebox"].count_mask_values(MaskCode.Foreground) >= point.area)

    def _index(self, spots: Any) -> Indexed | Why:
        """Index with the settings of the task in turn; settings that succeeded once are used for other spots."""
        key = b"".join(np.ascontiguousarray(part).tobytes() for part in spots["xyzobs.px.value"].parts()[:2])
        if key in self._indexed:
            return self._indexed[key]
        result: Indexed | Why = why(Cause.NO_LATTICE)
        for settings in self._settings:
            try:
                result = self._work.correct(self._work.index(settings, spots), spots)
            except FrameFailedError as failure:
                result = failure.why
            else:
                self._settings = (settings,)
                break
        self._indexed[key] = result
        return result

    def _objection(self, crystal: Any) -> Why | None:
        """Why the prefilter rejects a lattice before it is integrated."""
        if self._grid.prefilter is None:
            return None
        space_group = str(crystal.get_space_group().info())
        lattice = Lattice(
            bravais=bravais_symbol(space_group),
            space_group=space_group,
            unit_cell=crystal.get_unit_cell().parameters(),
            a_matrix=crystal.get_A(),
            n_indexed=0,
        )
        return self._grid.prefilter.without_reflections().objection(lattice)

    def _ranked(self, candidates: Any) -> list[_Candidate]:
        """Candidates ordered by the criterion, each lattice once, with its largest number of spots."""
        most = max((candidate.indexed.n_indexed for candidate in candidates), default=0)
        fit = [c for c in candidates if c.indexed.n_indexed >= _MIN_FRACTION * most]
        return list(_each_once(sorted(fit, key=self._rank)))

    def _rank(self, candidate: _Candidate) -> tuple[float, ...]:
        record = candidate.record
        more_strong = -float(record.n_indexed or 0)
        criteria = {"epv": record.epv_per_A3, "mosaicity": record.half_mosaicity_deg, "strong": more_strong}
        first = criteria[self._grid.select_by]
        return (float(first or 0.0), more_strong, float(candidate.point.area), float(candidate.point.height))


def _each_once(candidates: Sequence[_Candidate]) -> Iterator[_Candidate]:
    seen: list[Indexed] = []
    for candidate in candidates:
        if not any(candidate.indexed is indexed for indexed in seen):
            seen.append(candidate.indexed)
            yield candidate


_EPV_RESOLUTION_A = 2.0  # to which it is counted; the default of the backend


def _ewald_proximal_volume(experiment: Any) -> float:
    """Half the volume of reciprocal space whose points diffract, to 2 A (1/A^3).

    It lies between the Ewald sphere of radius 1/lambda and a surface beyond it by 1/D for domains of size D and by
    eta sin(theta)/lambda for half mosaicity eta (Sauter et al., Acta Cryst. (2014) D70, 3299), and is in proportion to
    the number of predicted reflections.
    """
    wavelength = experiment.beam.get_wavelength()
    radius = 1.0 / wavelength
    two_theta = np.linspace(0.0, 2.0 * np.arcsin(min(1.0, wavelength / (2.0 * _EPV_RESOLUTION_A))), 200)
    outer = radius + 1.0 / experiment.crystal.get_domain_size_ang()
    outer = outer + np.radians(experiment.crystal.get_half_mosaicity_deg()) * radius * np.sin(two_theta)
    shell = (outer**3 - radius**3) / 3.0 * np.sin(two_theta)
    return float(np.pi * np.dot(shell[1:] + shell[:-1], np.diff(two_theta)))
