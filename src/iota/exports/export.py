"""``iota.export`` step by step: selects frames and lattices, writes the files and a record of them."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import msgspec

import iota
from iota.analysis.cells.consensus import Consensus
from iota.analysis.cells.fitting import reason_to_exclude
from iota.analysis.summary import SummaryBuilder
from iota.engine.backend.installation import dials_version
from iota.engine.exports.composite import Composite
from iota.engine.exports.crystfel_stream import event
from iota.engine.exports.given_geometry import GivenGeometry
from iota.engine.exports.integrated_frame import read_frame
from iota.errors import BackendError, IotaError, RunFolderError, UsageError
from iota.exports.record import Export, ExportedFile
from iota.exports.stream import ExportedFrame, StreamWriter
from iota.params.exporting import EXPORT
from iota.records import NOT_HITS, FrameRef, FrameResult
from iota.runs import RunFolder, iterate_ledger
from iota.runs.folder import new_staging_folder, publish_folder
from iota.runs.lists import read_list
from iota.runs.state import is_at_work, read_state

_BATCH = 500  # frames, between two signs of life

Step = Callable[[str], AbstractContextManager[None]]


def export_run(run: RunFolder, values: Any, step: Step) -> tuple[Export, Path]:
    """Export a run into ``export/NNN`` of its folder.

    Args:
        run: folder of the run.
        values: parameters, see :mod:`iota.params.exporting`.
        step: shows what is being done.

    Returns:
        What was written, and the folder it is in.

    Raises:
        UsageError: nothing is integrated, or no format is wanted.
        BackendError: nothing of what is integrated can be read.
        RunFolderError: the folder cannot be written.
    """
    formats = list(values.format)
    if not formats:
        raise UsageError("No format was chosen. export.format accepts dials, crystfel and lists, joined by +.")
    only = set(read_list(Path(values.frames))) if values.frames else None
    consensus = _consensus(run, only)
    if consensus is None:
        of = f" of the images in {values.frames}" if values.frames else ""
        raise UsageError(f"Nothing{of} is integrated in {run.path}, so there is nothing to export.")
    export = Export(
        run=str(run.path),
        started=time.time(),
        versions={"iota": iota.__version__},
        formats=formats,
        space_group=consensus.space_group,
        unit_cell=consensus.unit_cell,
    )
    if is_at_work(read_state(run.state)):
        export.remarks.append(
            "The run is still in progress: the export contains the images that were finished when it was written."
        )
    frames = list(_wanted_frames(run, only, values, consensus, export))
    if not any(frame.lattices for frame in frames):
        why = ", ".join(f"{number} {reason}" for reason, number in export.left_out.items())
        raise UsageError(f"No lattice is left to export: {why}.")
    folder = _new_folder(run)  # takes its number when all is in it: others take what they find for whole
    try:
        (folder / "export.phil").write_text(EXPORT.text(values), encoding="utf-8")
        _write(run, folder, sorted(frames), values, export, step)
        export.files = [
            ExportedFile(path.name, _what(path, export.n_chunks), path.stat().st_size)
            for path in sorted(folder.iterdir())
            if path.name != "export.phil"
        ]
        text = msgspec.json.format(msgspec.json.encode(export), indent=1).decode() + "\n"
        run.write_text(folder / "export.json", text)
        return export, publish_folder(folder)
    except (OSError, RuntimeError, IotaError, KeyboardInterrupt) as error:
        shutil.rmtree(folder, ignore_errors=True)  # half a hand-over could be taken for a whole one
        if isinstance(error, (OSError, RuntimeError)):
            why = getattr(error, "strerror", None) or str(error)
            raise RunFolderError(
                f"{folder.parent} cannot be written: {why}. The incomplete export was removed."
            ) from error
        raise


def _consensus(run: RunFolder, only: set[FrameRef] | None) -> Consensus | None:
    builder = SummaryBuilder(0)
    for result in iterate_ledger(run.ledger):
        if only is None or result.frame in only:
            builder.add(result)
    return builder.summary().consensus


def _wanted_frames(
    run: RunFolder, only: set[FrameRef] | None, values: Any, consensus: Consensus, export: Export
) -> Iterator[ExportedFrame]:
    """Frames to be written, in the order of the ledger; counts lattices that are excluded."""
    left_out: Counter[str] = Counter()
    tolerance = values.uc_tolerance if values.lattices == "consensus" else None
    for result in iterate_ledger(run.ledger):
        if only is not None and result.frame not in only:
            continue
        numbers: tuple[int, ...] = ()
        if result.outcome == "integrated":
            reasons = [reason_to_exclude(result, lattice, consensus, tolerance) for lattice in result.lattices]
            left_out.update(reason for reason in reasons if reason)
            numbers = tuple(k for k, reason in enumerate(reasons) if not reason)
        is_hit = result.outcome not in NOT_HITS
        if numbers or _is_only_in_stream(result, is_hit, values):
            spots = result.files.get("indexed" if numbers else "strong", "")
            files = (result.files.get("experiments", ""), result.files.get("reflections", ""), spots)
            yield ExportedFrame(result.frame, result.name, numbers, files, is_hit)
    export.left_out = dict(left_out)


def _is_only_in_stream(result: FrameResult, is_hit: bool, values: Any) -> bool:
    if "crystfel" not in values.format or result.outcome == "integrated":
        return False
    if is_hit:
        return values.chunks != "integrated" and "experiments" in result.files
    return bool(values.chunks == "all" and result.outcome in ("failed_triage", "too_many_spots", "failed_spotfinding"))


def _new_folder(run: RunFolder) -> Path:
    above = run.path / "export"
    try:
        return new_staging_folder(above)
    except OSError as error:
        raise RunFolderError(f"No folder can be created in {above}: {error.strerror}.") from error


def _write(
    run: RunFolder, folder: Path, frames: Sequence[ExportedFrame], values: Any, export: Export, step: Step
) -> None:
    """Go through the frames once and write all formats."""
    export.versions["DIALS"] = dials_version()
    composite = Composite(folder, values.lattices_per_file) if "dials" in values.format else None
    unreadable: list[str] = []
    written: list[FrameRef] = []
    given = GivenGeometry.of_run(run)
    with ExitStack() as open_files:
        stream = StreamWriter(folder, export, open_files, given) if "crystfel" in values.format else None
        for first in range(0, len(frames), _BATCH):
            batch = frames[first : first + _BATCH]
            with step(f"Writing images {first + 1} to {first + len(batch)} of {len(frames)}"):
                for frame in batch:
                    expt, refl, spots = (run.path / name if name else None for name in frame.files)
                    data = None
                    if expt is not None:
                        try:
                            data = read_frame(expt, refl, spots, frame.lattices)
                        except BackendError as error:
                            unreadable.append(str(error))
                            continue
                    if stream is not None:
                        stream.add(frame, data)
                    if data is None or not frame.lattices:
                        continue
                    written.append(frame.ref)
                    export.n_lattices += len(frame.lattices)
                    if composite is not None:
                        for k, experiment, table in zip(frame.lattices, data.experiments, data.tables, strict=True):
                            composite.add(f"{frame.name}:{k + 1}", experiment, table)
        if composite is not None:
            with step("Writing composite files"):
                composite.flush()
    if not written:
        raise BackendError(unreadable[0])
    if unreadable:
        images = "1 image" if len(unreadable) == 1 else f"{len(unreadable)} images"
        export.remarks.append(f"{images} excluded, because their files cannot be read: {unreadable[0]}")
    export.n_frames = len(written)
    export.n_chunks = stream.n_chunks if stream is not None else 0
    if "lists" in values.format:
        _write_lists(folder, written, given)


def _write_lists(folder: Path, frames: Sequence[FrameRef], given: GivenGeometry | None) -> None:

    named = event if given is None else given.event
    texts = {
        "integrated.lst": (str(frame) for frame in frames),
        "crystfel.lst": (frame.path if frame.index is None else f"{frame.path} {named(frame)}" for frame in frames),
    }
    for name, lines in texts.items():
        with (folder / name).open("w", encoding="utf-8", errors="surrogateescape") as file:
            file.writelines(f"{line}\n" for line in lines)


_WHATS = {
    "run.geom": "CrystFEL geometry",
    "run.cell": "CrystFEL unit cell",
    "integrated.lst": "integrated images, for iota.run and iota.merge",
    "crystfel.lst": "integrated images, for CrystFEL",
    ".expt": "DIALS experiments",
    ".refl": "integrated reflections, for DIALS",
}


def _what(path: Path, n_chunks: int) -> str:
    if path.suffix == ".stream":
        return f"CrystFEL stream of {n_chunks} images"
    return _WHATS.get(path.name) or _WHATS[path.suffix]
