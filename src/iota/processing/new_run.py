"""Sets up a new run folder: scripts, list of images, mask, gain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from iota.engine.frame import questions
from iota.engine.preparation.prepared import sample_frames
from iota.errors import UsageError
from iota.inputs import Inputs, find_frames
from iota.inputs.crystfel.geometry import self_contained
from iota.params import Parameters, script_text
from iota.runs import RunFolder
from iota.runs.lists import write_input_list
from iota.workers import dials


def write_new_run(
    folder: RunFolder,
    parameters: Parameters,
    inputs: Inputs,
    command_line: Sequence[str],
    versions: dict[str, str],
) -> None:
    """Write the scripts and the list of images of a new run, with values determined once from its images.

    Raises:
        UsageError: a mask does not fit the images, or shadow or gain cannot be determined from them.
    """
    image_import = parameters.values.image_import
    if image_import.crystfel_geometry:
        image_import.crystfel_geometry = _kept_geometry(folder, image_import.crystfel_geometry)
    first = inputs.frames
    if parameters.values.gui.monitor_mode:  # what is there already tells shapes, shadow and gain
        first = find_frames(parameters.inputs, geometry=image_import.crystfel_geometry).frames
    prepared = dials.ask(questions.prepare, parameters, sample_frames(first), folder.path)
    parameters.remarks.extend(prepared.remarks)
    if prepared.gain is not None:
        image_import.gain, image_import.estimate_gain = prepared.gain, False
    folder.write_text(folder.target, prepared.target)
    parameters.values.cctbx_xfel.target = str(folder.target)
    folder.write_text(folder.script, script_text(parameters))
    folder.write_text(folder.log, "".join(f"{remark}\n" for remark in parameters.remarks))
    folder.write_info(command_line, versions)
    write_input_list(folder, inputs.frames)


def _kept_geometry(folder: RunFolder, path: str) -> str:
    """Copy a CrystFEL geometry into the run folder, so that later changes to the file do not affect the run."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"The CrystFEL geometry {path} cannot be read: {error.strerror}.") from error
    folder.write_text(folder.crystfel_geometry, self_contained(text, Path(path).parent))
    return str(folder.crystfel_geometry)
