"""Says whether a detector is where it is taken to be, from the indexed spots of many stills.

The numbers are those of a joint refinement whose result is not used.  A deviation is told if it is significant, at
several standard uncertainties, and if it matters: it displaces spots by a good part of a pixel, or changes the cells.
Limits and measurements: docs/decisions/0031-diagnosis-of-the-geometry.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from iota.crystallography.cells import Cell, cell_from_basis, metric_tensors
from iota.crystallography.nearness import SCALED, are_near
from iota.geometry.crystals import with_metric
from iota.geometry.deviations import (
    DISTANCE,
    MINIMUM_DIAGNOSED,
    SHIFTS,
    Deviation,
    Diagnosis,
    PanelDeviation,
    sentence_of,
)
from iota.geometry.displacements import displacements
from iota.geometry.joint import JointRefinement, Parameter, refine
from iota.geometry.motions import MOTIONS, ROTATIONS, distance_mm, motions_of
from iota.geometry.observations import Observations
from iota.geometry.panels import Panels
from iota.geometry.prediction import Array

_SIGNIFICANT = 5.0  # standard uncertainties
_MATTERS_PX = 0.25  # displacement of spots (rms)...
_MATTERS_OF_RMSD = 0.5  # ...and as a fraction of what is left of the RMSD after refinement
_MATTERS_CELL = 0.003  # relative change of the cell axes; crystals of one form differ by less
_BIAS_OF_FREE_CELLS = 0.0005  # of the distance: by so much biased centroids can stretch detector and cells together
_ALIKE = 0.2  # of the logarithm of the common factor, by which single axes may differ from it...
_ALIKE_LENGTH = 0.0015  # ...or of a length...
_ALIKE_ERRORS = 3.0  # ...or in standard errors; axes of another crystal form differ by more
_ALIKE_DEG = 0.5


def diagnose(panels: Panels, observations: Observations, known_cell: Cell | None = None) -> Diagnosis:
    """Find out whether a detector is where it is taken to be.

    Args:
        panels: the detector.
        observations: indexed spots, at least ten lattices of one crystal form.
        known_cell: in the setting of the lattices (A, degrees).

    Raises:
        UsageError: there are too few lattices.
    """
    own = replace(observations, cell_group=np.full(observations.n_lattices, -1))
    last = len(panels.groups) - 1
    levels = (0, last) if last else (0,)
    found = refine(panels, own, levels, minimum_lattices=MINIMUM_DIAGNOSED)
    beam = observations.s0.mean(axis=0)
    whole = {one.name: one for one in found.parameters if one.level == 0 and one.esd is not None}
    distance = None if known_cell is None else _distance_of_known_cell(panels, own, known_cell)
    used_mm = distance_mm(panels, beam)
    if known_cell is not None:
        whole.pop(DISTANCE, None)
    elif DISTANCE in whole:
        esd = math.hypot(whole[DISTANCE].esd or 0.0, _BIAS_OF_FREE_CELLS * used_mm)
        whole[DISTANCE] = replace(whole[DISTANCE], esd=esd)
    if distance is not None:
        whole[DISTANCE] = distance
    limit_px = max(_MATTERS_PX, _MATTERS_OF_RMSD * found.rmsd_after_px)
    deviations = [_deviation(panels, beam, one, limit_px, used_mm) for one in whole.values() if one.name != MOTIONS[5]]
    diagnosis = Diagnosis(
        n_lattices=found.n_lattices,
        n_spots=found.n_spots,
        rmsd_px=found.rmsd_before_px,
        rmsd_refined_px=found.rmsd_after_px,
        distance_mm=used_mm,
        is_cell_known=known_cell is not None,
        deviations=deviations,
        panels=list(_panel_deviations(panels, found, last, limit_px)) if last else [],
        remarks=list(found.remarks),
    )
    if not diagnosis.remarks:
        diagnosis.sentence = sentence_of(diagnosis, _beam_centre_px(panels, beam), _beam_centre_px(found.panels, beam))
    return diagnosis


def _distance_of_known_cell(panels: Panels, observations: Observations, known: Cell) -> Parameter | None:
    """By how much the distance must change for cells to be as given; None if their axes differ by several factors."""
    near = are_near(_cells(observations.a_star), known, SCALED)
    if np.count_nonzero(near) < MINIMUM_DIAGNOSED:
        return None
    chosen = observations.select(near)
    held = refine(
        panels,
        replace(chosen, a_star=with_metric(chosen.a_star, np.linalg.inv(metric_tensors(known)[0]))),
        hold_cells=True,
    )
    found = next(one for one in held.parameters if one.name == DISTANCE)
    # at the new distance, cells of their own must be as given, and their scatter tells how well it is known
    cells = _cells(refine(held.panels, replace(chosen, a_star=held.a_star), ()).a_star)
    logs = np.log(cells[:, :3] / np.array(known[:3]))
    errors = np.array([_standard_error(axis) for axis in logs.T])
    used_mm = distance_mm(panels, chosen.s0.mean(axis=0))
    scale = abs(math.log(max(1.0 + found.value / used_mm, 1e-3)))
    unlike = np.abs(np.median(logs, axis=0)) > np.maximum(max(_ALIKE * scale, _ALIKE_LENGTH), _ALIKE_ERRORS * errors)
    angles = np.abs(np.median(cells[:, 3:], axis=0) - np.array(known[3:])) > _ALIKE_DEG
    if found.esd is None or unlike.any() or angles.any():
        return None
    return replace(found, esd=math.hypot(found.esd, used_mm * _standard_error(logs.mean(axis=1))))


def _cells(a_star: Array) -> Array:
    return np.array([cell_from_basis(basis) for basis in np.linalg.inv(a_star)])


def _standard_error(values: Array) -> float:
    """Standard error of the median of values `[n]`, from their median absolute deviation."""
    spread = 1.4826 * float(np.median(np.abs(values - np.median(values))))
    return 1.2533 * spread / math.sqrt(len(values))


def _deviation(panels: Panels, beam: Array, found: Parameter, limit_px: float, used_mm: float) -> Deviation:
    assert found.esd is not None
    motions = motions_of(panels, (0,), beam, np.ones(len(panels), dtype=int), 0)
    values = np.zeros(len(MOTIONS))
    values[MOTIONS.index(found.name)] = math.radians(found.value) if found.name in ROTATIONS else found.value
    if found.name == DISTANCE:
        values *= np.sign(motions.axes[2] @ beam)
    moved, _ = motions.apply(panels, values)
    displacement = _rms(displacements(panels, moved, beam).length_px)
    is_large = displacement > limit_px
    return Deviation(
        name=found.name,
        value=found.value,
        uncertainty=found.esd,
        unit=found.unit,
        displacement_px=displacement,
        is_significant=abs(found.value) > _SIGNIFICANT * found.esd,
        matters=abs(found.value) > _MATTERS_CELL * used_mm if found.name == DISTANCE else is_large,
    )


def _panel_deviations(panels: Panels, found: JointRefinement, level: int, limit_px: float) -> Iterator[PanelDeviation]:
    names = (*SHIFTS, MOTIONS[5])
    of_panel: dict[int, dict[str, Parameter]] = {}
    for one in found.parameters:
        if one.level == level and one.name in names and one.esd is not None:
            of_panel.setdefault(one.group, {})[one.name] = one
    for group, motions in of_panel.items():
        if len(motions) < len(names):
            continue
        panel = int(np.flatnonzero(panels.groups[level] == group)[0])
        pixel_mm = float(np.sqrt(panels.pixel_mm[panel].prod()))
        x, y, turn = (motions[name] for name in names)
        radius_mm = float(np.sqrt((panels.size_mm[panel] ** 2).sum() / 12.0))  # rms from the centre
        displacement = math.hypot(x.value, y.value, math.radians(turn.value) * radius_mm) / pixel_mm
        yield PanelDeviation(
            panel=panels.group_name(level, group),
            shift_px=(x.value / pixel_mm, y.value / pixel_mm),
            shift_uncertainty_px=((x.esd or 0.0) / pixel_mm, (y.esd or 0.0) / pixel_mm),
            rotation_deg=turn.value,
            rotation_uncertainty_deg=turn.esd or 0.0,
            displacement_px=displacement,
            is_significant=any(abs(one.value) > _SIGNIFICANT * (one.esd or math.inf) for one in (x, y, turn)),
            matters=displacement > limit_px,
        )


def _rms(values: Array) -> float:
    return float(np.sqrt((values**2).mean()))


def _beam_centre_px(panels: Panels, beam: Array) -> tuple[int, float, float]:
    """Panel, fast and slow of the beam (px); where it hits none, in the plane of the first panel."""
    rays = panels.to_panel @ beam
    with np.errstate(divide="ignore", invalid="ignore"):
        px = rays[:, :2] / rays[:, 2:] / panels.pixel_mm
    hit = (rays[:, 2] > 0) & ((px >= 0) & (px < panels.size_px)).all(axis=1)
    panel = int(np.argmax(hit))
    return panel, float(px[panel, 0]), float(px[panel, 1])
