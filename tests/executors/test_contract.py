"""What is handed to task code and to the runner is what the core promises; mypy reads this file, too."""

from __future__ import annotations

import threading

from jobdeck.core.tasks import Progressed, Run, TaskMessage
from jobdeck.executors.context import TaskContext
from jobdeck.executors.testing import request


def test_the_context_is_a_run() -> None:
    said: list[TaskMessage] = []
    context = TaskContext(request(failures=2, cursor=5), said.append, threading.Event())
    run: Run = context
    assert (run.job, run.attempt, run.epoch, run.step, run.task, run.key) == (7, 1, 3, "echo", 0, "0")
    assert (run.failures, run.cursor, run.should_stop) == (2, 5, False)


def test_progress_that_was_held_back_follows_by_itself() -> None:
    arrived = threading.Event()
    said: list[TaskMessage] = []

    def send(message: TaskMessage) -> None:
        said.append(message)
        if message == Progressed(2):
            arrived.set()

    context = TaskContext(request(), send, threading.Event())
    context.progress(1)
    context.progress(2)
    assert arrived.wait(10)
    context.close()
    assert said == [Progressed(1), Progressed(2)]
