"""Checks the geometry of a run in progress: in the background, when 25, 100, 400 ... frames are integrated."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Sequence

from iota.analysis.summary import summary_of
from iota.analysis.table.table import RunTable
from iota.errors import RunFolderError
from iota.processes.question import NoAnswerError
from iota.processes.stoppable import StoppableQuestions
from iota.processing.geometry.checks import GeometryChecks, is_drift_in_use
from iota.records import FrameRef
from iota.runs import RunFolder
from iota.runs.geometry_diagnosis import write_diagnosis, write_drift

FIRST_CHECK = 25  # integrated frames; each further check is made at four times as many
_FIRST_DRIFT = 200  # integrated frames: so many tell a drift
_MOST_FOR_DRIFT = 400  # frames: the end of the run takes more of them
_CELLS = 500  # that are compared for the consensus
_KILL_AGAIN_S = 0.1  # the process may just be starting

logger = logging.getLogger(__name__)


class LiveGeometry:
    """Checks a run in a thread, which asks processes of its own; results are in the run folder.

    As the numbers of frames grow fourfold, all checks take little longer than the last one.
    """

    def __init__(self, folder: RunFolder, tell: Callable[[str], None]) -> None:
        """Prepare.

        Args:
            folder: of the run.
            tell: is told each sentence on what is wrong, from :meth:`look`.
        """
        self._folder, self._tell = folder, tell
        self._due = FIRST_CHECK
        self._thread: threading.Thread | None = None
        self._questions = StoppableQuestions()
        self._found: list[str] = []  # sentences of the last check
        self._told: set[str] = set()  # without their numbers

    @property
    def is_checking(self) -> bool:
        """Whether a check is in progress."""
        return self._thread is not None and self._thread.is_alive()

    def look(self, n_integrated: int, frames: Sequence[FrameRef]) -> None:
        """Begin a check if one is due, and tell what the last one found; returns at once.

        Args:
            n_integrated: frames that are integrated.
            frames: of the run, in the order of time.
        """
        if self.is_checking:
            return
        if self._thread is not None:
            self._thread = None
            self._tell_found()
        if n_integrated < self._due or self._questions.is_stopped:
            return
        while self._due <= n_integrated:
            self._due *= 4
        self._thread = threading.Thread(
            target=self._check, args=(n_integrated, list(frames)), name="iota-geometry", daemon=True
        )
        self._thread.start()

    def restart(self) -> None:
        """Begin with few frames again, because all are processed again with another geometry.

        The result of a check that is in progress is lost.
        """
        self.stop()
        self._questions = StoppableQuestions()
        self._due = FIRST_CHECK
        self._found, self._told = [], set()

    def stop(self) -> None:
        """End a check that is in progress; its result is lost."""
        self._questions.stop()
        while self.is_checking and self._thread is not None:
            self._questions.stop()
            self._thread.join(_KILL_AGAIN_S)
        self._thread = None

    def _tell_found(self) -> None:
        sentences = {re.sub(r"[\d.]+", "", sentence): sentence for sentence in self._found}
        for words in sentences.keys() - self._told:
            logger.info("Check: %s", sentences[words])
            self._tell(f"Check: {sentences[words]}")
        self._told = set(sentences)  # what is told once more was not found in between

    def _check(self, n_integrated: int, frames: Sequence[FrameRef]) -> None:
        try:
            table = RunTable(self._folder)
            table.update()
            consensus = summary_of(table, len(frames), _CELLS).consensus
            checks = GeometryChecks(self._folder, table, consensus, frames, self._questions.ask)
            diagnosis = checks.diagnosis()
            found = [] if diagnosis is None else [diagnosis.sentence]
            if not self._questions.is_stopped:
                write_diagnosis(self._folder, diagnosis)
            if n_integrated >= _FIRST_DRIFT and not is_drift_in_use(self._folder):
                drift = checks.drift(most=_MOST_FOR_DRIFT)
                found += [] if drift is None else [drift.sentence]
                if not self._questions.is_stopped:
                    write_drift(self._folder, drift)
            self._found = [sentence for sentence in found if sentence]
        except (NoAnswerError, RunFolderError) as error:
            if not self._questions.is_stopped:
                logger.info("The geometry was not checked: %s", error)
