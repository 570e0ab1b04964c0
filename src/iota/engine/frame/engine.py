"""Shared by all frames of a run: backend parameters, masks, geometry, output files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iota.causes import Cause, why
from iota.engine.backend import parameters as backend
from iota.engine.backend.sentences import SentenceError
from iota.engine.frame.filter import LatticeFilter
from iota.engine.frame.grid import Grid
from iota.engine.frame.picture_choice import Pictures
from iota.engine.images.image import OpenedFile, load_reference_geometry
from iota.engine.images.masks import difference, load_mask, shape_of
from iota.engine.spots.spots import SpotFinder
from iota.params.counterparts import MASKS
from iota.records import Settings


class Engine:
    """Shared by all frames of a run: the parameters of the backend, and where files are written.

    A frame gets fresh copies of the parameters, so no frame can change what another one sees.
    """

    def __init__(
        self,
        target: str,
        run_folder: Path,
        *,
        lattice_filter: LatticeFilter | None = None,
        strong_sigma: float = 5.0,
        find_symmetry: bool = False,
        accelerate: bool = True,
        files_grow: bool = False,
        scratch: Path | None = None,
        grid: Grid | None = None,
        pictures: Pictures | None = None,
    ) -> None:
        self.target = target
        self.run_folder = run_folder
        self.lattice_filter = lattice_filter
        self.strong_sigma = strong_sigma
        self.find_symmetry = find_symmetry
        self.accelerate = accelerate
        self.shared_params = self.params()  # for what changes no parameter
        self.reference_detector = load_reference_geometry(self.shared_params.input.reference_geometry)
        masks = {getattr(self.shared_params, scope).lookup.mask for scope in MASKS}
        self._mask_shapes = {path: shape_of(load_mask(Path(path))) for path in masks if path}
        self.files_grow = files_grow
        self.opened_file = OpenedFile(files_grow)
        self.spot_finder = SpotFinder(self.shared_params) if accelerate else None
        self.scratch = scratch
        self.grid = grid
        self.pictures = pictures
        self._other_finders: dict[str, SpotFinder] = {}  # by parameters that differ from those of the run

    def check_masks(self, detector: Any) -> None:
        """Check that the masks of the run match a detector.

        Raises:
            SentenceError: one does not; a later frame may have the right detector.
        """
        for path, shape in self._mask_shapes.items():
            differs = difference(shape, detector)
            if differs is not None:
                raise SentenceError(why(Cause.MASK_MISFITS, file=path, mask=differs[0], image=differs[1]))

    def finder(self, phil: str) -> SpotFinder | None:
        """Spot finder with additional backend parameters, made once; None if the backend has to find the spots."""
        if self.spot_finder is None:
            return None
        if phil not in self._other_finders:
            self._other_finders[phil] = SpotFinder(self.params(Settings("", phil)))
        return self._other_finders[phil]

    def with_more(self, phil: str, trial_folder: Path | None = None) -> Engine:
        """Return an engine with additional backend parameters; for a trial, with its files in another folder."""
        return Engine(
            backend.with_lines(self.target, [phil]),
            trial_folder or self.run_folder,
            lattice_filter=self.lattice_filter,
            strong_sigma=self.strong_sigma,
            find_symmetry=self.find_symmetry,
            accelerate=self.accelerate,
            files_grow=self.files_grow,
            scratch=self.scratch,
            grid=self.grid,
            pictures=None if trial_folder else self.pictures,
        )

    def params(self, settings: Settings | None = None) -> Any:
        """Backend parameters for one frame, without DIALS' composite output files."""
        params = backend.extract(self.target, settings.phil if settings else "")
        params.output.composite_output = False
        params.mp.debug.output_debug_logs = False
        for what in ("experiments", "strong", "indexed", "refined_experiments", "integrated", "integrated_experiments"):
            setattr(params.output, f"{what}_filename", None)
        if hasattr(params.output, "integration_pickle"):  # gone in newer DIALS
            params.output.integration_pickle = None
        params.output.output_dir = str(self.run_folder)
        return params
