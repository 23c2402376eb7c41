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


class StopRequest(IntEnum):
    """In the order of their force: a stronger one replaces a weaker one, never the other way round."""

    NOTHING = 0
    HAND_BACK = 1
    PAUSE = 2
    CANCEL = 3
    DIE = 4
    """The lease is lost: kill, and record nothing."""


_GRACES = {StopRequest.HAND_BACK: HAND_BACK_GRACE, StopRequest.PAUSE: PAUSE_GRACE, StopRequest.DIE: 0.0}
"""Seconds; that of a cancel is the job type's."""


_REASONS = {
    StopRequest.NOTHING: "another task of its step failed",
    StopRequest.HAND_BACK: "its worker ends",
    StopRequest.PAUSE: "the job is to pause",
    StopRequest.CANCEL: "the job is to be canceled",
}


class StopControl:
    """The tasks that are alive, and what was asked. Whoever asks tells all of them, now and when new ones come."""

    def __init__(self, cancel_grace: float) -> None:
        self._cancel_grace = cancel_grace
        self._longest = float("inf")
        self._giving_up = False
        self._alive: dict[TaskRun, StopRequest] = {}
        self._killers: set[asyncio.Task[None]] = set()
        self._killed: dict[TaskRun, str] = {}
        self.asked = StopRequest.NOTHING
        self.changed = asyncio.Event()

    def ask(self, what: StopRequest) -> None:
        if what is StopRequest.HAND_BACK:
            # Whatever was asked before: the worker goes, and no grace is longer than its own.
            self._longest = HAND_BACK_GRACE
        elif what <= self.asked:
            return
        self.asked = max(self.asked, what)
        self.changed.set()
        for run, heeded in self._alive.items():
            if self.asked >= heeded:
                self._stop(run, self._grace(self.asked))

    def add(self, run: TaskRun, heeded: StopRequest = StopRequest.HAND_BACK) -> None:
        """A task is alive; it is told what is asked, unless that is weaker than `heeded`."""
        self._alive[run] = heeded
        if self.asked >= heeded:
            self._stop(run, self._grace(self.asked))
        elif self._giving_up:
            self._stop(run, self._cancel_grace)

    def drop(self, run: TaskRun) -> None:
        self._alive.pop(run, None)
        self._killed.pop(run, None)

    def why_killed(self, run: TaskRun) -> str | None:
        """For people, until it is dropped; None: it was not killed, or nothing is recorded of it any more."""
        return self._killed.get(run)

    def stop_all(self) -> None:
        """Ask the tasks to stop without an order from outside, now and when new ones come: one failed for good."""
        self._giving_up = True
        for run in self._alive:
            self._stop(run, self._cancel_grace)

    def _grace(self, what: StopRequest) -> float:
        return self._cancel_grace if what is StopRequest.CANCEL else _GRACES[what]

    def _stop(self, run: TaskRun, grace: float) -> None:
        run.stop()
        killer = asyncio.create_task(self._kill_after(run, min(grace, self._longest)))
        self._killers.add(killer)
        killer.add_done_callback(self._killers.discard)

    async def _kill_after(self, run: TaskRun, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if run in self._alive:
            log.info("task_killed", host=run.host, after=seconds)
            if self.asked is not StopRequest.DIE:
                asked = f"asked to stop, because {_REASONS[self.asked]}, and had not stopped after {seconds:g} s"
                self._killed[run] = f"{asked}: it was killed"
            await run.kill()
