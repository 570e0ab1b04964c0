"""Trials of settings on a random sample of frames; the significantly best is used for the run."""

from __future__ import annotations

import concurrent.futures
import logging
import random
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import msgspec

from iota.analysis.paired import Comparison, compare, holm
from iota.engine.frame import questions
from iota.engine.frame.grid import Grid, Point
from iota.errors import ParameterError, UsageError
from iota.processing.coordinator import Coordinator
from iota.processing.determination import DeterminationRules
from iota.records import FrameRef, FrameResult, Report, Settings, Task
from iota.runs.determination import Determination
from iota.runs.geometry_revisions import GeometryRevisions, Revision
from iota.workers import dials
from iota.workers.protocol import Workers

logger = logging.getLogger(__name__)

MAX_TRIALS = 64


class Trial(msgspec.Struct, kw_only=True):
    """Settings that were tried, and how they compare with those of the target."""

    label: str
    phil: str
    comparison: Comparison
    p_corrected: float  # for the number of trials (Holm)


class Optimisation(msgspec.Struct, kw_only=True):
    """The settings tried and the results, ``optimisation.json`` in the run folder."""

    sample: list[FrameRef]
    seed: int
    confidence: float
    n_integrated: int  # of the sample, with the target as it was
    trials: list[Trial] = []
    winner: int | None = None  # number of the trial that is used, from 0; None: the target stays

    @property
    def phil(self) -> str:
        """The parameters that the winner adds to the target."""
        return "" if self.winner is None else self.trials[self.winner].phil

    def sentence(self) -> str:
        """The result as a sentence."""
        n = len(self.sample)
        if self.winner is None:
            tried = "1 setting" if len(self.trials) == 1 else f"{len(self.trials)} settings"
            return (
                f"No significant improvement with {tried} tried: the target, with {self.n_integrated} of {n} sample"
                " frames integrated, is kept."
            )
        best = self.trials[self.winner]
        low, high = (100 * x for x in best.comparison.interval)
        return (
            f"{best.label}: {best.comparison.n_after} of {n} sample frames were integrated instead of"
            f" {self.n_integrated} (difference {100 * best.comparison.difference:.0f} %, {100 * self.confidence:g} %"
            f" interval {low:.0f} to {high:.0f} %, p = {best.p_corrected:.2g}). It is used for the run."
        )


class WithMore:
    """Workers that add parameters to those of each task."""

    def __init__(self, workers: Workers, phil: str, *, trial: bool = False) -> None:
        self._workers, self._phil, self._trial = workers, phil, trial
        self.n_processes = workers.n_processes

    def submit(self, tasks: Sequence[Task]) -> concurrent.futures.Future[list[Report]]:
        """Queue tasks with the additional parameters; of a trial, the first one only."""
        wanted = tasks[:1] if self._trial else tasks
        return self._workers.submit(
            [
                msgspec.structs.replace(task, more=self._phil + task.more, trial=self._trial or task.trial)
                for task in wanted
            ]
        )

    def stop(self) -> None:
        """Does nothing: the workers belong to the caller."""


class _Tally:
    """Records which frames were integrated, and the determined lattices."""

    def __init__(self, tick: Callable[[], None]) -> None:
        self.integrated: dict[FrameRef, bool] = {}
        self.determination = Determination()
        self._tick = tick

    def finished(self, result: FrameResult) -> None:
        self.integrated[result.frame] = result.outcome == "integrated"

    def determined(self, determination: Determination) -> None:
        self.determination = determination

    def revised(self, revisions: GeometryRevisions, new: Revision | None) -> Mapping[FrameRef, FrameResult]:
        return {}

    def tick(self, doing: str, n_waiting: int) -> None:
        self._tick()


