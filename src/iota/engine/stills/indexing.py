"""Indexes a frame with the backend, and recognises cells that are a multiple of the true one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from dials.algorithms.indexing.stills_indexer import calc_2D_rmsd_and_displacements
from dxtbx.model.experiment_list import Experiment, ExperimentList

from iota.crystallography.cells import Cell, cell_text
from iota.crystallography.lattices import niggli_cell
from iota.crystallography.metric_symmetry import Symmetry, cell_in_setting_of, metric_symmetries
from iota.crystallography.multiples import true_cell_from_indices
from iota.engine.backend.known_symmetry import known_symmetry_phil
from iota.engine.stills.chance import may_be_chance, spacing_px
from iota.records import Settings

Indexer = Callable[[Any, Any, Any], tuple[Any, Any]]  # parameters, experiments, spots -> experiments, indexed spots

EXPLAINS_AS_WELL = 0.9  # a constrained lattice must index this share of the spots that the free one indexed


@dataclass
class Indexed:
    """Lattices found on a frame: DIALS' experiments and indexed reflections, and what is determined from the first."""

    experiments: Any
    reflections: Any
    settings: Settings  # with which they were found
    label: str  # the same for people, with what was corrected
    primitive_cell: Cell  # Niggli, after removal of multiples
    multiple: int
    n_indexed: int
    rmsd_px: float
    cell_is_known: bool

    def may_be_chance(self, n_spots: int, tolerance: float) -> bool:
        """Whether a wrong lattice would explain ``n_spots`` as well; see :mod:`iota.engine.stills.chance`."""
        beam, panel = self.experiments[0].beam, self.experiments[0].detector[0]
        crystal = self.experiments[0].crystal
        primitive = crystal.get_unit_cell().change_basis(crystal.get_space_group().z2p_op())
        distance_mm, pixel_mm = abs(panel.get_directed_distance()), panel.get_pixel_size()[0]
        spacing = spacing_px(primitive.volume(), beam.get_wavelength(), distance_mm, pixel_mm)
        return may_be_chance(self.n_indexed, n_spots, self.rmsd_px, spacing, tolerance, self.cell_is_known)


def index(indexer: Indexer, params: Any, experiments: Any, spots: Any, settings: Settings) -> Indexed:
    """Index a frame's spots; the given experiments and spots are not changed.

    Args:
        indexer: does the work.
        params: backend parameters that belong to the settings, which the indexer may change.
        experiments: of the frame.
        spots: of the frame.
        settings: which are tried.

    Raises whatever DIALS raises when it finds no lattice.
    """
    cell_is_known = params.indexing.known_symmetry.unit_cell is not None
    given = params.indexing.known_symmetry.space_group  # before DIALS writes its own choice into the parameters
    found, reflections = indexer(params, _independent(experiments), spots.copy())
    if given is not None:
        _keep_space_group(found, given.group())
    crystal = found[0].crystal
    first = reflections.select(reflections["id"] == 0)
    cell = niggli_cell(crystal.get_unit_cell().parameters(), str(crystal.get_space_group().info()))
    multiple = 1
    if not cell_is_known:
        to_primitive = crystal.get_space_group().z2p_op()
        primitive = crystal.get_unit_cell().change_basis(to_primitive)
        cell, multiple = true_cell_from_indices(
            np.array(list(to_primitive.apply(first["miller_index"]))), primitive.parameters()
        )
    rmsd, _ = calc_2D_rmsd_and_displacements(first) if "xyzcal.px" in first else (0.0, None)
    return Indexed(found, reflections, settings, settings.label, cell, multiple, len(first), float(rmsd), cell_is_known)


def _keep_space_group(experiments: Any, given: Any) -> None:
    """Give lattices the known space group, if DIALS has replaced it by the symmetry of its intensities.

    It does so when candidates are refined with known symmetry: P 4/m m m for P 43 21 2.
    """
    symmetry = given.build_derived_patterson_group()
    for experiment in experiments:
        if experiment.crystal.get_space_group().build_derived_patterson_group() == symmetry:
            experiment.crystal.set_space_group(given)


def _independent(experiments: Any) -> Any:
    """Experiments that share the image but not the models, which indexing may refine."""
    return ExperimentList(
        [
            Experiment(
                imageset=e.imageset,
                beam=copy.deepcopy(e.beam),
                detector=copy.deepcopy(e.detector),
                goniometer=e.goniometer,
                scan=e.scan,
                identifier=e.identifier,
            )
            for e in experiments
        ]
    )


def corrections(found: Indexed, space_group: str | None, find_symmetry: bool) -> list[Settings]:
    """Settings with which to repeat indexing, after a frame was indexed without a known cell.

    They name the cell without the multiple that was found in it, and the symmetry that its metric allows: the first
    that explains the spots as well should be taken.

    Args:
        found: what was indexed without a known cell.
        space_group: the space group that was given, or None.
        find_symmetry: whether to look for the highest symmetry when no space group is given.
    """
    allowed = metric_symmetries(found.primitive_cell)
    candidates: list[Symmetry]
    if space_group is not None:
        turned = ((s, cell_in_setting_of(s.unit_cell, s.space_group, space_group)) for s in allowed)
        candidates = [s._replace(space_group=space_group, unit_cell=cell) for s, cell in turned if cell][:1]
        candidates = candidates if found.multiple > 1 else []
    elif find_symmetry:
        candidates = [s for s in allowed[:1] if s.bravais != "aP" or found.multiple > 1]
    else:
        candidates = allowed[-1:] if found.multiple > 1 else []
    return [
        Settings(
            f"{found.label}; {_what(found, s)}",
            found.settings.phil + known_symmetry_phil(s.unit_cell, s.space_group),
        )
        for s in candidates
    ]


def _what(found: Indexed, symmetry: Symmetry) -> str:
    multiple = f"{found.multiple}-fold supercell reduced, " if found.multiple > 1 else ""
    return f"{multiple}{symmetry.bravais} {cell_text(symmetry.unit_cell, 1)} (metric symmetry)"
