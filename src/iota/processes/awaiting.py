"""Questions asked by tasks: the event loop continues while a process answers; cancelling the task ends the process."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

from iota.processes.protocol import Tell
from iota.processes.question import Answer, AnsweringProcess, Asked, Question

_REAPED_WITHIN_S = 3.0


async def ask(question: Question[Asked, Answer], asked: Asked, progress: Tell | None = None) -> Answer:
    """Get the answer to a question from a new process, as :meth:`iota.processes.question.Question.ask`.

    Raises:
        NoAnswerError: there is no answer.
    """
    return (await ask_process(AnsweringProcess(question), asked, progress, is_last=True))[0]


async def ask_process(
    process: AnsweringProcess[Asked, Answer], asked: Asked, progress: Tell | None = None, *, is_last: bool = False
) -> tuple[Answer, bytes]:
    """Ask a process, as :meth:`iota.processes.question.AnsweringProcess.ask`; with ``is_last`` end it then.

    Raises:
        NoAnswerError: there is no answer.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[tuple[Answer, bytes]] = loop.create_future()
    answer.add_done_callback(lambda done: done.exception())  # which nobody may wait for any more

    def tell(n: float) -> None:
        if progress is not None:
            loop.call_soon_threadsafe(progress, n)

    def work() -> None:
        try:
            try:
                found = process.wait_for(asked, tell)
            finally:
                if is_last:
                    process.end()
        except Exception as error:  # noqa: BLE001 - handed on to the task
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(answer.set_exception, error)
        else:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(answer.set_result, found)

    process.start()
    threading.Thread(target=work, daemon=True, name="question").start()
    try:
        return await asyncio.shield(answer)
    except asyncio.CancelledError:
        process.kill()
        await asyncio.wait([answer], timeout=_REAPED_WITHIN_S)
        raise
