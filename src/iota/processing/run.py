"""Runs the whole processing: folder, workers, coordinator, conclusion."""

from __future__ import annotations

import contextlib
import logging
import shutil
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from iota.analysis.revision_texts import revision_note
from iota.analysis.summary import Summary
from iota.atomic_files import remove_unfinished
from iota.crystallography.cells import cell_text
from iota.engine.frame import questions
from iota.engine.frame.config import EngineConfig
from iota.errors import RunFolderError
from iota.inputs import Inputs
from iota.params import Parameters, read, script_text
from iota.processing.conclusion import Conclusion, conclude
from iota.processing.coordinator import Coordinator
from iota.processing.determination import DeterminationRules
from iota.processing.display import Display
from iota.processing.feed import watch_feed
from iota.processing.finished_frames import first_hits, read_finished_frames
from iota.processing.folder_identity import FolderIdentity
from iota.processing.from_parameters import check_can_watch, engine_config, scratch_folder, strategy
from iota.processing.geometry.live import LiveGeometry
from iota.processing.geometry.rules import geometry_rules, read_drift_of
from iota.processing.interfaces import GeometryToRevise
from iota.processing.new_run import write_new_run
from iota.processing.optimise import WithMore
from iota.processing.optimised_target import optimised_target
from iota.processing.run_log import RunLog, log_line
from iota.records import NOT_HITS, OUTCOMES, FrameRef, FrameResult, Outcome, Settings
from iota.runs import FrameNames, Ledger, RunFolder, RunState, iterate_ledger
from iota.runs.control import clear_orders, read_order
from iota.runs.determination import Determination, DeterminedLattice, read_determination, write_determination
from iota.runs.folder import cannot_write
from iota.runs.geometry_diagnosis import write_diagnosis, write_drift
from iota.runs.geometry_revisions import GeometryRevisions, Revision, read_revisions_in_use, write_revisions
from iota.runs.ledger import remove_records
from iota.runs.lists import append_input_list, read_input_list, with_recorded, write_input_list
from iota.runs.lock import RunLock
from iota.runs.process import own_mark
from iota.runs.state import BatchJob, Status, read_state
from iota.runs.withdrawn import WithdrawnRecords, undo_unfinished, withdraw
from iota.workers import dials
from iota.workers.executors import RunWorkers, make_workers
from iota.workers.protocol import Workers
from iota.workers.submit import submit, submitted_job

logger = logging.getLogger(__name__)

_STATE_EVERY_S = 1.0
_LAST_STEP = "checking the geometry"  # what takes longest of the conclusion


