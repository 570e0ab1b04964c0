"""Refines a geometry and writes its files: ``geometry/NNN`` of a run, or a folder that was named."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from iota.atomic_files import write_atomically
from iota.charts.files import Sheet, write_sheet
from iota.charts.geometry import displacement_chart
from iota.engine.exports.given_geometry import GivenGeometry
from iota.engine.geometry.bad_pixels import bad_pixels
from iota.engine.geometry.reference import write_expt, write_geom
from iota.errors import IotaError, RunFolderError
from iota.geometry.displacements import without_common_motion
from iota.refinement.record import GeometryRefinement
from iota.refinement.refining import RefinedGeometry, Step, refine_geometry
from iota.refinement.sources import Source, source_of_files, source_of_run
from iota.runs import RunFolder
from iota.runs.folder import new_numbered_folder

RECORD = "geometry.json"
_WHAT = {
    "refined.expt": "reference geometry, for IOTA and DIALS",
    "refined.geom": "CrystFEL geometry",
    "refined_mask.h5": "bad pixels, referred to by refined.geom",
    "geometry.png": "displacements over the detector",
    "geometry.pdf": "the same as PDF",
}


def refine_to_files(
    given: RunFolder | Sequence[Path], values: Any, output: Path | None, step: Step
) -> tuple[GeometryRefinement, Path]:
    """Refine a geometry and write it; returns the record and the folder.

    Args:
        given: a run, or ``.expt`` and ``.refl`` files.
        values: parameters, see :mod:`iota.params.refining`.
        output: see :func:`write_geometry`.
        step: shows what is being done.

    Raises:
        UsageError: there are too few lattices, or parameters or files do not fit them.
        BackendError: the files cannot be read.
        RunFolderError: the folder cannot be written.
    """
    with step("Choosing lattices"):
        source = source_of_run(given, values) if isinstance(given, RunFolder) else source_of_files(given, values)
    refined = refine_geometry(source, values, step)
    with step("Writing files"):
        folder = write_geometry(refined, source, output)
    return refined.record, folder


def write_geometry(refined: RefinedGeometry, source: Source, output: Path | None) -> Path:
    """Write all files, the record last; returns their folder.

    Args:
        refined: what is written; the record is completed.
        source: where it comes from.
        output: the folder; None is the next ``geometry/NNN`` of the run or, without a run, of the current folder.

    Raises:
        RunFolderError: the folder cannot be written; it is removed if it was new.
    """
    above = (source.run.path if source.run is not None else Path.cwd()) / "geometry"
    is_new = output is None or not output.exists()
    folder = output or above
    try:
        if output is None:
            folder = new_numbered_folder(above)
        else:
            output.mkdir(parents=True, exist_ok=True)
        _write(refined, source, folder)
    except (OSError, IotaError, KeyboardInterrupt) as error:
        if is_new and folder != above:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise RunFolderError(
                f"{folder} cannot be written: {error.strerror or error}. Choose another folder with --output FOLDER."
            ) from error
        raise
    return folder


def _write(refined: RefinedGeometry, source: Source, folder: Path) -> None:
    record, stills = refined.record, refined.stills
    for name in (RECORD, *_WHAT):  # of an earlier refinement
        (folder / name).unlink(missing_ok=True)
    write_expt(refined.detector, stills.beam, folder / "refined.expt")
    given = None if source.run is None else GivenGeometry.of_run(source.run)
    bad = []
    if given is None:
        bad = bad_pixels(stills.frames, _target(source))
        if not bad:
            record.remarks.append(
                "No image could be read, so refined.geom masks pixels by their counts only: masks in the image files"
                " and gaps are not included."
            )
    elif _has_mask(source):
        record.remarks.append("The mask of the run is not included in refined.geom, only that of the given geometry.")
    write_geom(
        refined.detector,
        stills.beam,
        folder / "refined.geom",
        given=given,
        first=stills.frames[0],
        bad=bad,
    )
    _draw(refined, folder)
    record.files = {name: what for name, what in _WHAT.items() if (folder / name).exists()}
    text = msgspec.json.format(msgspec.json.encode(record), indent=1).decode() + "\n"
    write_atomically(folder / RECORD, text)


def _target(source: Source) -> str:
    if source.run is None:
        return ""
    try:
        return source.run.target.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RunFolderError(f"The settings of the run, {source.run.target}, cannot be read: {error}.") from error


def _has_mask(source: Source) -> bool:
    return source.run is not None and (source.run.path / "mask.pickle").exists()


def _draw(refined: RefinedGeometry, folder: Path) -> None:
    record, stills = refined.record, refined.stills
    s0 = np.array(stills.beam.get_s0())
    charts = [displacement_chart(stills.panels, refined.panels, s0, _caption(record))]
    if record.panel_shift_rms_px is not None:
        own = without_common_motion(stills.panels, refined.panels)
        charts.append(displacement_chart(stills.panels, own, s0, "Panels relative to each other"))
    write_sheet(Sheet(name="geometry", charts=charts, in_a_row=2), folder)


def _caption(record: GeometryRefinement) -> str:
    before, after = record.before, record.after
    return f"Distance {before.distance_mm:.2f} to {after.distance_mm:.2f} mm"
