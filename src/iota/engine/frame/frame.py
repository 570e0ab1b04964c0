"""Processes one frame: import, spots, triage (blank or not), indexing, refinement, integration, filter."""

from __future__ import annotations

import contextlib
import os
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from dials.command_line.stills_process import Processor
from dxtbx.model.experiment_list import ExperimentList

from iota.causes import Cause, Outcome, Why, why
from iota.engine.backend import parameters as backend
from iota.engine.backend.sentences import why_stopped
from iota.engine.frame.engine import Engine
from iota.engine.frame.files import FrameFiles
from iota.engine.frame.process_memory import is_out_of_memory
from iota.engine.images.image import import_frame, import_models, read_pixels
from iota.engine.images.reading import ImportFailedError
from iota.engine.spots.in_memory import forget_mask
from iota.engine.spots.unindexed import with_unindexed
from iota.engine.stills import still_indexer
from iota.engine.stills.indexing import EXPLAINS_AS_WELL, Indexed, corrections, index
from iota.engine.stills.lattice import describe_lattices, spots_d_min_A
from iota.engine.stills.still_profile import still_profiles
from iota.inputs.watching.seen import identity_of
from iota.records import FileId, FrameResult, Lattice, Scouted, Screened, Settings, Task


class Failure(NamedTuple):
    """Where a frame ended, and why.

    What outlasts an ``except`` is this and not the exception, which holds the frame's image by its traceback, and in
    a variable of a function that it went through would be a cycle: the image would stay until Python looks for such.
    """

    outcome: Outcome
    why: Why


class FrameFailedError(Exception):
    """The frame ends here, with an outcome and a cause."""

    def __init__(self, outcome: Outcome, why: Why) -> None:
        super().__init__(str(why))
        self.failure = Failure(outcome, why)

    @property
    def outcome(self) -> Outcome:
        """The outcome of the frame."""
        return self.failure.outcome

    @property
    def why(self) -> Why:
        """The cause."""
        return self.failure.why


_WRITING_STAGES = ("integration", "filter")


