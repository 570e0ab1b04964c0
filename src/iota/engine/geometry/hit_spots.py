"""Places the spots of hits in the laboratory, with the geometry by which their frames are read.

Frames that were not integrated have left their spots in the run folder; those of others are found again.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from iota.engine.backend.dials_files import read_experiments, read_reflections
from iota.engine.backend.frame_log import frame_log
from iota.engine.backend.remarks import collect_remarks
from iota.engine.frame.engine import Engine
from iota.engine.frame.frame import FrameFailedError, FrameWork
from iota.engine.geometry.detector import key_of, panels_of
from iota.engine.geometry.observations import OTHER_DETECTOR, common_detector
from iota.engine.geometry.parallax import at_surface
from iota.engine.questions import HitFrame
from iota.errors import BackendError, UsageError
from iota.geometry.search import HitSpots
from iota.processes.protocol import Tell
from iota.records import OUTCOME_WORDS, Task


class PlacedHits(NamedTuple):
    """Spots of hits on one detector."""

    hits: list[HitSpots]
    detector: Any  # of dxtbx
    beam: Any
    left_out: dict[str, int]  # why -> frames


def hit_spots(frames: Sequence[HitFrame], target: str, tell: Tell) -> PlacedHits:
    """Read or find the spots of frames; the detector is that of most, and frames on another one are left out.

    Args:
        frames: frames with diffraction.
        target: parameters of the backend, with which spots that were not kept are found.
        tell: is told how many frames have been read.

    Raises:
        UsageError: none of the frames can be used.
        BackendError: a file that the parameters name cannot be used.
    """
    left_out: Counter[str] = Counter()
    models: dict[bytes, tuple[Any, Any]] = {}
    placed: list[tuple[bytes, HitSpots]] = []
    with tempfile.TemporaryDirectory(prefix="iota_") as folder:
        finding = _Finding(target, Path(folder))
        for number, frame in enumerate(frames):
            try:
                experiments, spots = _kept(frame) or finding.find(frame, number)
            except FrameFailedError as failure:
                left_out[OUTCOME_WORDS[failure.outcome]] += 1
            else:
                (experiment,) = experiments
                key = key_of(experiment.detector)
                models.setdefault(key, (experiment.detector, experiment.beam))
                placed.append((key, _placed(experiments, spots)))
            tell(number + 1)
    if not placed:
        why = ", ".join(f"{number} {reason}" for reason, number in left_out.items())
        raise UsageError(f"None of {len(frames)} frames has spots with which to search for the beam centre ({why}).")
    detector, beam, same = common_detector(models, [key for key, _ in placed])
    hits = [hit for key, hit in placed if key in same]
    if len(hits) < len(placed):
        left_out[OTHER_DETECTOR] = len(placed) - len(hits)
    return PlacedHits(hits, detector, beam, dict(left_out))


def _kept(frame: HitFrame) -> tuple[Any, Any] | None:
    """Models and spots from the files of a frame; None if there are none that can be read."""
    if not (frame.experiments and frame.strong):
        return None
    try:
        experiments, spots = read_experiments(Path(frame.experiments)), read_reflections(Path(frame.strong))
    except BackendError:
        return None
    wanted = {"id", "panel", "xyzobs.px.value", "xyzobs.px.variance", "intensity.sum.value"}
    return (experiments, spots) if len(experiments) == 1 and wanted <= set(spots.keys()) else None


class _Finding:
    """Finds spots as the workers of a run do; prepared only if it is needed."""

    def __init__(self, target: str, folder: Path) -> None:
        self._target = target
        self._folder = folder
        self._engine: Engine | None = None

    def find(self, frame: HitFrame, number: int) -> tuple[Any, Any]:
        """Models and spots of a frame.

        Raises:
            FrameFailedError: it cannot be read, or is no hit.
        """
        if self._engine is None:
            self._engine = Engine(self._target, self._folder)
        task = Task("screen", frame.frame, f"hit_{number}")
        with frame_log(), collect_remarks(), FrameWork(self._engine, task) as work:
            work.find_spots()
            return work.experiments, work.spots


def _placed(experiments: Any, spots: Any) -> HitSpots:
    spots.centroid_px_to_mm(experiments)
    (experiment,) = experiments
    xy_mm = spots["xyzobs.mm.value"].as_double().as_numpy_array().reshape(-1, 3)[:, :2]
    panel = spots["panel"].as_numpy_array().astype(np.int64)
    for number in np.unique(panel):
        on_it = panel == number
        xy_mm[on_it] = at_surface(experiment.detector[int(number)], xy_mm[on_it])
    return HitSpots(
        panels_of(experiment.detector).lab_mm(panel, xy_mm),
        spots["intensity.sum.value"].as_numpy_array().astype(np.float64),
        float(experiment.beam.get_wavelength()),
    )
