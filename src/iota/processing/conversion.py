"""Converts images to pickles before a run, in ``converted_pickles/NNN``, and processes those."""

from __future__ import annotations

import getpass
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from iota.engine.conversion import worker as convert_worker
from iota.engine.conversion.tasks import Conversion, ConvertTask
from iota.engine.frame import questions
from iota.engine.preparation.prepared import sample_frames
from iota.errors import RunFolderError, UsageError
from iota.params import Parameters, defaults
from iota.params.to_backend import reset_import
from iota.records import FrameRef
from iota.runs.folder import new_numbered_folder
from iota.workers import dials
from iota.workers.cores import default_processes
from iota.workers.local import LocalPool
from iota.workers.second_try import SecondTries


class Converted(msgspec.Struct, kw_only=True):
    """The results of a conversion."""

    folder: Path
    frames: list[FrameRef]  # pickles, and in their places the images that could not be saved
    gain: float | None = None  # as estimated from the images; None where that was not asked for
    failures: list[str] = []  # a sentence for each of these
    remarks: list[str] = []


def is_asked_for(image_import: Any) -> bool:
    """Whether images are to be saved as pickles before they are processed."""
    return bool(
        image_import.convert_images
        or image_import.convert_only
        or image_import.flip_beamXY
        or image_import.square_mode != "no_modification"
    )


def convert_frames(
    parameters: Parameters, frames: Sequence[FrameRef], progress: Callable[[int], None] = lambda done: None
) -> Converted:
    """Save images as pickles, with mask and geometry according to the parameters.

    Args:
        parameters: their import options are what is changed.
        frames: images; those that cannot be saved stay what they are, so that processing says why.
        progress: is called with the number of images that are done.

    Raises:
        UsageError: names cannot be made, or a mask does not fit.
        RunFolderError: the folder cannot be written.
    """
    options = parameters.values.image_import
    folder = _next_folder(Path(parameters.values.output) / "converted_pickles")
    prepared = dials.ask(questions.prepare, parameters, sample_frames(frames), folder)
    conversion = Conversion(prepared.target, str(folder / "links"), options.square_mode, options.flip_beamXY)
    paths = _names(options, frames, folder)
    result = Converted(folder=folder, frames=list(frames), gain=prepared.gain, remarks=prepared.remarks)
    pool = LocalPool(parameters.values.mp.n_processors or default_processes(), conversion, 600.0, convert_worker)
    try:
        submit = SecondTries(pool.submit).submit
        waiting = [submit([ConvertTask(frame, str(path))]) for frame, path in zip(frames, paths, strict=True)]
        for number, (future, path) in enumerate(zip(waiting, paths, strict=True)):
            error = future.exception()
            if isinstance(error, OSError):
                raise RunFolderError(f"{folder} cannot be written: {error.strerror}.") from error
            why = future.result()[0] if error is None else "It cannot be converted: the process ended unexpectedly."
            if why:
                result.failures.append(f"{frames[number]}: {why}")
            else:
                result.frames[number] = FrameRef(str(path))
            progress(number + 1)
    finally:
        pool.stop()
        shutil.rmtree(folder / "links", ignore_errors=True)  # a folder of pickles is input: links would be images, too
    return result


def without_import_options(parameters: Parameters, gain: float | None = None) -> Parameters:
    """Parameters for processing the pickles: steps done by the conversion, and estimation of the gain, are omitted."""
    options = parameters.values.image_import
    if gain is not None:
        options.estimate_gain, options.gain = False, gain
    options.convert_images = options.convert_only = options.flip_beamXY = False
    options.square_mode = "no_modification"
    options.beamstop = 0
    reset_import(parameters.values, defaults().values)
    return parameters.replaced()


def _next_folder(parent: Path) -> Path:
    try:
        return new_numbered_folder(parent)
    except OSError as error:
        raise RunFolderError(f"No folder can be created in {parent}: {error.strerror}.") from error


def _names(options: Any, frames: Sequence[FrameRef], folder: Path) -> list[Path]:
    """Paths of the pickles: ``<prefix>_<run>_<#####>.pickle``, or the names and folders of the images."""
    if options.rename_pickle == "keep_file_structure":
        return _kept_names(frames, folder)
    prefix = options.rename_pickle_prefix if options.rename_pickle == "custom_filename" else _login()
    if not prefix or "/" in prefix:
        raise UsageError(
            "image_import.rename_pickle=custom_filename needs a prefix without slashes: rename_pickle_prefix=NAME."
        )
    return [folder / f"{prefix}_{folder.name}_{number:05d}.pickle" for number in range(1, len(frames) + 1)]


def _kept_names(frames: Sequence[FrameRef], folder: Path) -> list[Path]:
    top = Path(os.path.commonpath([str(Path(frame.path).parent) for frame in frames])) if frames else Path()
    paths = []
    for frame in frames:
        path = Path(frame.path)
        number = "" if frame.index is None else f"_{frame.index + 1:05d}"
        paths.append(folder / path.relative_to(top).with_name(f"{path.stem}{number}.pickle"))
    if len(set(paths)) < len(paths):
        raise UsageError(
            "Some images in one folder have names that differ only in their extension; use rename_pickle=auto_filename."
        )
    return paths


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in a container
        return "iota"
