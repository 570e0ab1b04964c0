"""Optimises the settings in the target of a run, where the parameters ask for it, and writes both into its folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from iota.engine.frame import questions
from iota.processing.determination import DeterminationRules
from iota.processing.from_parameters import grid_points
from iota.processing.optimise import Optimisation, candidates, optimise
from iota.records import FrameRef, Settings
from iota.runs import RunFolder
from iota.workers import dials
from iota.workers.protocol import Workers


def optimised_target(
    folder: RunFolder,
    values: Any,
    target: str,
    frames: Sequence[FrameRef],
    workers: Workers,
    settings: tuple[Settings, ...],
    rules: DeterminationRules | None,
    tick: Callable[[str], None],
) -> tuple[str, Optimisation] | None:
    """The target with the settings that are best, and what was tried; None if nothing is to be tried.

    Args:
        folder: of the run; of one that is resumed, the target has the best settings already.
        values: parameters of IOTA.
        target: parameters of the backend, as PHIL.
        frames: of the run.
        workers: do the work.
        settings: as in :func:`iota.processing.optimise.optimise`.
        rules: likewise.
        tick: likewise.

    Raises:
        ParameterError: a setting to be tried is not one of the backend.
        UsageError: there are too many combinations of settings.
        RunFolderError: the folder cannot be written.
    """
    options = values.cctbx_xfel.optimise
    if not options.flag_on or folder.optimisation.exists():
        return None
    tried = candidates(options.parameter, grid_points(values))
    found = optimise(options, frames, tried, workers, settings, rules, tick)
    target = dials.ask(questions.with_lines, target, [found.phil])
    folder.write_text(folder.target, target)
    folder.write_text(folder.optimisation, msgspec.json.format(msgspec.json.encode(found), indent=1).decode() + "\n")
    return target, found
