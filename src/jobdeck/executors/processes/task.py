"""One task in a child process, as the runner sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from jobdeck.core.outcome import Outcome, Stopped
from jobdeck.core.tasks import TaskMessage
from jobdeck.executors.host import HOST
from jobdeck.executors.mailbox import Mailbox
from jobdeck.executors.processes.ends import End, KillAsked, TaskAnswered


class ProcessTask:
    """A `TaskRun`. The first `End` that is named decides; who runs the pool then sees to it that it comes true."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.pid = 0
        self.mailbox = Mailbox()
        self.said: Outcome | None = None
        """What the task itself answered, if it did."""
        self.stop_wanted = asyncio.Event()
        loop = asyncio.get_running_loop()
        self.end: asyncio.Future[End] = loop.create_future()
        self._outcome: asyncio.Future[Outcome] = loop.create_future()

    @property
    def host(self) -> str:
        return f"{HOST}:{self.pid}"

    def messages(self) -> AsyncIterator[TaskMessage]:
        return self.mailbox.read()

    async def outcome(self) -> Outcome:
        return await asyncio.shield(self._outcome)

    def stop(self) -> None:
        self.stop_wanted.set()

    async def kill(self) -> None:
        self.ended_by(KillAsked())
        await self.outcome()

    def ended_by(self, end: End) -> None:
        if isinstance(end, TaskAnswered) and self.said is None:
            self.said = end.outcome
        if not self.end.done():
            self.end.set_result(end)

    def finish(self, outcome: Outcome) -> None:
        """Its process is dead or idle, and everything it said has been heard."""
        self.mailbox.close()
        if not self._outcome.done():
            self._outcome.set_result(outcome)


def never_started() -> ProcessTask:
    """A task asked for while the executor was closing."""
    task = ProcessTask(0)
    task.finish(Stopped(killed=True))
    return task
