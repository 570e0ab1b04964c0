"""DIALS' stills indexer with its slow parts replaced; results are unchanged.

The backend refines each candidate lattice four times and the best one four more times, with gradients assembled in
Python.  Here, the same least-squares problem is solved in numpy (:mod:`~iota.engine.stills.still_refinement`), without
repeating refinements that have converged.  Changes and gains: docs/decisions/0007-hits.md.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from cctbx import sgtbx
from dials.algorithms.indexing import DialsIndexError
from dials.algorithms.indexing.basis_vector_search.combinations import filter_similar_orientations
from dials.algorithms.indexing.stills_indexer import StillsIndexerBasisVectorSearch
from dials.algorithms.refinement.prediction.managed_predictors import ExperimentsPredictorFactory
from dials.array_family import flex
from dxtbx.model import Crystal, MosaicCrystalSauter2014

from iota.causes import Cause, why
from iota.crystallography.cells import basis_from_cell, cell_text
from iota.crystallography.nearness import Tolerance
from iota.engine.backend import versions
from iota.engine.backend.sentences import SentenceError
from iota.engine.stills.chance import spacing_px
from iota.engine.stills.known_cell import CellSearch, find_bases
from iota.engine.stills.still_mosaicity import Mosaicity, fit_mosaicity
from iota.engine.stills.still_outliers import inliers
from iota.engine.stills.still_refinement import (
    Refined,
    StillSpots,
    b_covariance,
    constrained,
    refine,
    spots_from_table,
)
from iota.geometry.prediction import Array

logger = logging.getLogger("dials.iota")  # goes into the log of the frame, with the backend's own words

_CANDIDATES = 5  # that are refined; the default of DIALS for stills
_CLEAR_FRACTION = 0.4  # of the spots: a lattice of the known cell that explains so many needs no comparison
_CLEAR_SPOTS = 25  # and with fewer of them a lattice may fit by chance


@dataclass
class _Fit:
    """One crystal in refinement: its spots shrink as outliers are rejected."""

    spots: StillSpots
    start: Array  # A*
    space_group: Any
    rows: npt.NDArray[np.int64]  # numbers of the spots in the table that they came from
    refined: Refined | None = None
    mosaicity: Mosaicity | None = None

    def refine(self, kept: npt.NDArray[np.bool_] | None = None) -> None:
        """Refine against the remaining spots, starting from the last refinement."""
        if kept is not None:
            self.spots, self.rows = self.spots.select(kept), self.rows[kept]
        self.refined = refine(self.a_star, self.spots, self.space_group)

    @property
    def a_star(self) -> Array:
        return self.start if self.refined is None else self.refined.a_star

    @property
    def residual_mm(self) -> Array:
        assert self.refined is not None
        return self.refined.prediction.xy_mm - self.spots.xy_mm


@dataclass(frozen=True)
class _Candidate:
    crystal: Any
    n_indexed: int
    rmsd_px: float

    def __str__(self) -> str:
        cell = cell_text(self.crystal.get_unit_cell().parameters())
        return f"{self.n_indexed} spots, rmsd {self.rmsd_px:.3f} px, primitive cell {cell}"

    def evidence(self, spacing_px: float) -> float:
        """Logarithm of how much more likely the spot positions are with this lattice than by chance.

        By chance a spot lies anywhere in the area that belongs to one reflection.
        """
        return self.n_indexed * math.log(spacing_px**2 / (2.0 * math.pi * self.rmsd_px**2))


class _KnownLattice:
    """A lattice whose cell is known: what to search for, and the symmetry of what was found."""

    def __init__(self, handler: Any, known_symmetry: Any) -> None:
        primitive = handler.target_symmetry_primitive
        to_reduced = primitive.change_of_basis_op_to_minimum_cell()
        reduced = primitive.change_basis(to_reduced)
        self._space_group = reduced.space_group()
        self._to_input = handler.cb_op_primitive_inp * to_reduced.inverse()
        self.search = CellSearch(
            basis_from_cell(reduced.unit_cell().parameters()),
            Tolerance(known_symmetry.relative_length_tolerance, known_symmetry.absolute_angle_tolerance),
        )

    def deviation(self, crystal: Any) -> float:
        """How far a crystal in the reduced setting is from the known cell; see :meth:`CellSearch.deviation`."""
        return self.search.deviation(np.linalg.inv(np.array(crystal.get_A()).reshape(3, 3)))

    def apply_symmetry(self, crystal: Any) -> tuple[Any, Any]:
        """Replaces this method of DIALS' symmetry handler for crystals in the reduced setting."""
        a_star = np.array(crystal.get_A()).reshape(3, 3)
        if not self.search.fits(np.linalg.inv(a_star)):
            return None, None
        direct = np.linalg.inv(constrained(a_star, self._space_group))
        return Crystal(*(tuple(row) for row in direct), space_group=self._space_group), self._to_input


