"""Fits a geometry to lattices with free, shared or known cells; uncertainties include the variation of crystals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from iota.crystallography.cells import Cell, metric_tensors
from iota.geometry.crystals import with_metric
from iota.geometry.indices import reindexed
from iota.geometry.joint import JointRefinement, Parameter, refine
from iota.geometry.observations import Observations
from iota.geometry.panels import Panels

PARTS = 5  # of the images: one is left out at a time
_WHOLE = (0,)
_MAX_ROUNDS = 6  # of indexing...
_SETTLED = 0.002  # ...until so few of the indexed spots change

Floats = npt.NDArray[np.float64]
Levels = tuple[int, ...]


@dataclass(frozen=True)
class Fit:
    """A fitted geometry. Get it from :func:`fit_geometry`."""

    panels: Panels
    a_star: Floats  # [m, 3, 3]
    s0: Floats  # [m, 3]
    parameters: tuple[Parameter, ...]
    held: tuple[str, ...]  # a sentence for each motion
    remarks: tuple[str, ...]
    n_rejected: int


def fit_spots(
    panels: Panels, spots: Observations, levels: Levels, known: Cell | None, *, minimum_lattices: int = 10
) -> tuple[Fit, Observations]:
    """Refine a detector, index all spots again with the result, and so on, until their indices stay the same.

    Spots far from their predictions are not indexed if the geometry is wrong, and the others are those that favour it.

    Args:
        panels: at the start.
        spots: indexed ones and others, and crystals.
        levels: as for :func:`fit_geometry`.
        known: as for :func:`fit_geometry`.
        minimum_lattices: refuse fewer.

    Returns:
        The fit, and the spots that are indexed at the end.

    Raises:
        UsageError: as :func:`fit_geometry`.
    """
    fit = fit_geometry(panels, spots.indexed, levels, known, minimum_lattices=minimum_lattices)
    for _ in range(_MAX_ROUNDS):
        before, spots = spots, reindexed(spots, fit.panels, fit.a_star, fit.s0)
        n_changed = np.count_nonzero((spots.hkl != before.hkl).any(axis=1))
        if n_changed <= _SETTLED * np.count_nonzero(spots.hkl.any(axis=1)):
            break
        fit = fit_geometry(panels, spots.indexed, levels, known, minimum_lattices=minimum_lattices)
    return fit, spots.indexed


def fit_geometry(
    panels: Panels, observations: Observations, levels: Levels, known: Cell | None, *, minimum_lattices: int = 10
) -> Fit:
    """Refine a detector.

    If the cell is known, groups and panels are refined with a cell for each lattice, because crystals differ by more
    than their spots are uncertain, and then the detector as a whole with the known cell, which determines the distance.

    Args:
        panels: at the start.
        observations: spots and crystals.
        levels: levels of the hierarchy, from coarse to fine.
        known: the cell of all lattices (A, degrees).
        minimum_lattices: refuse fewer.

    Raises:
        UsageError: there are not enough lattices, or the levels are not those of the detector.
    """
    if known is None or 0 not in levels:
        return _fit(refine(panels, observations, levels, minimum_lattices=minimum_lattices))
    if levels == _WHOLE:
        held = with_known_cell(observations, known)
        return _fit(refine(panels, held, _WHOLE, hold_cells=True, minimum_lattices=minimum_lattices))
    parts = refine(panels, observations, levels, minimum_lattices=minimum_lattices)
    start = with_known_cell(replace(observations, a_star=parts.a_star, s0=parts.s0), known)
    whole = refine(parts.panels, start, _WHOLE, hold_cells=True, minimum_lattices=minimum_lattices)
    moved = {(p.name, p.level, p.group): p for p in whole.parameters}
    both = [
        replace(p, value=p.value + more.value, esd=more.esd) if (more := moved.get((p.name, p.level, p.group))) else p
        for p in parts.parameters
    ]
    reasons = [held.reason for held in whole.held]
    reasons += [held.reason for held in parts.held if held.level > 0]
    return replace(
        _fit(whole),
        parameters=tuple(both),
        held=tuple(reasons),
        n_rejected=parts.n_rejected,
        remarks=tuple(dict.fromkeys((*parts.remarks, *whole.remarks))),
    )


def _fit(joint: JointRefinement) -> Fit:
    reasons = tuple(held.reason for held in joint.held)
    return Fit(joint.panels, joint.a_star, joint.s0, joint.parameters, reasons, joint.remarks, joint.n_rejected)


def with_known_cell(observations: Observations, cell: Cell) -> Observations:
    """The same lattices in the same orientations with a cell (A, degrees) in their setting."""
    metric = np.linalg.inv(metric_tensors(cell)[0])
    return replace(observations, a_star=with_metric(observations.a_star, metric))


def fits_without_parts(
    panels: Panels, observations: Observations, part: npt.NDArray[np.int64], levels: Levels, known: Cell | None
) -> dict[int, Fit]:
    """Fits without one part of the images at a time, by the number of this part.

    Args:
        panels: at the start.
        observations: spots and crystals.
        part: number of the part in which each lattice is, `[m]`.
        levels: as for the fit.
        known: as for the fit.
    """
    return {
        int(one): fit_geometry(panels, observations.select(part != one), levels, known, minimum_lattices=1)
        for one in np.unique(part)
    }


def jackknife(fit: Fit, without: Sequence[Fit]) -> list[float]:
    """Standard uncertainty of each parameter, from fits without one part of the images at a time.

    It is not smaller than the one from the residuals, which is too small for panels with spots of a few lattices.

    Args:
        fit: to all images.
        without: see :func:`fits_without_parts`.
    """
    fitted = []
    for one in without:
        found = {(p.name, p.level, p.group): p.value for p in one.parameters if p.esd is not None}
        fitted.append([found.get((p.name, p.level, p.group), np.nan) for p in fit.parameters])
    changes = np.array(fitted)
    known = np.isfinite(changes)  # a fit may not determine what the others do
    n_fits = np.maximum(known.sum(axis=0), 1)
    off = np.where(known, changes - np.where(known, changes, 0.0).sum(axis=0) / n_fits, 0.0)
    between = np.sqrt((1.0 - 1.0 / n_fits) * (off**2).sum(axis=0))
    return [max(float(b), p.esd or 0.0) for b, p in zip(between, fit.parameters, strict=True)]
