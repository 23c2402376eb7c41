"""What is asked of a job while it runs, and how its tasks are brought to an end: politely, then by force."""

from __future__ import annotations

import asyncio
from enum import IntEnum

import structlog

from jobdeck.core.tasks import TaskRun

log = structlog.get_logger(__name__)

PAUSE_GRACE = 60.0
"""Seconds a task may take to its next checkpoint before a pause stops it by force; it goes on from the one before."""

HAND_BACK_GRACE = 8.0


class Ask(IntEnum):
    """In the order of their force: a stronger one replaces a weaker one, never the other way round."""

    NOTHING = 0
    HAND_BACK = 1
    PAUSE = 2
    CANCEL = 3
    DIE = 4
    """The lease is lost: kill, and record nothing."""


class Brakes:
    """The tasks that are alive, and what was asked. Whoever asks tells all of them, now and when new ones come."""

    def __init__(self, cancel_grace: float) -> None:
        self._grace = {Ask.HAND_BACK: HAND_BACK_GRACE, Ask.PAUSE: PAUSE_GRACE, Ask.CANCEL: cancel_grace, Ask.DIE: 0.0}
        self._alive: set[TaskRun] = set()
        self._killers: set[asyncio.Task[None]] = set()
        self.asked = Ask.NOTHING
        self.changed = asyncio.Event()

    def ask(self, what: Ask) -> None:
        if what <= self.asked:
            return
        self.asked = what
        self.changed.set()
        for run in self._alive:
            self._brake(run)

    def add(self, run: TaskRun) -> None:
        self._alive.add(run)
        if self.asked is not Ask.NOTHING:
            self._brake(run)

    def drop(self, run: TaskRun) -> None:
        self._alive.discard(run)

    def stop_all(self) -> None:
        """Ask the tasks that are alive to stop, without an order from outside: one of them failed for good."""
        for run in self._alive:
            self._brake(run, self._grace[Ask.CANCEL])

    def _brake(self, run: TaskRun, grace: float | None = None) -> None:
        run.stop()
        killer = asyncio.create_task(self._kill_after(run, self._grace[self.asked] if grace is None else grace))
        self._killers.add(killer)
        killer.add_done_callback(self._killers.discard)

    async def _kill_after(self, run: TaskRun, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if run in self._alive:
            log.info("task_killed", host=run.host, after=seconds)
            await run.kill()