class FrameWork:
    """A frame being processed: its record so far, and the stages. As a context manager, it releases the pixels."""

    def __init__(self, engine: Engine, task: Task) -> None:
        self.engine = engine
        self.result = FrameResult(frame=task.frame, name=task.name, outcome="failed_import")
        self.settings: Sequence[Settings] = task.settings or (Settings("given"),)
        self.files = FrameFiles(engine.run_folder, task.name, engine.scratch)
        self.experiments = ExperimentList()
        self.spots: Any = None
        self.pixels: Any = None  # as they were read, when they are kept

    def __enter__(self) -> FrameWork:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release the pixels: DIALS leaves reference cycles that hold the image set until Python's collector runs."""
        self.pixels = None
        for experiment in self.experiments:
            experiment.imageset.clear_cache()
            forget_mask(experiment.imageset)

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage; whatever DIALS raises in it ends the frame with the outcome ``failed_<name>``.

        A run folder that cannot be written is no fault of the frame: it raises RunFolderError, which ends the run.
        Want of memory, whatever DIALS made of it, is raised as MemoryError: the frame can go no other way.
        """
        start = time.perf_counter()
        try:
            yield
        except FrameFailedError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise MemoryError from error
            if isinstance(error, ImportFailedError):
                raise FrameFailedError("failed_import", error.why) from error
            if name in _WRITING_STAGES:
                self.files.check_room()
            traceback.clear_frames(error.__traceback__)  # DIALS keeps errors in variables: cycles, with the image
            raise FrameFailedError(f"failed_{name}", why_stopped(error, name)) from error  # type: ignore[arg-type]
        finally:
            spent = self.result.seconds.get(name, 0.0) + time.perf_counter() - start
            self.result.seconds[name] = round(spent, 4)

    def find_spots(self) -> None:
        """Import, spot finding and triage: the stages that do not depend on how the frame is indexed."""
        params, finder = self.engine.shared_params, self.engine.spot_finder
        file = self._file()
        with self.stage("import"):
            words = (self.result.frame, params, self.files.link, self.engine.reference_detector)
            if finder is None:
                self.experiments = import_frame(*words)
            else:
                self.experiments = import_models(*words, self.engine.opened_file)
                self.pixels = read_pixels(self.experiments[0].imageset)
            StepProcessor(params).pre_process(self.experiments)
        if file == self._file():  # else another was renamed to this meanwhile: which was read is not known
            self.result.file = file
        with self.stage("spotfinding"):
            self.engine.check_masks(self.experiments[0].detector)
            if finder is not None:
                self.spots = finder.find(self.experiments, self.pixels)
            if self.spots is None:
                self.spots = StepProcessor(self.engine.params()).find_spots(self.experiments)
            self.result.n_spots = len(self.spots)
            self.result.spots_d_min_A = spots_d_min_A(self.spots, self.experiments)
        try:
            self.triage(self.spots)
        except FrameFailedError as failure:
            if self.engine.grid is None or failure.outcome == "too_many_spots":
                raise
            self._find_more_spots(self.engine.grid.most_sensitive.phil)

    def _file(self) -> FileId | None:
        """The file that has the frame's name now, in monitor mode, where it may be renamed at any time."""
        frame = self.result.frame
        if not self.engine.files_grow or frame.index is not None:
            return None
        try:
            return identity_of(os.stat(frame.path))[1]  # noqa: PTH116 - as the watcher has it
        except (OSError, ValueError):
            return None

    def _find_more_spots(self, phil: str) -> None:
        """Try again to find enough spots, with more sensitive settings."""
        self.spots = self.spots_with(phil)
        self.result.n_spots = len(self.spots)
        self.result.spots_d_min_A = spots_d_min_A(self.spots, self.experiments)
        self.triage(self.spots)

    def spots_with(self, phil: str) -> Any:
        """Spots of the imported frame, found with additional backend parameters."""
        with self.stage("spotfinding"):
            finder = self.engine.finder(phil)
            spots = None if finder is None else finder.find(self.experiments, self.pixels)
            if spots is None:
                spots = StepProcessor(self.engine.params(Settings("", phil))).find_spots(self.experiments)
        return spots

    def triage(self, spots: Any) -> None:
        """Discard the frame if it has too few spots, or more than allowed."""
        hit_finder = self.engine.shared_params.dispatch.hit_finder
        n_spots, least, most = len(spots), 1, None
        if hit_finder.enable:
            least, most = hit_finder.minimum_number_of_reflections, hit_finder.maximum_number_of_reflections
        if n_spots < least:
            raise FrameFailedError("failed_triage", why(Cause.TOO_FEW_SPOTS, n_spots=n_spots, minimum=least))
        if most is not None and n_spots > most:
            raise FrameFailedError("too_many_spots", why(Cause.TOO_MANY_SPOTS, n_spots=n_spots, maximum=most))

    def index(self, settings: Settings, spots: Any = None) -> Indexed:
        """Find the lattices of the frame with one group of settings, from its own spots or others."""
        params = self.engine.params(settings)
        changed = backend.changed(self.engine.target, settings.phil)
        fast = self.engine.accelerate and still_indexer.supports(params, changed)
        with self.stage("indexing"):
            return index(
                still_indexer.index_still if fast else _index_with_dials,
                params,
                self.experiments,
                self.spots if spots is None else spots,
                settings,
            )

    def correct(self, found: Indexed, spots: Any = None) -> Indexed:
        """Index again without a multiple of the cell and with its symmetry, where that explains the spots as well.

        A lattice that explains no more of the spots than chance does is refused.
        """
        indexing = self.engine.params(found.settings).indexing
        n_spots = len(self.spots if spots is None else spots)
        if found.may_be_chance(n_spots, indexing.index_assignment.simple.hkl_tolerance):
            no_better = why(Cause.NO_BETTER_THAN_CHANCE, n_indexed=found.n_indexed, n_spots=n_spots)
            raise FrameFailedError("failed_indexing", no_better)
        known = indexing.known_symmetry
        if known.unit_cell is not None:
            return found
        space_group = None if known.space_group is None else str(known.space_group)
        for settings in corrections(found, space_group, self.engine.find_symmetry):
            try:
                better = self.index(settings, spots)
            except FrameFailedError as failure:
                self.result.attempts.append(f"{settings.label}: {failure.why}")
            else:
                if better.n_indexed >= EXPLAINS_AS_WELL * found.n_indexed:
                    return better
        if found.multiple > 1:
            found.label += f" ({found.multiple}-fold supercell)"
        return found

    def integrate(self, indexed: Indexed, objection: Callable[[Lattice], Why | None] | None = None) -> list[Lattice]:
        """Refine, integrate and filter the indexed lattices; write their files and describe them.

        A lattice to which ``objection`` says something is dropped, as by the filter of the run.
        """
        processor = StepProcessor(self.engine.params(indexed.settings))
        with self.stage("refinement"):
            experiments, reflections = processor.refine(indexed.experiments, indexed.reflections)
        with self.stage("integration"):
            self.files.direct(processor.params)
            with self._quick_integration(experiments):
                integrated = processor.integrate(experiments, reflections)
            experiments = self.files.read_integrated_experiments()
        with self.stage("filter"):
            lattices = describe_lattices(experiments, integrated, reflections, self.engine.strong_sigma)
            kept = self._filter(lattices, objection)
            spots = with_unindexed(reflections, self.spots, self.experiments)
            self.result.files = self.files.keep_integrated(experiments, integrated, spots, lattices, kept)
            if self.engine.pictures is not None:
                from iota.engine.frame.pictures import Drawn, draw  # matplotlib takes 0.5 s, and is wanted now and then

                drawn = Drawn(
                    name=self.result.name,
                    imported=self.experiments,
                    experiments=experiments,
                    integrated=integrated,
                    indexed=reflections,
                    before=indexed.reflections,
                    lattices=lattices,
                )
                draw(self.engine.pictures, drawn, self.engine.run_folder / "visualization")
        return [lattices[k] for k in kept]

    @contextlib.contextmanager
    def _quick_integration(self, experiments: Any) -> Iterator[None]:
        """Integrate from pixels in memory, with fast predictions and masks, if the parameters allow it."""
        if self.engine.spot_finder is None:
            yield
            return
        with self.engine.spot_finder.in_memory(experiments[0].imageset, self.pixels) as imageset:
            for experiment in experiments:
                experiment.imageset = imageset
            with still_profiles():
                yield

    def _filter(self, lattices: list[Lattice], objection: Callable[[Lattice], Why | None] | None) -> list[int]:
        objections = [None if objection is None else objection(lattice) for lattice in lattices]
        if self.engine.lattice_filter is not None:
            filtered = [self.engine.lattice_filter.objection(lattice) for lattice in lattices]
            objections = [one or other for one, other in zip(objections, filtered, strict=True)]
        kept = [k for k, objection in enumerate(objections) if objection is None]
        if not kept and objections[0] is not None:
            raise FrameFailedError("failed_filter", objections[0])
        return kept

    def finish(self, failure: Failure | None) -> FrameResult:
        """Complete the record."""
        if failure is None:
            self.result.outcome = "integrated"
        else:
            self.result.outcome = failure.outcome
            self.result.explain(failure.why)
            if self.spots is not None and failure.outcome != "failed_triage":
                self._keep_spots()
        self.result.finished = round(time.time(), 3)
        return self.result

    def _keep_spots(self) -> None:
        try:
            self.result.files = self.files.keep_spots(self.experiments, self.spots)
        except Exception:
            self.files.check_room()
            raise