def optimise(
    options: Any,
    frames: Sequence[FrameRef],
    candidates: Sequence[tuple[str, str]],
    workers: Workers,
    settings: tuple[Settings, ...],
    rules: DeterminationRules | None,
    tick: Callable[[str], None],
) -> Optimisation:
    """Try settings on a random sample of frames.

    The lattice is determined with the target as it is and then kept for all trials, so that these compare what the
    settings do and not what was determined by chance.

    Args:
        options: the scope ``cctbx_xfel.optimise`` of the parameters, with a seed.
        frames: of the run.
        candidates: words and additional backend parameters of each trial.
        workers: who does the work.
        settings: to try in turn on every frame where there is nothing to learn.
        rules: for determining the lattice, or None.
        tick: is told what goes on, twice a second.
    """
    chosen = random.Random(options.seed).sample(range(len(frames)), min(options.n_frames, len(frames)))
    sample = [frames[k] for k in sorted(chosen)]
    determination = Determination()

    def integrated(phil: str, doing: str) -> dict[FrameRef, bool]:
        nonlocal determination
        tally = _Tally(lambda: tick(doing))
        names = {frame: f"trial_{number:05d}" for number, frame in enumerate(sample)}
        given = msgspec.structs.replace(determination, over=True) if determination.lattices else Determination()
        Coordinator(sample, names.__getitem__, WithMore(workers, phil, trial=True), tally, settings, rules, given).run()
        determination = tally.determination if tally.determination.lattices else determination
        return tally.integrated

    n = len(candidates)
    before = integrated("", f"trying the target on {len(sample)} frames")
    after = [integrated(phil, f"trying settings {k} of {n}") for k, (_, phil) in enumerate(candidates, start=1)]
    result = judged(sample, before, after, candidates, options.seed, options.confidence)
    for trial in result.trials:
        logger.info(
            "Tried %s: %d of %d sample frames integrated, with the target %d; p = %.2g, corrected %.2g.",
            trial.label,
            trial.comparison.n_after,
            len(sample),
            result.n_integrated,
            trial.comparison.p,
            trial.p_corrected,
        )
    logger.info("%s", result.sentence())
    return result


def judged(
    sample: Sequence[FrameRef],
    before: Mapping[FrameRef, bool],
    after: Sequence[Mapping[FrameRef, bool]],
    candidates: Sequence[tuple[str, str]],
    seed: int,
    confidence: float,
) -> Optimisation:
    """Compare trials with the target as it is; the winner is significantly better, and the best of those that are."""
    comparisons = [compare(before, integrated, confidence) for integrated in after]
    corrected = holm([comparison.p for comparison in comparisons])
    trials = [
        Trial(label=label, phil=phil, comparison=comparison, p_corrected=p)
        for (label, phil), comparison, p in zip(candidates, comparisons, corrected, strict=True)
    ]
    better = [k for k, t in enumerate(trials) if t.p_corrected < 1.0 - confidence and t.comparison.difference > 0]
    return Optimisation(
        sample=list(sample),
        seed=seed,
        confidence=confidence,
        n_integrated=sum(before.values()),
        trials=trials,
        winner=max(better, key=lambda k: (trials[k].comparison.n_after, -k)) if better else None,
    )


def candidates(given: Sequence[str], grid: Grid) -> list[tuple[str, str]]:
    """The settings to try: labels and backend parameters.

    Args:
        given: parameters of the backend with values to try, as ``name = value value ...``; all combinations are tried.
            Without any, four points of the grid of spot-finding settings are: more would cost more sample frames to
            tell apart, and most of a grid is worse than the defaults.
        grid: of spot area and height.

    Raises:
        ParameterError: a name or value is not the backend's.
        UsageError: there are too many combinations.
    """
    if not given:
        least, lowest = grid.areas[0], grid.heights[0]
        halfway = (lowest + grid.height_median) // 2
        wanted = [(least, lowest), (least, halfway), (grid.area_median, lowest), (least, grid.heights[-1])]
        points = [Point(area, height, height) for area, height in dict.fromkeys(wanted)]
        return [(point.label, point.phil) for point in points]
    values = [list(_assignments(text)) for text in given]
    combinations = list(product(*values))
    if len(combinations) > MAX_TRIALS:
        raise UsageError(f"cctbx_xfel.optimise has {len(combinations)} combinations; the maximum is {MAX_TRIALS}.")
    return [(", ".join(combination), "".join(f"{line}\n" for line in combination)) for combination in combinations]


def _assignments(text: str) -> Iterator[str]:
    name, equals, values = text.partition("=")
    name = name.strip()
    if not equals or not values.split():
        raise ParameterError(
            f"{text!r} gives no values to try; use e.g."
            ' cctbx_xfel.optimise.parameter="spotfinder.filter.min_spot_size = 2 3 4".'
        )
    if not dials.ask(questions.is_backend_name, name):
        near = dials.ask(questions.nearest_name, name)
        raise ParameterError(
            f"The backend has no parameter named {name}. " + (f"Did you mean {near}?" if near else "See its -c -e 3.")
        )
    for value in shlex.split(values, posix=False):
        yield f"{name} = {value}"
