"""Writes composite files: lattices of many frames in one ``.expt`` and one ``.refl``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iota.atomic_files import atomic_file
from iota.engine.backend.installation import prepare

prepare()

from dials.array_family import flex  # noqa: E402
from dxtbx.model import ExperimentList  # noqa: E402

_MAX_REFLECTIONS = 1_000_000  # in a file, whatever its lattices: they are 0.3 GB, and twice that while it is written


class Composite:
    """Collects lattices, and writes a pair of files whenever there are enough.

    Args:
        folder: where the files go, ``integrated_001.expt`` and so on.
        most: lattices a file; fewer where they have very many reflections, so that memory is bounded.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most
        self._experiments = ExperimentList()
        self._tables: list[Any] = []
        self._n_reflections = 0
        self._models: dict[str, Any] = {}  # the last beam and detector, shared as long as they stay equal
        self.written: list[tuple[Path, int]] = []  # each .expt, and how many lattices it has

    def add(self, name: str, experiment: Any, table: Any) -> None:
        """Add a lattice.

        Args:
            name: identifier, unique in all that is collected.
            experiment: the lattice; its beam and detector become those of others where they are equal.
            table: its reflections.
        """
        for what in ("beam", "detector"):
            own = getattr(experiment, what)
            if self._models.get(what) != own:
                self._models[what] = own
            setattr(experiment, what, self._models[what])
        number = len(self._experiments)
        for identifier in list(table.experiment_identifiers().keys()):
            del table.experiment_identifiers()[identifier]
        experiment.identifier = name
        table["id"] = flex.int(len(table), number)
        table.experiment_identifiers()[number] = name
        self._experiments.append(experiment)
        self._tables.append(table)
        self._n_reflections += len(table)
        if len(self._experiments) == self._most or self._n_reflections >= _MAX_REFLECTIONS:
            self.flush()

    def flush(self) -> None:
        """Write the lattices collected so far."""
        if not self._tables:
            return
        path = self._folder / f"integrated_{len(self.written) + 1:03d}.expt"
        with atomic_file(path.with_suffix(".refl")) as part:  # first: an .expt that is there has its reflections
            flex.reflection_table.concat(self._tables).as_file(str(part))
        with atomic_file(path) as part:
            self._experiments.as_file(str(part))
        self.written.append((path, len(self._tables)))
        self._experiments, self._tables, self._n_reflections = ExperimentList(), [], 0
