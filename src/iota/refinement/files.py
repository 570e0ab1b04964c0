"""Refines a geometry, or finds one, and writes its files: ``geometry/NNN`` of a run, or a folder that was named."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from iota.atomic_files import write_atomically
from iota.charts.description import Chart
from iota.charts.files import Sheet, write_sheet
from iota.charts.geometry import displacement_chart
from iota.engine.exports.given_geometry import GivenGeometry
from iota.engine.geometry.bad_pixels import bad_pixels
from iota.engine.geometry.detector import panels_of
from iota.engine.geometry.reference import write_expt, write_geom
from iota.errors import RunFolderError
from iota.geometry.displacements import without_common_motion
from iota.records import FrameRef
from iota.refinement.record import GeometryRefinement, GeometrySearch
from iota.refinement.refining import RefinedGeometry, Step, refine_geometry
from iota.refinement.searching import SearchedGeometry, search_run, target_of
from iota.refinement.sources import Source, source_of_files, source_of_run
from iota.runs import RunFolder
from iota.runs.folder import new_numbered_folder
from iota.runs.geometry_revisions import BY_RUN

RECORD, SEARCH_RECORD = "geometry.json", "geometry_search.json"
_WHAT = {
    "found.expt": "reference geometry, for IOTA and DIALS",
    "found.geom": "CrystFEL geometry",
    "found_mask.h5": "bad pixels, referred to by found.geom",
    "refined.expt": "reference geometry, for IOTA and DIALS",
    "refined.geom": "CrystFEL geometry",
    "refined_mask.h5": "bad pixels, referred to by refined.geom",
    "geometry.png": "displacements over the detector",
    "geometry.pdf": "the same as PDF",
}


def refine_to_files(
    given: RunFolder | Sequence[Path], values: Any, output: Path | None, step: Step
) -> tuple[GeometryRefinement | GeometrySearch, Path | None]:
    """Refine a geometry, or search for it if a run has too few lattices, and write it.

    Returns the record and the folder. There is no folder if the search found the geometry right and there are too few
    lattices to refine it.

    Args:
        given: a run, or ``.expt`` and ``.refl`` files.
        values: parameters, see :mod:`iota.params.refining`.
        output: see :func:`write_geometry`.
        step: shows what is being done.

    Raises:
        UsageError: there are too few lattices and no geometry was found, or parameters or files do not fit them.
        BackendError: the files cannot be read.
        RunFolderError: the folder cannot be written.
    """
    searched = search_run(given, values, step) if isinstance(given, RunFolder) else None
    if searched is not None and searched.experiment is not None:
        with step("Writing files"):
            return searched.record, write_search(searched, output)
    if searched is not None and searched.are_too_few:
        return searched.record, None
    with step("Choosing lattices"):
        source = source_of_run(given, values) if isinstance(given, RunFolder) else source_of_files(given, values)
    refined = refine_geometry(source, values, step)
    if searched is not None:
        refined.record.remarks.append(searched.record.result.sentence)
    with step("Writing files"):
        folder = write_geometry(refined, source, output)
    return refined.record, folder


def write_geometry(refined: RefinedGeometry, source: Source, output: Path | None, *, by_run: bool = False) -> Path:
    """Write all files, the record last; returns their folder.

    Args:
        refined: what is written; the record is completed.
        source: where it comes from.
        output: the folder; None is the next ``geometry/NNN`` of the run or, without a run, of the current folder.
        by_run: whether the run itself proposes the geometry.

    Raises:
        RunFolderError: the folder cannot be written; it is removed if it was new.
    """
    return _written(source.run, output, by_run, lambda folder: _write(refined, source, folder))


def write_search(searched: SearchedGeometry, output: Path | None, *, by_run: bool = False) -> Path:
    """Write the geometry that was found, the record last; returns their folder. See :func:`write_geometry`."""
    return _written(searched.run, output, by_run, lambda folder: _write_search(searched, folder))


def _written(run: RunFolder | None, output: Path | None, by_run: bool, write: Callable[[Path], None]) -> Path:
    """The folder for a geometry with new files only; it is removed again if writing fails or is interrupted."""
    above = (Path.cwd() if run is None else run.path) / "geometry"
    is_new = output is None or not output.exists()
    folder = output or above
    try:
        if output is None:
            folder = new_numbered_folder(above)
        else:
            output.mkdir(parents=True, exist_ok=True)
        if by_run:  # first: so that it is removed by whoever resumes a run that was killed now
            (folder / BY_RUN).touch()
        for name in (RECORD, SEARCH_RECORD, *_WHAT):
            (folder / name).unlink(missing_ok=True)
        write(folder)
        return folder
    except BaseException as error:
        if is_new and folder != above:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise RunFolderError(
                f"{folder} cannot be written: {error.strerror or error}. Choose another folder with --output FOLDER."
            ) from error
        raise


def _write(refined: RefinedGeometry, source: Source, folder: Path) -> None:
    record, stills = refined.record, refined.stills
    write_expt(refined.detector, stills.beam, folder / "refined.expt")
    record.remarks += _write_geom(refined.detector, stills.beam, folder / "refined.geom", source.run, stills.frames)
    _draw(refined, folder)
    _write_record(record, folder, RECORD)


def _write_search(searched: SearchedGeometry, folder: Path) -> None:
    record, (beam, detector) = searched.record, (searched.experiment.beam, searched.experiment.detector)
    write_expt(detector, beam, folder / "found.expt")
    record.remarks += _write_geom(detector, beam, folder / "found.geom", searched.run, searched.frames)
    after = panels_of(detector)
    before = replace(after, origin_mm=after.origin_mm - np.array(record.result.move_mm))
    _write_charts([displacement_chart(before, after, np.array(beam.get_s0()), "Motion of the detector")], folder)
    _write_record(record, folder, SEARCH_RECORD)


def _write_geom(
    detector: Any, beam: Any, path: Path, run: RunFolder | None, frames: Sequence[FrameRef]
) -> Sequence[str]:
    """Write a CrystFEL geometry with its mask; returns what is worth knowing of it."""
    given = None if run is None else GivenGeometry.of_run(run)
    bad: list[npt.NDArray[np.bool_]] = []
    remarks: list[str] = []
    if given is None:
        bad, remarks = bad_pixels(frames, detector, "" if run is None else target_of(run))
        if not bad:
            remarks.append(
                f"No image of this detector could be read, so {path.name} masks pixels by their counts only: masks in"
                " the image files and gaps are not included."
            )
    elif run is not None and (run.path / "mask.pickle").exists():
        remarks.append(f"The mask of the run is not included in {path.name}, only that of the given geometry.")
    write_geom(detector, beam, path, given=given, first=frames[0], bad=bad)
    return remarks


def _write_record(record: GeometryRefinement | GeometrySearch, folder: Path, name: str) -> None:
    record.files = {name: what for name, what in _WHAT.items() if (folder / name).exists()}
    write_atomically(folder / name, msgspec.json.format(msgspec.json.encode(record), indent=1).decode() + "\n")


def _draw(refined: RefinedGeometry, folder: Path) -> None:
    record, stills = refined.record, refined.stills
    s0 = np.array(stills.beam.get_s0())
    charts = [displacement_chart(stills.panels, refined.panels, s0, _caption(record))]
    if record.panel_shift_rms_px is not None:
        own = without_common_motion(stills.panels, refined.panels)
        charts.append(displacement_chart(stills.panels, own, s0, "Panels relative to each other"))
    _write_charts(charts, folder)


def _write_charts(charts: list[Chart], folder: Path) -> None:
    write_sheet(Sheet(name="geometry", charts=charts, in_a_row=2), folder)


def _caption(record: GeometryRefinement) -> str:
    before, after = record.before, record.after
    return f"Refined geometry: distance {before.distance_mm:.2f} → {after.distance_mm:.2f} mm"
