"""Paths of the files of one frame in the run folder: dials/, final/, logs/."""

from __future__ import annotations

import contextlib
import pickle
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dxtbx.model.experiment_list import ExperimentList

from iota.atomic_files import UNFINISHED, atomic_file, write_atomically
from iota.engine.backend import versions
from iota.errors import RunFolderError
from iota.records import Lattice
from iota.runs.folder import cannot_write

_ROOM_BYTES = 1_000_000  # about what one frame needs


class FrameFiles:
    """Writes the files of the frame ``name`` and knows their paths relative to the run folder.

    They are made in a scratch folder, where there is one, which must be of this process alone: a process of a run that
    was killed may be at the same frame.  They get their names in the run folder when they are complete, experiments
    last: an ``.expt`` that is there has its ``.refl``.
    """

    def __init__(self, run_folder: Path, name: str, scratch: Path | None = None) -> None:
        self.run_folder = run_folder
        self.name = name
        self.scratch = scratch
        self._beside = f"{UNFINISHED}{secrets.token_hex(6)}_"  # where there is no scratch folder

    def _new(self, relative: str) -> Path:
        """The temporary path of a file."""
        if self.scratch is not None:
            return self.scratch / relative.replace("/", "_")
        final = self._path(relative)
        return final.with_name(self._beside + final.name)

    def _complete(self, relative: str) -> None:
        """Move a complete file to its final path."""
        new, final = self._new(relative), self._path(relative)
        try:
            new.replace(final)
        except OSError:  # another file system, or gone: shutil says which
            with atomic_file(final) as part:
                shutil.move(new, part)

    def check_room(self) -> None:
        """Check whether the files of a frame could be written.

        Raises:
            RunFolderError: there is no room, or the folder may not be written.
        """
        for folder in (self.run_folder / "dials", self.scratch):
            if folder is not None:
                _check_room(folder, self.name)

    @property
    def link(self) -> Path:
        """Path of the link to the image, if one is needed; it gets a number and the extension of the image."""
        return self.run_folder / "links" / self.name

    def _dials(self, what: str) -> str:
        return f"dials/{self.name}_{what}"

    def _path(self, relative: str) -> Path:
        return self.run_folder / relative

    def direct(self, params: Any) -> None:
        """Set the path for DIALS' integrated experiments, which are available only from this file."""
        params.output.integrated_experiments_filename = str(self._new(self._dials("integrated.expt")))

    def read_integrated_experiments(self) -> Any:
        """Experiments as they were integrated: with profile models, without lattices that lost all reflections."""
        return ExperimentList.from_file(str(self._new(self._dials("integrated.expt"))), check_format=False)

    def keep_integrated(
        self, experiments: Any, integrated: Any, spots: Any, lattices: Sequence[Lattice], kept: Sequence[int]
    ) -> dict[str, str]:
        """Write the integrated lattices, all spots and, for each lattice that is kept, an integration pickle."""
        files = {
            "indexed": self._dials("indexed.refl"),
            "reflections": self._dials("integrated.refl"),
            "experiments": self._dials("integrated.expt"),
        }
        integrated.as_file(str(self._new(files["reflections"])))
        _without_shoeboxes(spots).as_file(str(self._new(files["indexed"])))
        for relative in files.values():
            self._complete(relative)
        for number, k in enumerate(kept):
            lattices[k].files["pickle"] = self._write_pickle(
                experiments[k], integrated.select(integrated["id"] == k), number
            )
        return files

    def _write_pickle(self, experiment: Any, reflections: Any, number: int) -> str:
        frame = versions.frame_class()(reflections, experiment).make_frame()
        frame["pixel_size"] = experiment.detector[0].get_pixel_size()[0]
        relative = f"final/int_{self.name}{f'_{number + 1}' if number else ''}.pickle"
        with self._new(relative).open("wb") as file:
            pickle.dump(frame, file, protocol=pickle.HIGHEST_PROTOCOL)
        self._complete(relative)
        return relative

    def keep_spots(self, experiments: Any, spots: Any) -> dict[str, str]:
        """Write the spots of a frame that had diffraction but was not integrated, for the viewers."""
        self._new(self._dials("integrated.expt")).unlink(missing_ok=True)
        files = {"strong": self._dials("strong.refl"), "experiments": self._dials("imported.expt")}
        experiments.as_file(str(self._new(files["experiments"])))
        _without_shoeboxes(spots).as_file(str(self._new(files["strong"])))
        for relative in files.values():
            self._complete(relative)
        return files

    def write_log(self, text: str) -> str:
        """Write the backend's log of this frame."""
        relative = f"logs/{self.name}.log"
        try:
            write_atomically(self._path(relative), text)
        except OSError as error:
            raise RunFolderError(cannot_write(self._path(relative), error)) from error
        return relative


def _check_room(folder: Path, name: str) -> None:
    probe = folder / f".{name}.room"
    try:
        probe.write_bytes(bytes(_ROOM_BYTES))
    except OSError as error:
        raise RunFolderError(cannot_write(folder, error)) from error
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)


def _without_shoeboxes(reflections: Any) -> Any:
    """The same table without pixel values, nine tenths of its size."""
    table = reflections.copy()
    if "shoebox" in table:
        del table["shoebox"]
    return table
