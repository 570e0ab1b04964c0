"""Resolves the indexing ambiguity of a run: by dials.cosym for the strongest lattices, then by correlation for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from iota.analysis.intensities.indexing_ambiguity import UNCLEAR, assign_indexing
from iota.crystallography.indices import reindexed, unique_reflections
from iota.crystallography.space_groups import without_screw_axes
from iota.engine.merging import scaling as dials
from iota.errors import BackendError
from iota.merging.merge_folders import MergeFolder

AS_IT_IS = "x,y,z"
_STRONG = 3.0  # standard deviations
_D_MIN_COSYM_A = 2.5
_SAME = 0.9  # share of a lattice's indices that have to be those of an operator

Ints = npt.NDArray[np.int64]
Step = Callable[[str], AbstractContextManager[None]]


class ResolvedAmbiguity(NamedTuple):
    """The result, for the record."""

    commands: list[list[str]]
    counts: dict[str, int]  # reindexing operator -> lattices to which it was applied
    n_unclear: int  # lattices for which the operator is uncertain


def resolve_ambiguity(
    place: MergeFolder,
    others: Sequence[str],
    crystal: tuple[tuple[float, ...], str, float],
    values: Any,
    step: Step,
) -> ResolvedAmbiguity:
    """Write ``reindexed.expt`` and ``.refl``: the lattices of ``combined``, consistently indexed.

    dials.cosym resolves the ambiguity for the strongest lattices; all others are assigned by their correlation with
    the mean of these.

    Args:
        place: of the merge; ``combined.expt`` and ``.refl`` are in its work folder.
        others: reindexing operators, without the identity.
        crystal: cell, space group and resolution limit (A).
        values: parameters of merging.
        step: shows what is being done.

    Raises:
        BackendError: dials.cosym failed, or found no consistent indexing.
    """
    folder = place.work
    cell, space_group, d_min_A = crystal
    operators = [AS_IT_IS, *others]
    seen = dials.read_combined(folder)
    _, d_A, as_it_is = unique_reflections(cell, space_group, d_min_A, seen.hkl)
    in_others = [
        unique_reflections(cell, space_group, d_min_A, reindexed(seen.hkl, operator))[2] for operator in others
    ]
    numbers = np.array([as_it_is, *in_others], dtype=np.int32)
    n_lattices = int(seen.lattice.max()) + 1
    strongest = _strongest(seen, n_lattices, values.cosym_lattices)
    with step(f"Resolving the indexing ambiguity with dials.cosym, {len(strongest)} of {n_lattices} lattices"):
        dials.write_part(folder, strongest, "strongest")
        arguments = [
            "strongest.expt",
            "strongest.refl",
            f"space_group={without_screw_axes(space_group)}",
            f"d_min={max(_D_MIN_COSYM_A, d_min_A):.2f}",
            "output.html=None",
        ]
        command = dials.run_dials("cosym", arguments, folder, place.path)
        changes = dials.changes_of_cosym(folder)
        given = np.isin(seen.lattice, list(changes))
        matrices = np.zeros((n_lattices, 3, 3), dtype=np.int64)
        matrices[list(changes)] = list(changes.values())
        lattice = seen.lattice[given]
        changed = np.einsum("nij,nj->ni", matrices[lattice], seen.hkl[given])
        _, _, number = unique_reflections(cell, space_group, d_min_A, changed)
        same = np.array([np.bincount(lattice, in_it == number, n_lattices) for in_it in numbers[:, given]])
        same /= np.maximum(np.bincount(lattice, minlength=n_lattices), 1)
        known = np.where(same.max(axis=0) > _SAME, same.argmax(axis=0), -1)
        if not np.any(known >= 0):
            raise BackendError(f"dials.cosym did not resolve the indexing ambiguity. See {place.path / 'cosym.log'}.")
    with step(f"Resolving the indexing ambiguity of all {n_lattices} lattices"):
        used = (numbers >= 0).all(axis=0) & (seen.partiality >= values.min_partiality)
        assigned = assign_indexing(numbers[:, used], seen.lattice[used], seen.intensity[used], d_A, known)
        dials.write_reindexed(folder, [operators[k] for k in assigned.operator])
    counts = np.bincount(assigned.operator, minlength=len(operators)).tolist()
    return ResolvedAmbiguity(
        [command],
        {operator: n for operator, n in zip(operators, counts, strict=True) if n},
        int(np.count_nonzero(assigned.clarity < UNCLEAR)),
    )


def _strongest(seen: Any, n_lattices: int, wanted: int) -> Ints:
    """The lattices with the most strong reflections, in order."""
    strong = seen.intensity > _STRONG * np.sqrt(seen.variance)
    n_strong = np.bincount(seen.lattice[strong], minlength=n_lattices)
    return np.sort(np.argsort(-n_strong, kind="stable")[:wanted])
