"""Questions that nobody may want answered any more."""

from __future__ import annotations

from typing import Any

from iota.processes.question import Answer, AnsweringProcess, Asked, NoAnswerError, Question


class StoppableQuestions:
    """Asks one question at a time in a thread, until another thread stops it."""

    def __init__(self) -> None:
        self._process: AnsweringProcess[Any, Any] | None = None
        self.is_stopped = False

    def ask(self, question: Question[Asked, Answer], asked: Asked) -> Answer:
        """Get the answer from a new process.

        Raises:
            NoAnswerError: there is no answer, or nobody wants it any more.
        """
        self._process = process = AnsweringProcess(question)
        try:
            if self.is_stopped:
                raise NoAnswerError("Nobody waits for the answer any more.")
            return process.ask(asked)[0]
        finally:
            self._process = None
            process.end()

    def stop(self) -> None:
        """Kill the process that is being asked; nothing is asked any more."""
        self.is_stopped = True
        if (process := self._process) is not None:
            process.kill()
