"""How the header of a simulated set is wrong, and what ``iota.run`` makes of it: sets, runs and their costs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from side_by_side import timing

from iota.simulate import Crystal, Experiment, Frames, GeometryErrors, make_detector, misstated, write_dataset
from iota.simulate.experiment import LYSOZYME_CELL

_BLANK_FRACTION = 0.05
_GOLDEN_DEG = 137.5  # between the directions of two seeds, so that they soon cover the circle

CRYSTALS = {  # primitive ones, which the comparison of lattices relies on
    "lysozyme": Crystal(name="lysozyme", unit_cell=LYSOZYME_CELL, space_group="P43212"),
    "trypsin": Crystal(name="trypsin", unit_cell=(54.9, 58.5, 67.6, 90.0, 90.0, 90.0), space_group="P212121"),
    "monoclinic": Crystal(name="monoclinic", unit_cell=(43.0, 61.0, 52.0, 90.0, 99.0, 90.0), space_group="P21"),
}
CELLS = ("known", "nothing")


@dataclass(frozen=True)
class Row:
    """How the header is wrong: the beam centre by ``beam_px`` and the tilt by ``tilt_deg``, in the direction of the
    seed; ``rotation_deg`` has its sign.  ``beam_at_px`` is a shift that is the same for all seeds.
    """

    detector: str = ""
    beam_px: float = 0.0
    beam_at_px: tuple[float, float] = (0.0, 0.0)
    distance_percent: float = 0.0
    tilt_deg: float = 0.0
    rotation_deg: float = 0.0
    panels: tuple[float, float] = (0.0, 0.0)
    drift_mm: float = 0.0

    @property
    def moves_pixels(self) -> bool:
        """Whether the true detector is another one and the header as always, rather than the other way round."""
        return bool(self.tilt_deg or self.rotation_deg or any(self.panels))

    def errors(self, seed: int) -> GeometryErrors:
        """The same as ``iota.simulate`` takes it."""
        angle = np.radians(_GOLDEN_DEG * seed)
        along = np.array([np.cos(angle), np.sin(angle)])
        fast, slow = np.array(self.beam_at_px) + self.beam_px * along
        tilt_x, tilt_y = self.tilt_deg * along
        return GeometryErrors(
            distance_percent=self.distance_percent,
            beam_px=(float(fast), float(slow)),
            tilt_deg=(float(tilt_x), float(tilt_y)),
            rotation_deg=self.rotation_deg * (-1) ** seed,
            panel_shift_px=self.panels[0],
            panel_turn_deg=self.panels[1],
        )


_SEVERAL = "jungfrau"  # eight panels
ROWS = {
    "right": Row(),
    "right-panels": Row(detector=_SEVERAL),
    "beam-1.5": Row(beam_px=1.5),
    "beam-3--2": Row(beam_at_px=(3.0, -2.0)),
    "beam-8": Row(beam_px=8.0),
    "beam-15": Row(beam_px=15.0),
    "distance+0.5": Row(distance_percent=0.5),
    "distance+1": Row(distance_percent=1.0),
    "distance+5": Row(distance_percent=5.0),
    "distance-5": Row(distance_percent=-5.0),
    "rotation-0.5": Row(rotation_deg=0.5),
    "tilt-0.5": Row(tilt_deg=0.5),
    "panels": Row(detector=_SEVERAL, panels=(1.0, 0.1)),
    "drift": Row(drift_mm=0.2),
}


@dataclass(frozen=True)
class Case:
    """One line of the table: a row for one crystal and seed, with the cell given or not.

    ``detector`` is that of rows which name none.  A reference has the true geometry in the header.
    """

    row: str
    cell: str
    crystal: str
    seed: int
    n_hits: int
    detector: str
    is_reference: bool = False

    @property
    def reference(self) -> Case:
        """The same crystals with the right header; rows in which only the header differs share one."""
        row = ROWS[self.row]
        own = self.row if row.moves_pixels else "right-panels" if row.detector else "right"
        return replace(self, row=own, is_reference=True)

    @property
    def set_name(self) -> str:
        """Name of its images, which are the same for either cell."""
        true = "-true" if self.is_reference and ROWS[self.row].moves_pixels else ""
        return f"{self.crystal}-{self.seed}-{self.n_hits}-{ROWS[self.row].detector or self.detector}-{self.row}{true}"

    @property
    def name(self) -> str:
        """Name of the case."""
        return f"{self.set_name}-{self.cell}"


def make_set(case: Case, sets: Path) -> Path:
    """Folder with the images of a case, made if it is not there; no more than a process may make it at a time."""
    folder = sets / case.set_name
    if folder.is_dir():
        return folder
    row = ROWS[case.row]
    n_frames = round(case.n_hits / (1 - _BLANK_FRACTION))
    true, header = misstated(make_detector(row.detector or case.detector), row.errors(case.seed), case.seed)
    experiment = Experiment(
        crystals=(CRYSTALS[case.crystal],),
        detector=true,
        frames=Frames(blank_fraction=_BLANK_FRACTION, weak_fraction=0.0, multi_fraction=0.0),
        seed=case.seed,
        header=None if case.is_reference else header,
        drift_mm_per_frame=0.0 if case.is_reference else row.drift_mm / (n_frames - 1),
    )
    part = sets / f".{case.set_name}"
    shutil.rmtree(part, ignore_errors=True)
    write_dataset(part, experiment, n_frames, file_format="nxs")
    return part.rename(folder)


@dataclass(frozen=True)
class Done:
    """A run, what was refined before it ended as it did, in order, and the CPU time of all."""

    run: Path
    refined: tuple[Path, ...]
    cpu_s: float


def process(case: Case, images: Path, words: Sequence[str], n_processors: int, folder: Path) -> Done:
    """Run ``iota.run`` in an empty folder; :func:`side_by_side.timing.adopt_orphans` has been called before."""
    crystal = CRYSTALS[case.crystal]
    cell = " ".join(f"{x:g}" for x in crystal.unit_cell)
    known = [f"target_unit_cell={cell}", f"target_space_group={crystal.space_group}"] if case.cell == "known" else []
    folder.mkdir(parents=True)
    command = [_program("iota.run"), str(images), "-n", str(n_processors), *known, *words]
    cost = timing.run(command, folder)
    run = folder / "integration" / "001"
    if cost.exit_status not in (0, 1):  # 1: nothing was integrated
        raise RuntimeError(f"{case.name}: iota.run failed:\n{(folder / 'log.txt').read_text()[-2000:]}")
    return Done(run, tuple(sorted(run.glob("geometry/*/refined.expt"))), cost.cpu_s)


def process_by_hand(
    case: Case, images: Path, words: Sequence[str], n_processors: int, folder: Path, passes: int
) -> Done:
    """The same, then ``iota.geometry`` and ``iota.run`` with the refined geometry, so many times if it succeeds."""
    done = process(case, images, words, n_processors, folder / "pass_0")
    levels = "levels=0,1" if ROWS[case.row].detector else "levels=0"
    for number in range(1, passes + 1):
        cost = timing.run([_program("iota.geometry"), str(done.run), levels], folder)
        done = replace(done, cpu_s=done.cpu_s + cost.cpu_s)
        if cost.exit_status:  # too few lattices
            break
        refined = done.run / "geometry" / "001" / "refined.expt"
        again = (*words, f"advanced.reference_geometry={refined}")
        last = process(case, images, again, n_processors, folder / f"pass_{number}")
        done = Done(last.run, (*done.refined, refined), done.cpu_s + last.cpu_s)
    return done


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))
