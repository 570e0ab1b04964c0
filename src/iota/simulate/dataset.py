"""Writes a data set: a folder of simulated frames and the files with the truth."""

from __future__ import annotations

import json
import multiprocessing
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from iota.atomic_files import atomic_file
from iota.errors import UsageError
from iota.simulate import cbf
from iota.simulate.experiment import Experiment
from iota.simulate.frames import prepare, simulate_frame
from iota.simulate.nexus import DATA, NexusWriter, compress_frame
from iota.simulate.truth import (
    FRAMES_FILE,
    GEOMETRY_FILE,
    TRUTH_FILE,
    FrameTruth,
    frame_line,
    write_experiment_truth,
    write_geometry,
    write_intensities,
)

FORMATS = ("cbf", "nxs")


@dataclass(frozen=True)
class Dataset:
    """What :func:`write_dataset` wrote: number of frames by kind, and of frames with several lattices."""

    folder: Path
    n_frames: int
    kinds: dict[str, int]
    n_multi: int


def write_dataset(
    folder: Path,
    experiment: Experiment,
    n_frames: int,
    *,
    file_format: str = "cbf",
    nproc: int = 1,
    force: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> Dataset:
    """Write ``n_frames`` frames and their truth into ``folder``; the result does not depend on ``nproc``.

    ``cbf`` gives a file a frame, ``nxs`` one file. ``progress`` is called with the number of frames done. A folder that
    is not empty is refused unless ``force``, which deletes earlier simulated files in it and leaves others alone.
    """
    _check(experiment, n_frames, file_format, nproc)
    prepared = prepare(experiment)  # before the folder is touched: it may refuse the cell
    _make_room(folder, force)
    name = experiment.crystals[0].name
    for crystal, reflections in zip(experiment.crystals, prepared.reflections, strict=True):
        write_intensities(folder, crystal.name, reflections)
    pattern = f"{name}_#####.cbf" if file_format == "cbf" else f"{name}_1.nxs"
    write_experiment_truth(folder, experiment, n_frames, pattern)
    if experiment.stated_detector != experiment.detector:
        write_geometry(folder, experiment, DATA if file_format == "nxs" else None)
    kinds: Counter[str] = Counter()
    n_multi = 0
    with ExitStack() as stack:
        lines = stack.enter_context(stack.enter_context(atomic_file(folder / FRAMES_FILE)).open("w", encoding="utf-8"))
        nexus = None
        if file_format == "nxs":
            part = stack.enter_context(atomic_file(folder / pattern))
            nexus = stack.enter_context(NexusWriter(part, prepared, n_frames))
        work = partial(_make_cbf, experiment, folder, name) if nexus is None else partial(_make_chunk, experiment)
        for done, (truth, chunk) in enumerate(_in_processes(work, n_frames, nproc), start=1):
            file, index_in_file = (f"{name}_{done:05d}.cbf", 0) if nexus is None else (pattern, done - 1)
            if nexus is not None:
                nexus.write_chunk(done - 1, chunk)
            lines.write(frame_line(truth, file, index_in_file))
            kinds[truth.kind] += 1
            n_multi += len(truth.lattices) > 1
            progress(done)
    return Dataset(folder, n_frames, dict(kinds), n_multi)


def _check(experiment: Experiment, n_frames: int, file_format: str, nproc: int) -> None:
    if n_frames < 1 or nproc < 1:
        raise UsageError(f"{n_frames} frames with {nproc} processes cannot be made; both need to be 1 or more.")
    if file_format not in FORMATS:
        raise UsageError(f"There is no format named {file_format}. Known are {', '.join(FORMATS)}.")
    last_mm = experiment.detector_at(n_frames - 1).distance_mm
    if not last_mm > 0:
        raise UsageError(
            f"The detector drifts to a distance of {last_mm:g} mm, which is not positive. Give a smaller drift."
        )
    if file_format == "cbf":
        cbf.check_writable(experiment)
    names = [crystal.name for crystal in experiment.crystals]
    if len(set(names)) < len(names):
        raise UsageError(f"Two crystal forms have the same name ({', '.join(names)}). Give each its own.")


def _make_room(folder: Path, force: bool) -> None:
    """Create ``folder``, or clear earlier simulated files from it when ``force``."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file. Give a folder that does not exist or is empty.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        present = sorted(folder.iterdir())
        if present and not force:
            raise UsageError(
                f"{folder} is not empty ({len(present)} entries, such as {present[0].name}). Give another folder, or"
                " add --force to replace simulated frames in it."
            )
        _remove_simulated(folder)
    except OSError as error:
        raise UsageError(
            f"Cannot write into {folder}: {error.strerror}. Give a folder that you may write to."
        ) from error


def _remove_simulated(folder: Path) -> None:
    """Delete the files of an earlier simulation that are named in its ``truth.json``, and nothing else."""
    try:
        truth = json.loads((folder / TRUTH_FILE).read_text(encoding="utf-8"))
        names = [truth["files"].replace("#####", f"{number:05d}") for number in range(1, truth["n_frames"] + 1)]
        names += [truth["frame_list"], *truth["intensities"].values(), GEOMETRY_FILE, TRUTH_FILE]
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return
    for name in names:
        (folder / Path(name).name).unlink(missing_ok=True)


def _make_cbf(experiment: Experiment, folder: Path, name: str, index: int) -> tuple[FrameTruth, bytes]:
    counts, truth = simulate_frame(experiment, index)
    cbf.write_cbf(folder / f"{name}_{index + 1:05d}.cbf", counts, experiment)
    return truth, b""


def _make_chunk(experiment: Experiment, index: int) -> tuple[FrameTruth, bytes]:
    counts, truth = simulate_frame(experiment, index)
    return truth, compress_frame(counts)


def _in_processes(
    work: Callable[[int], tuple[FrameTruth, bytes]], n_frames: int, nproc: int
) -> Iterator[tuple[FrameTruth, bytes]]:
    """Results in the order of the frames."""
    if nproc == 1 or n_frames == 1:
        yield from map(work, range(n_frames))
        return
    # Forked processes start with everything prepared; where there is no fork each prepares for itself.
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else None
    with multiprocessing.get_context(method).Pool(min(nproc, n_frames), _leave_signals_to_the_first) as pool:
        yield from pool.imap(work, range(n_frames))


def _leave_signals_to_the_first() -> None:
    """Ignore interrupts, which reach all processes of a terminal: the first one ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # whatever the first one does with it, which a fork inherits