class StillIndexer(StillsIndexerBasisVectorSearch):  # type: ignore[misc]  # DIALS has no annotations
    """Indexes one still; made like the class of DIALS it derives from.

    When the cell is known, it is looked for at its own lengths first, and as DIALS does where that leaves doubt.
    """

    _symmetry_handler: Any  # of the class of DIALS

    def __init__(self, reflections: Any, experiments: Any, params: Any, search_known_cell: bool = True) -> None:
        super().__init__(reflections, experiments, params)
        self._dials_symmetry = self._symmetry_handler
        self._known_lattice: _KnownLattice | None = None
        self._found: _Candidate  # the last lattice
        if search_known_cell and params.indexing.known_symmetry.unit_cell is not None:
            self._known_lattice = _KnownLattice(self._dials_symmetry, params.indexing.known_symmetry)

    def find_lattices(self) -> Any:
        """Find one more lattice; the returned list of experiments has one for each image set.

        A lattice of the known cell that leaves most spots unexplained has to stand comparison with what DIALS finds.
        """
        if self._known_lattice is None:
            return super().find_lattices()
        n_left = (self.reflections["id"] == -1).count(True)
        best, error = None, DialsIndexError("No suitable indexing solution found")
        for symmetry in (self._known_lattice, self._dials_symmetry):
            self._symmetry_handler = symmetry
            try:
                found = super().find_lattices()
            except DialsIndexError as no_lattice:
                error = no_lattice.with_traceback(None)  # which would keep the frame in memory
                continue
            evidence = self._found.evidence(self._spacing_px)
            if best is None or evidence > best[0]:
                best = evidence, found, symmetry
            if self._found.n_indexed >= max(_CLEAR_SPOTS, _CLEAR_FRACTION * n_left):
                break
        if best is None:
            raise error
        _, found, self._symmetry_handler = best
        return found

    @property
    def _spacing_px(self) -> float:
        """Distance between neighbouring reflections of the known cell on the detector."""
        assert self._known_lattice is not None
        panel = self.experiments[0].detector[0]
        return spacing_px(
            float(abs(np.linalg.det(self._known_lattice.search.basis))),
            self.experiments[0].beam.get_wavelength(),
            abs(panel.get_directed_distance()),
            panel.get_pixel_size()[0],
        )

    def find_candidate_crystal_models(self) -> Iterable[Any]:
        """Candidate lattices, the best first."""
        if self._symmetry_handler is self._dials_symmetry:
            return super().find_candidate_crystal_models()  # type: ignore[no-any-return]
        left = self.reflections["rlp"].select(self.reflections["id"] == -1).as_numpy_array()
        self.d_min = float(1.0 / np.linalg.norm(left, axis=1).max())  # as DIALS, when all spots are used
        bases = find_bases(self._symmetry_handler.search, left, self.params.basis_vector_combinations.max_refine)
        models: Iterable[Any] = [
            Crystal(*(tuple(row) for row in basis), space_group=sgtbx.space_group()) for basis in bases
        ]
        if self.refined_experiments:
            models = filter_similar_orientations(
                models,
                self.refined_experiments.crystals(),
                self.params.multiple_lattice_search.minimum_angular_separation,
            )
        return models

    def choose_best_orientation_matrix(self, candidate_orientation_matrices: Iterable[Any]) -> tuple[Any, int]:
        """Refine each candidate and take the one with the smallest rmsd, as DIALS does.

        Candidates of a known cell are lattices of their own: of these the one with the best evidence is taken.
        """
        candidates = []
        most = self.params.basis_vector_combinations.max_refine
        for number, model in enumerate(itertools.islice(candidate_orientation_matrices, most)):
            try:
                candidates.append(self._try(model))
            except (ValueError, RuntimeError, ArithmeticError, np.linalg.LinAlgError) as error:
                logger.info("Candidate %d is not refined: %s", number, error)
            else:
                logger.info("Candidate %d: %s", number, candidates[-1])
        largest_px = versions.largest_rmsd_px(self.params)
        candidates = [one for one in candidates if one.rmsd_px <= largest_px] or candidates
        if not candidates:
            raise DialsIndexError("No suitable indexing solution found")
        if isinstance(self._symmetry_handler, _KnownLattice):
            known = self._symmetry_handler
            best = max(candidates, key=lambda one: one.evidence(self._spacing_px) - known.deviation(one.crystal))
        else:
            best = min(candidates, key=lambda one: one.rmsd_px)
        if best.rmsd_px > largest_px:
            raise DialsIndexError(f"RMSD too high, {best.rmsd_px:f}")
        self._found = best
        return best.crystal, best.n_indexed

    def _try(self, model: Any) -> _Candidate:
        """Index the remaining spots with a candidate lattice and refine it without symmetry."""
        experiments = self.experiment_list_for_crystal(model)
        left = self.reflections.select(self.reflections["id"] == -1)
        self.index_reflections(experiments, left)
        indexed = left.select(left["id"] >= 0)
        fit = _fit(indexed, experiments[0], sgtbx.space_group())
        self._refine([fit], experiments[:1])
        crystal = _crystal(model, fit)
        if self.params.known_symmetry.space_group is not None:
            symmetric, _ = self._symmetry_handler.apply_symmetry(crystal)
            if symmetric is None:
                raise SentenceError(why(Cause.NOT_OF_KNOWN_SYMMETRY))
        pixel_size = experiments[0].detector[0].get_pixel_size()
        residual_px = fit.residual_mm / np.array(pixel_size)
        return _Candidate(crystal, len(fit.rows), float(np.sqrt((residual_px**2).sum(axis=1).mean())))

    def _refine(self, fits: list[_Fit], experiments: Any) -> None:
        """Refine, reject outliers by position, then by position and excitation error, refining after each."""
        for fit in fits:
            fit.refine()
        for fit, kept in zip(fits, self._inliers(fits), strict=True):
            fit.refine(kept)
        positions = self._inliers(fits)
        for fit, kept, experiment in zip(fits, positions, experiments, strict=True):
            fit.refine(kept & self._mosaicity(fit, experiment).accepted)
            fit.mosaicity = self._mosaicity(fit, experiment)

    def _inliers(self, fits: list[_Fit]) -> list[npt.NDArray[np.bool_]]:
        """Which spots of each lattice are not outliers; one distribution for all lattices of the frame."""
        if not self.params.stills.candidate_outlier_rejection:
            return [np.ones(len(fit.spots), dtype=bool) for fit in fits]
        ends = np.cumsum([len(fit.spots) for fit in fits])[:-1]
        return np.split(inliers(np.concatenate([fit.residual_mm for fit in fits])), ends)

    def _mosaicity(self, fit: _Fit, experiment: Any) -> Mosaicity:
        assert fit.refined is not None
        found = fit_mosaicity(
            d_A=1.0 / np.linalg.norm(fit.spots.hkl @ fit.a_star.T, axis=1),
            delpsi_rad=fit.refined.prediction.delpsi_rad,
            cell_volume_A3=1.0 / abs(float(np.linalg.det(fit.a_star))),
            wavelength_A=experiment.beam.get_wavelength(),
            resolution_cutoff_A=self.params.stills.ewald_proximity_resolution_cutoff,
        )
        if found.ewald_proximal_volume > self.params.stills.ewald_proximal_volume_max:
            raise DialsIndexError(f"Ewald proximity volume too high, {found.ewald_proximal_volume:f}")
        return found

    def refine(self, experiments: Any, reflections: Any) -> tuple[Any, Any]:
        """Refine the lattices found, with symmetry constraints and rejection of outliers.

        Args:
            experiments: one for each lattice.
            reflections: their indexed spots.

        Returns:
            The refined experiments, and the spots that are left with their predicted positions.
        """
        fits = []
        for number, experiment in enumerate(experiments):
            rows = np.flatnonzero(reflections["id"].as_numpy_array() == number)
            table = reflections.select(flex.size_t(rows))
            fits.append(_fit(table, experiment, experiment.crystal.get_space_group(), rows))
        self._refine(fits, experiments)
        for fit, experiment in zip(fits, experiments, strict=True):
            experiment.crystal = self._with_given_mosaicity(_crystal(experiment.crystal, fit))
        kept = reflections.select(flex.size_t(np.sort(np.concatenate([fit.rows for fit in fits]))))
        _predict_positions(experiments, kept, self.all_params.refinement.parameterisation.spherical_relp_model)
        return experiments, kept

    def _with_given_mosaicity(self, crystal: Any) -> Any:
        stills = self.params.stills
        if stills.set_domain_size_ang_value is not None:
            crystal.set_domain_size_ang(stills.set_domain_size_ang_value)
        if stills.set_mosaic_half_deg_value is not None:
            crystal.set_half_mosaicity_deg(stills.set_mosaic_half_deg_value)
        return crystal