class StepProcessor(Processor):  # type: ignore[misc]  # DIALS has no annotations
    """DIALS' processor, used step by step, without its constructor, which only prepares output."""

    def __init__(self, params: Any) -> None:
        self.params = params
        self.tag = None
        self.idxr = self.idxr_known_crystal_models = None  # newer versions keep indexers from frame to frame
        self.idxr_method_list = dict.fromkeys(params.indexing.stills.method_list or ())


def _index_with_dials(params: Any, experiments: Any, spots: Any) -> tuple[Any, Any]:
    return StepProcessor(params).index(experiments, spots)  # type: ignore[no-any-return]


def process(work: FrameWork) -> FrameResult:
    """Process a frame completely, with the first of the task's settings that succeeds."""
    farthest: Failure | None = None
    try:
        work.find_spots()
        for settings in work.settings:
            try:
                indexed = work.correct(work.index(settings))
                work.result.settings = indexed.label
                work.result.lattices = work.integrate(indexed)
                return work.finish(None)
            except FrameFailedError as failure:
                work.result.attempts.append(f"{settings.label}: {failure.why}")
                farthest = _farther(farthest, failure.failure)
                if failure.outcome == "failed_filter":
                    break
    except FrameFailedError as failure:
        farthest = failure.failure
    return work.finish(farthest)


_STAGES = ("failed_indexing", "failed_refinement", "failed_integration", "failed_filter")


def _farther(first: Failure | None, second: Failure) -> Failure:
    if first is None or _STAGES.index(second.outcome) > _STAGES.index(first.outcome):
        return second
    return first


def screen(work: FrameWork) -> Screened | FrameResult:
    """Determine whether a frame is to be indexed; if not, the frame is finished."""
    try:
        work.find_spots()
    except FrameFailedError as failure:
        return work.finish(failure.failure)
    return Screened(frame=work.result.frame, name=work.result.name, n_spots=len(work.spots))


def scout(work: FrameWork) -> Scouted:
    """Index a frame with one group of settings, only to determine its lattice."""
    label = work.settings[0].label
    try:
        work.find_spots()
        found = work.index(work.settings[0])
    except FrameFailedError as failure:
        return Scouted(frame=work.result.frame, name=work.result.name, settings=label, reason=str(failure.why))
    return Scouted(
        frame=work.result.frame,
        name=work.result.name,
        settings=label,
        unit_cell=found.primitive_cell,
        multiple=found.multiple,
        n_indexed=found.n_indexed,
        rmsd_px=found.rmsd_px,
    )
