"""The images: simulated ones, made once and kept, and real ones."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iota.simulate import Crystal, Experiment, Frames, make_detector, read_frames, read_intensities, write_dataset
from iota.simulate.experiment import LYSOZYME_CELL

SETS = ("blank", "mixed", "hits", "thaumatin")
MIXED_HITS = 0.05
SEED = 4


@dataclass(frozen=True)
class ImageSet:
    """Images of one crystal form whose cell is given to the programs.

    ``frames`` are the lines of truth of the simulated ones by file name; ``truth_folder`` has the intensities.
    """

    name: str
    title: str
    images: list[Path]
    n_blank: int
    unit_cell: tuple[float, ...]
    space_group: str
    frames: dict[str, dict[str, Any]] = field(default_factory=dict)
    truth_folder: Path | None = None

    @property
    def known(self) -> list[str]:
        """What both programs are told."""
        return [
            f"target_unit_cell={' '.join(f'{x:g}' for x in self.unit_cell)}",
            f"target_space_group={self.space_group}",
        ]


class Simulated:
    """Simulated lysozyme on a detector, kept in ``folder`` from one benchmark to the next."""

    def __init__(self, folder: Path, detector: str, nproc: int, tell: Callable[[str], None]) -> None:
        self.folder, self.detector, self.nproc, self.tell = folder, detector, nproc, tell

    def _make(self, kind: str, n: int) -> Path:
        """Folder with at least ``n`` frames, of which the first ``n`` are the same however many there are."""
        folder = self.folder / f"{self.detector}_{kind}"
        if (folder / "complete").exists() and len(read_frames(folder)) >= n:
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        frames = Frames(blank_fraction=float(kind == "blank"), weak_fraction=0.0, multi_fraction=0.0)
        experiment = Experiment((Crystal(name=kind),), make_detector(self.detector), frames=frames, seed=SEED)
        self.tell(f"Simulating {n} frames ({kind}, {self.detector}), to be kept in {folder}")
        write_dataset(folder, experiment, n, nproc=self.nproc)
        (folder / "complete").touch()
        return folder

    def frames(self, name: str, title: str, n_blank: int, n_hits: int) -> ImageSet:
        """A set of blanks and hits in random order."""
        lines: list[tuple[Path, dict[str, Any]]] = []
        for kind, n in (("blank", n_blank), ("hit", n_hits)):
            if n:
                folder = self._make(kind, n)
                lines += [(folder / line["file"], line) for line in read_frames(folder)[:n]]
        random.Random(SEED).shuffle(lines)
        return ImageSet(
            name=name,
            title=f"{title}, {self.detector}",
            images=[path for path, _ in lines],
            n_blank=n_blank,
            unit_cell=LYSOZYME_CELL,
            space_group="P43212",
            frames={path.name: line for path, line in lines},
            truth_folder=self.folder / f"{self.detector}_hit" if n_hits else None,
        )


def simulated_set(simulated: Simulated, name: str, n: int) -> ImageSet:
    """The set ``name`` with ``n`` frames."""
    if name == "blank":
        return simulated.frames(name, "all blank", n, 0)
    if name == "mixed":
        n_hits = max(1, round(MIXED_HITS * n))
        return simulated.frames(name, f"{n_hits} hits among {n}", n - n_hits, n_hits)
    return simulated.frames(name, "all hits", 0, n)


def thaumatin_set(folder: Path, n: int) -> ImageSet | None:
    """The real stills, of which two are blank; None where they are not."""
    images = sorted(folder.glob("thau_3_2_*.cbf.bz2"))[:n]
    if not images:
        return None
    n_blank = sum("_0016." in path.name or "_0018." in path.name for path in images)
    cell = (58.4, 58.4, 152.2, 90.0, 90.0, 90.0)
    return ImageSet("thaumatin", "real stills of thaumatin, bzip2", images, n_blank, cell, "P41212")


def true_intensities(images: ImageSet) -> tuple[Any, Any]:
    """Miller indices [n, 3] and intensities [n] of the unique reflections."""
    if images.truth_folder is None:
        raise ValueError(f"{images.name} has no known intensities")
    return read_intensities(images.truth_folder, "hit")