def _fit(table: Any, experiment: Any, space_group: Any, rows: npt.NDArray[np.int64] | None = None) -> _Fit:
    a_star = np.array(experiment.crystal.get_A()).reshape(3, 3)
    numbers = np.arange(len(table)) if rows is None else rows
    return _Fit(spots_from_table(table, experiment), a_star, space_group, numbers)


def _crystal(model: Any, fit: _Fit) -> Any:
    """DIALS' crystal of a fit, with the esds of its cell."""
    assert fit.refined is not None and fit.mosaicity is not None
    crystal = MosaicCrystalSauter2014(model)
    crystal.set_A(tuple(fit.a_star.ravel()))
    b_matrix = np.array(crystal.get_B()).reshape(3, 3)
    covariance = b_covariance(b_matrix, fit.refined)
    if covariance is not None:
        crystal.set_B_covariance(tuple(covariance.ravel()))
    crystal.set_half_mosaicity_deg(fit.mosaicity.half_mosaicity_deg)
    crystal.set_domain_size_ang(fit.mosaicity.domain_size_A)
    return crystal


def _predict_positions(experiments: Any, reflections: Any, spherical_relp: bool) -> None:
    """Fill in the columns that DIALS' refinement adds."""
    predictor = ExperimentsPredictorFactory.from_experiments(
        experiments, force_stills=True, spherical_relp=spherical_relp
    )
    predictor(reflections)
    x_observed, y_observed, _ = reflections["xyzobs.mm.value"].parts()
    x, y, _ = reflections["xyzcal.mm"].parts()
    reflections["x_resid"], reflections["y_resid"] = x - x_observed, y - y_observed
    for name in ("x_resid", "y_resid"):
        reflections[f"{name}2"] = reflections[name] ** 2
    reflections["delpsical2"] = reflections["delpsical.rad"] ** 2
    reflections.set_flags(flex.size_t_range(len(reflections)), reflections.flags.used_in_refinement)
    reflections["entering"] = flex.bool(len(reflections), False)


