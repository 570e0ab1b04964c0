"""Makes the lattice entries of a record from DIALS experiments and reflections.

Coordinate frames and signs: docs/explanations/coordinate-frames.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from dials.algorithms.indexing.stills_indexer import calc_2D_rmsd_and_displacements
from dials.array_family import flex

from iota.crystallography.space_groups import bravais_symbol
from iota.engine.stills.wilson import wilson_b_A2
from iota.records import Lattice


def describe_lattices(experiments: Any, integrated: Any, indexed: Any, strong_sigma: float) -> list[Lattice]:
    """Describe every integrated lattice of a frame.

    Args:
        experiments: one per lattice, as integrated.
        integrated: integrated reflections, ``id`` counts the experiments.
        indexed: the spots that were indexed before integration.
        strong_sigma: I/sigma(I) above which a reflection counts as strong.
    """
    return [
        _describe(
            experiment,
            integrated.select(integrated["id"] == k),
            indexed.select(indexed["id"] == _indexed_id(indexed, experiment.identifier, k)),
            strong_sigma,
        )
        for k, experiment in enumerate(experiments)
    ]


def _indexed_id(indexed: Any, identifier: str, default: int) -> int:
    """Number under which the indexed spots know an experiment; integration may have dropped earlier ones."""
    for number, name in dict(indexed.experiment_identifiers()).items():
        if name == identifier:
            return int(number)
    return default


def _describe(experiment: Any, integrated: Any, indexed: Any, strong_sigma: float) -> Lattice:
    crystal, beam, detector = experiment.crystal, experiment.beam, experiment.detector
    space_group = str(crystal.get_space_group().info())
    intensity = integrated["intensity.sum.value"].as_numpy_array()
    variance = integrated["intensity.sum.variance"].as_numpy_array()
    d = integrated["d"].as_numpy_array() if "d" in integrated else _d_spacings(integrated, crystal)
    rmsd, _ = calc_2D_rmsd_and_displacements(indexed) if len(indexed) and "xyzcal.px" in indexed else (None, None)
    centre_mm, centre_px = beam_centre(detector, beam)
    return Lattice(
        bravais=bravais_symbol(space_group),
        space_group=space_group,
        unit_cell=_rounded(crystal.get_unit_cell().parameters(), 4),
        unit_cell_esd=_rounded(crystal.get_cell_parameter_sd(), 5) if crystal.get_cell_parameter_sd() else None,
        a_matrix=_rounded(crystal.get_A(), 8),
        n_indexed=len(indexed),
        n_integrated=len(integrated),
        n_strong=int(np.count_nonzero(intensity > strong_sigma * np.sqrt(np.maximum(variance, 1e-12)))),
        rmsd_px=None if rmsd is None else round(float(rmsd), 4),
        d_min_A=round(float(d.min()), 3),
        d_max_A=round(float(d.max()), 3),
        wilson_b_A2=_optional(wilson_b_A2(d, intensity), 2),
        half_mosaicity_deg=_attribute(crystal, "get_half_mosaicity_deg", 5),
        domain_size_A=_attribute(crystal, "get_domain_size_ang", 1),
        beam_centre_mm=centre_mm,
        beam_centre_px=centre_px,
        distance_mm=round(float(abs(detector[0].get_directed_distance())), 3),
        wavelength_A=round(float(beam.get_wavelength()), 6),
        pixel_size_mm=round(float(detector[0].get_pixel_size()[0]), 6),
    )


def _rounded(values: Any, digits: int) -> Any:
    return tuple(round(float(value), digits) for value in values)


def _optional(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _attribute(crystal: Any, name: str, digits: int) -> float | None:
    return round(float(getattr(crystal, name)()), digits) if hasattr(crystal, name) else None


def _d_spacings(reflections: Any, crystal: Any) -> npt.NDArray[np.float64]:
    return np.asarray(crystal.get_unit_cell().d(reflections["miller_index"]).as_numpy_array())


def beam_centre(detector: Any, beam: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    """Beam centre (mm and px, fast and slow) on the panel that the beam meets, else on the plane of the first."""
    s0 = beam.get_s0()
    try:
        number, mm = detector.get_ray_intersection(s0)
        panel = detector[number]
    except RuntimeError:  # the beam passes through a gap between panels
        panel = detector[0]
        mm = panel.get_beam_centre(s0)
    return _rounded(mm, 4), _rounded(panel.millimeter_to_pixel(mm), 3)


def spots_d_min_A(spots: Any, experiments: Any, share: float = 0.95) -> float | None:
    """Resolution within which 95 % of the spots lie (A); None without spots.

    The share keeps single hot pixels in the corners from deciding.
    """
    if not len(spots):
        return None
    s0 = np.array(experiments[0].beam.get_s0())
    x, y, _ = spots["xyzobs.px.value"].parts()
    places_px = flex.vec2_double(x, y)
    d = []
    for number in set(spots["panel"]):
        panel = experiments[0].detector[number]
        places_mm = panel.pixel_to_millimeter(places_px.select(spots["panel"] == number))
        s1 = panel.get_lab_coord(places_mm).as_numpy_array()
        cos_two_theta = s1 @ s0 / (np.linalg.norm(s1, axis=1) * np.linalg.norm(s0))
        d.append(1.0 / (np.linalg.norm(s0) * np.sqrt(2.0 - 2.0 * cos_two_theta)))
    return round(float(np.quantile(np.concatenate(d), 1.0 - share)), 3)