class Run:
    """One run.  Make it, then :meth:`execute` it once."""

    def __init__(self, folder: RunFolder, parameters: Parameters, frames: Sequence[FrameRef]) -> None:
        self.folder = folder
        self.frames = list(frames)
        self._names = FrameNames()
        self.target = folder.target.read_text(encoding="utf-8")
        self.parameters = parameters
        self._values: Any = parameters.values
        self._counted: Counter[Outcome] = Counter()
        self.n_unreadable = 0  # lines of the ledger of a run that is resumed; their frames are processed again
        self.n_again = 0  # frames that are processed again although they had a record
        self._remarked: set[str] = set()  # remarks that were shown
        self._outcomes: dict[FrameRef, Outcome] = {}
        self._files_read: set[int] = set()  # keys of files that records of a run that is resumed were made of
        self._before: Mapping[FrameRef, FrameResult] = {}  # records of hits with the geometry before, if it was revised
        self._moved: set[FrameRef] = set()  # frames that were moved before they were read, and have other names now
        self._determination = Determination()
        self._made: RunWorkers | None = None  # workers of this run's own, which may be in jobs
        self._lock = RunLock(folder)
        self._state = RunState(status="running", n_frames=len(frames), process=own_mark())
        self._last_state = 0.0
        self._identity = FolderIdentity(folder)
        self._conclusion: Conclusion | None = None
        self._stop_revising: Callable[[], None] = lambda: None

    @classmethod
    def create(
        cls,
        folder: RunFolder,
        parameters: Parameters,
        inputs: Inputs,
        command_line: Sequence[str],
        versions: dict[str, str],
    ) -> Run:
        """Write the files from which a new run starts: scripts, input list, state.

        The scripts repeat the run when they are given back: what the command line changed is in them.

        Raises:
            UsageError: a mask does not fit the images, or what is to be found from them cannot be.
        """
        write_new_run(folder, parameters, inputs, command_line, versions)
        return cls(folder, parameters, inputs.frames)

    @classmethod
    def resume(
        cls,
        folder: RunFolder,
        *,
        watch: bool = False,
        retry: Collection[Outcome] = (),
        tell: Callable[[str], None] = lambda _: None,
    ) -> Run:
        """Resume a run that was stopped or killed: records in its ledger are kept, the other frames are processed.

        Args:
            folder: of the run.
            watch: look for new images in its inputs from now on; also for a run that is finished.
            retry: outcomes of frames that are to be processed again; their records are removed from the ledger.
            tell: is told what takes some seconds.

        Raises:
            UsageError: the run takes a selection of its images, so there are no new ones.
            RunFolderError: the folder does not hold what is needed, or another coordinator has the run.
        """
        run = cls(folder, read([folder.script]), read_input_list(folder))
        run._lock.acquire(tell)  # what is read now must stay true
        undo_unfinished(folder)
        if watch:
            check_can_watch(run._values)
            run._values.gui.monitor_mode = True
            folder.write_text(folder.script, script_text(run.parameters))
        run._restore(retry)
        run._determination = read_determination(folder)
        return run

    def _restore(self, retry: Collection[Outcome]) -> None:
        """Take over the contents of the ledger, except for frames that are to be processed again."""
        self.n_again = self._remove(retry)
        finished = read_finished_frames(self.folder, self._names, files=self._values.gui.monitor_mode)
        self._outcomes, self._counted = finished.outcomes, Counter(finished.outcomes.values())
        self._remarked, self._files_read = finished.remarks, finished.files_read
        self.n_unreadable = finished.n_unreadable
        self.frames = with_recorded(self.frames, self._outcomes)
        self._state.n_frames = len(self.frames)
        if self.n_again:
            self._write_state()

    def _remove(self, outcomes: Collection[Outcome]) -> int:
        """Remove the records with some outcomes from the ledger; returns how many."""
        if not any(result.outcome in outcomes for result in iterate_ledger(self.folder.ledger)):
            return 0
        self._state.status, self._state.reason = "aborted", "Stopped before failed images were processed again."
        self._write_state()  # first: a run whose frames have no record is not finished
        return remove_records(self.folder.ledger, outcomes)

    @property
    def n_finished(self) -> int:
        """Number of frames that have a record."""
        return len(self._outcomes)

    def execute(self, display: Display, workers: Workers | None = None) -> Summary:
        """Process all frames, then write lists and summary, whatever happened.

        Args:
            display: what a person sees.
            workers: who does the work; None for those that the parameters ask for.

        Raises:
            RunFolderError: the folder cannot be written any more; what was finished is kept.
            KeyboardInterrupt: a person stopped the run; what was finished is kept.
        """
        config = engine_config(self._values, self.target, self.folder)
        dials.ask(questions.check_engine, config)  # a wrong mask or geometry is found here, before any frame
        scratch = scratch_folder(self._values, self.folder)
        try:
            scratch.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFolderError(cannot_write(scratch, error)) from error
        with self._lock:
            return self._execute(display, config, workers)

    def _execute(self, display: Display, config: EngineConfig, workers: Workers | None) -> Summary:
        self._display: Display = display
        self._geometry = LiveGeometry(self.folder, display.note)
        self._log = RunLog(self.folder.log)
        self._log.attach()
        try:
            clear_orders(self.folder)
            remove_unfinished(self.folder.path)
            self._state.status, self._state.reason = self._status_at_work, ""
            self._state.write(self.folder.state)
            with Ledger(self.folder.ledger) as self._ledger:
                self._identity.take()
                if workers is None:
                    self._made = workers = make_workers(self._values.mp, config)
                try:
                    settings, rules = strategy(self._values, self.target)
                    self._names.add(self.frames)
                    winner = self._optimised(workers, settings, rules)
                    dials.no_more_questions()
                    files, arrived = self._files_read, self._arrived
                    feed = watch_feed(self.parameters, self.frames, self._outcomes, files, arrived, self._is_to_finish)
                    Coordinator(
                        self.frames,
                        self._names.__getitem__,
                        WithMore(workers, winner) if winner else workers,
                        self,
                        settings,
                        rules,
                        self._determination,
                        dict(self._outcomes),
                        feed,
                        self._values.gui.monitor_mode_newest_first,
                        self._geometry_to_revise(settings),
                    ).run()
                finally:
                    workers.stop()
                    self._geometry.stop()
                    self._stop_revising()
                    if not self._lock.is_lost and not self._identity.moved_away():  # of frames that were not finished
                        shutil.rmtree(scratch_folder(self._values, self.folder), ignore_errors=True)
            self._lock.check()
            self._tell_last_step()
            self._state.status = "finished"
        except KeyboardInterrupt:
            self._state.status, self._state.reason = "aborted", "Stopped by the user or by the batch system."
            raise
        except Exception as error:
            moved_away = self._identity.moved_away()
            self._state.status, self._state.reason = "failed", moved_away or str(error)
            logger.error("%s", self._state.reason)
            if moved_away:
                raise RunFolderError(moved_away) from error
            raise
        finally:
            if not self._lock.is_lost:
                self._end()
            self._log.detach()
        return self.summary()

    def submit(self) -> BatchJob:
        """Submit the run as a job, as specified by ``mp.submit_command``.

        Raises:
            UsageError: the command fails.
            RunFolderError: the folder cannot be written.
        """
        with self._lock:  # and let go of it: the job may begin at once
            self._state.status = "queued"
            self._write_state()
        job = submit(self._values.mp, self.folder.path)
        state = read_state(self.folder.state)
        if state.status == "queued":  # it may have begun already, and then writes the state itself
            state.jobs = [job]
            state.write(self.folder.state)
        return job

    def log(self, text: str) -> None:
        """Write to the log for users, after the run."""
        with contextlib.suppress(OSError), self.folder.log.open("a", encoding="utf-8") as file:
            file.write(text + "\n")

    def summary(self) -> Summary:
        """The final summary; only counts if it could not be computed."""
        return self.conclusion.summary

    @property
    def counts(self) -> dict[Outcome, int]:
        """Finished frames by outcome, in the order of the stages."""
        return {outcome: self._counted[outcome] for outcome in OUTCOMES if self._counted[outcome]}

    @property
    def conclusion(self) -> Conclusion:
        """The final results of the run."""
        if self._conclusion is not None:
            return self._conclusion
        summary = Summary(n_frames=self._n_frames, counts=self.counts)
        return Conclusion(summary=summary, viewer=self._values.gui.image_viewer)

    @property
    def lattices(self) -> list[DeterminedLattice]:
        """Lattices that were determined."""
        return self._determination.lattices

    @property
    def _status_at_work(self) -> Status:
        return "watching" if self._values.gui.monitor_mode else "running"

    def _optimised(self, workers: Workers, settings: tuple[Settings, ...], rules: DeterminationRules | None) -> str:
        """Find the best settings, if requested; returns the parameters that they add to the target."""

        def tick(doing: str) -> None:
            self._lock.check()
            if read_order(self.folder) == "stop":
                raise KeyboardInterrupt
            self._state.doing = doing
            self._display.progress(0, len(self.frames), 0, {}, doing)
            self._write_state()

        found = optimised_target(self.folder, self._values, self.target, self.frames, workers, settings, rules, tick)
        if found is None:
            return ""
        self.target, optimisation = found
        self._display.note(optimisation.sentence())
        return optimisation.phil

    def _geometry_to_revise(self, settings: tuple[Settings, ...]) -> GeometryToRevise | None:
        """How the geometry is revised, and what was done before the run was resumed."""
        rules = geometry_rules(self._values, self.target, self.folder, settings, lambda: self.frames)
        if rules is None:
            return None
        self._stop_revising = rules.stop
        revisions = read_revisions_in_use(self.folder)
        if revisions.in_use is not None:
            self._before = WithdrawnRecords(self.folder.path / revisions.in_use.frames_before)
        return GeometryToRevise(rules, revisions, first_hits(self.folder, self._outcomes), self._before)

    def _is_to_finish(self) -> bool:
        """Whether the end of monitor mode was ordered."""
        return read_order(self.folder) == "finish"

    def _arrived(self, frames: Sequence[FrameRef], moved: Sequence[FrameResult] = ()) -> None:
        """Add frames to the run before they are processed; those of ``moved`` have other names now."""
        append_input_list(self.folder, frames, [result.frame for result in moved])
        for result in moved:
            self._moved.add(result.frame)
            for file in result.files.values():
                (self.folder.path / file).unlink(missing_ok=True)
        self._names.add(frames)
        self.frames.extend(frame for frame in frames if frame not in self._moved)
        self._moved.difference_update(frames)
        self._state.n_frames = self._n_frames

    @property
    def _n_frames(self) -> int:
        return len(self.frames) - len(self._moved)

    # -- the coordinator tells

    def finished(self, result: FrameResult) -> None:
        """Receive the record of a frame.

        Raises:
            LostRunError: another process works on the run.
        """
        self._lock.check()
        self._ledger.append(result)
        self._remove_files_before(result)
        self._outcomes[result.frame] = result.outcome
        self._counted[result.outcome] += 1
        self._log.line(log_line(result))
        for sentence in result.remarks:
            if sentence not in self._remarked:
                self._remarked.add(sentence)
                logger.info("%s", sentence)
                self._display.note(sentence)

    def _remove_files_before(self, result: FrameResult) -> None:
        """Remove files of a frame that it had with the geometry before and does not have now."""
        before = self._before.get(result.frame)
        for file in set() if before is None else _files_of(before) - _files_of(result):
            (self.folder.path / file).unlink(missing_ok=True)

    def determined(self, determination: Determination) -> None:
        """Store a determined lattice, for resuming the run, and report a new one."""
        self._determination = determination
        write_determination(self.folder, determination)
        if determination.over:
            return
        lattice = determination.lattices[-1]
        logger.info(
            "Lattice %d determined from %d of %d frames: %s, unit cell %s. It is used for all frames.",
            lattice.number,
            len(lattice.agreeing),
            lattice.n_scouted,
            lattice.space_group,
            cell_text(lattice.unit_cell),
        )
        self._display.determined(lattice)

    def revised(self, revisions: GeometryRevisions, new: Revision | None) -> Mapping[FrameRef, FrameResult]:
        """Store the geometries tried so far and report a new one; if it is better, withdraw the records of all hits.

        Raises:
            RunFolderError: the folder cannot be written.
        """
        if new is not None:
            logger.info("%s %s", new.finding, new.sentence)
            self._display.note(revision_note(new))
            if new.proof.is_better:
                self._withdraw_hits(new)
        write_revisions(self.folder, revisions)  # from now on it counts
        if new is not None and new.proof.is_better and new.method == "drift":
            write_drift(self.folder, read_drift_of(self.folder, new))
        return self._before

    def _withdraw_hits(self, new: Revision) -> None:
        """Take the records of all hits out of the ledger; the frames are processed again with a new geometry."""
        is_drift = new.method == "drift"
        try:
            self._before = withdraw(
                self.folder, self._ledger, new, lambda x: x.outcome not in NOT_HITS, lattices=not is_drift
            )
        finally:
            self._identity.take()  # the ledger is another file now
        for frame in self._before:
            self._counted[self._outcomes.pop(frame)] -= 1
        self._geometry.restart()
        write_diagnosis(self.folder, None)
        if not is_drift:
            write_drift(self.folder, None)
            self._determination = Determination()

    def tick(self, doing: str, n_waiting: int) -> None:
        """Called regularly; updates the state and the display.

        Raises:
            KeyboardInterrupt: somebody has ordered the run to stop.
            LostRunError: another process works on the run.
        """
        self._lock.check()
        if read_order(self.folder) == "stop":
            raise KeyboardInterrupt
        self._state.doing, self._state.n_waiting = doing, n_waiting
        self._display.progress(len(self._outcomes), self._n_frames, n_waiting, self.counts, doing)
        self._geometry.look(self._counted["integrated"], self.frames)
        if time.monotonic() - self._last_state >= _STATE_EVERY_S:
            self._last_state = time.monotonic()
            if moved_away := self._identity.moved_away():
                raise RunFolderError(moved_away)
            self._write_state()

    def _write_state(self) -> None:
        self._state.n_finished = len(self._outcomes)
        self._state.counts = self.counts
        self._state.jobs = self._jobs()
        self._state.write(self.folder.state)

    def _jobs(self) -> list[BatchJob]:
        """The job of this run, and those of its workers."""
        jobs = [] if self._made is None else self._made.jobs()
        whole = submitted_job(self.folder.path)
        if whole is not None:
            whole.state = "running" if self._state.status in ("running", "watching") else "ended"
            jobs.insert(0, whole)
        return jobs

    def _tell_last_step(self) -> None:
        """Say what is done after the last frame."""
        self._state.doing, self._state.n_waiting = _LAST_STEP, 0
        self._write_state()

    def _end(self) -> None:
        self._state.doing, self._state.n_waiting = "", 0
        self._display.progress(len(self._outcomes), self._n_frames, 0, self.counts, _LAST_STEP)
        if self._identity.moved_away():
            return
        try:
            self._forget_moved()
            self._conclusion = conclude(
                self.folder,
                self.parameters,
                self.frames,
                self._outcomes,
                checks_geometry=self._state.status != "aborted",  # who stops a run does not want to wait
            )
            self._write_state()
        except RunFolderError as error:
            if self._state.status == "finished":
                raise
            logger.error("%s", error)  # the first error is the one to report

    def _forget_moved(self) -> None:
        """Remove frames from the list of the run that have other names now."""
        if self._moved:
            self.frames = [frame for frame in self.frames if frame not in self._moved]
            self._moved.clear()
            write_input_list(self.folder, self.frames)


def _files_of(result: FrameResult) -> set[str]:
    """Paths relative to the run folder."""
    return {*result.files.values()}.union(*(lattice.files.values() for lattice in result.lattices))