def supports(params: Any, changed: frozenset[str]) -> bool:
    """Whether this indexer supports the parameters; otherwise, that of DIALS must be used.

    Args:
        params: backend parameters.
        changed: full names of the parameters that differ from the defaults of the backend.
    """
    indexing, stills = params.indexing, params.indexing.stills
    return (
        set(_methods(params)) <= {"fft1d", "fft3d", "real_space_grid_search"}
        and str(stills.indexer).lower() in ("auto", "stills")
        and not (stills.isoforms or stills.known_orientations or versions.draws_spots(indexing))
        and stills.refine_all_candidates
        and not stills.refine_candidates_with_known_symmetry
        and indexing.refinement_protocol.mode == "refine_shells"
        and not any(name.startswith("refinement.") for name in changed)
    )


def _methods(params: Any) -> list[str]:
    return list(params.indexing.stills.method_list or [params.indexing.method])


def index_still(params: Any, experiments: Any, reflections: Any) -> tuple[Any, Any]:
    """Index the spots of a still with one method after another, until one succeeds.

    Args:
        params: backend parameters; changed by the indexer.
        experiments: one, whose models are changed.
        reflections: strong spots, changed.

    Returns:
        Experiments, one for each lattice, and the spots that were indexed.

    Raises:
        Exception: whatever the first method raised when none finds a lattice.
    """
    logger.info("\nIndexing %d Strong Spots (accelerated)\n", len(reflections))
    combinations = params.indexing.basis_vector_combinations
    if not isinstance(combinations.max_refine, int):
        combinations.max_refine = _CANDIDATES
    for experiment in experiments:
        experiment.imageset.set_scan(None)
        experiment.imageset.set_goniometer(None)
        experiment.scan = experiment.goniometer = None
    first_error: Exception | None = None
    for number, method in enumerate(_methods(params)):
        params.indexing.method = method
        try:
            indexer = StillIndexer(reflections, experiments, params, search_known_cell=number == 0)
            indexer.index()
        except Exception as error:  # noqa: BLE001 - DIALS raises errors of any class when it finds no lattice
            logger.info("No lattice with %s: %s", method, error)
            first_error = first_error or error.with_traceback(None)  # which would keep the frame in memory
        else:
            return indexer.refined_experiments, indexer.refined_reflections
    assert first_error is not None
    raise first_error
