"""Tasks in threads of the worker, for job types that declare themselves light: no start-up cost, and no way to kill."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

from jobdeck.core.outcome import Failed, Lost, Outcome, Stopped
from jobdeck.core.tasks import TaskMessage, TaskRequest
from jobdeck.executors.context import TaskContext, printed
from jobdeck.executors.harness import perform, timed_out
from jobdeck.executors.host import HOST
from jobdeck.executors.machine.shortage import Shortage, is_shortage
from jobdeck.executors.mailbox import Mailbox

PARTING_SECONDS = 2.0
"""Seconds that code in threads has to return when the executor closes; after that it is left to itself."""
_UNSTOPPABLE = "It runs in a thread, so nothing can stop it: it ends when its code returns, or with its worker."


class StopWish:
    """Set when a stop was asked for, or when the worker's leases no longer hold."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self.deadline: float | None = None

    def set(self) -> None:
        self._asked.set()

    def is_set(self) -> bool:
        return self._asked.is_set() or (self.deadline is not None and time.monotonic() >= self.deadline)


class ThreadTask:
    """A `TaskRun`. To kill it is to ask it to stop and wait: nothing else ends a thread. Its log is told so."""

    def __init__(self, request: TaskRequest) -> None:
        self.wish = StopWish()
        self._request = request
        self._mailbox = Mailbox()
        self._loop = asyncio.get_running_loop()
        self._outcome: asyncio.Future[Outcome] = self._loop.create_future()
        self._timer = request.timeout and self._loop.call_later(request.timeout, self._too_long)
        self._late = False

    @property
    def host(self) -> str:
        return f"{HOST}:{threading.get_native_id()}"

    def messages(self) -> AsyncIterator[TaskMessage]:
        return self._mailbox.read()

    async def outcome(self) -> Outcome:
        return await asyncio.shield(self._outcome)

    def stop(self) -> None:
        self.wish.set()

    async def kill(self) -> None:
        self.wish.set()
        if not self._outcome.done():
            self._tell("The task was asked to stop and has not stopped.")
        await self.outcome()

    def abandon(self) -> None:
        """Nobody waits for it any more; its thread may go on until the process ends."""
        self.finish(Lost("it runs in a thread, whose code did not return"))

    def run(self, then: Callable[[ThreadTask], Any]) -> None:
        """In the thread: do the task, then have `then` called in the event loop."""
        context = TaskContext(self._request, self._say, self.wish)
        outcome = perform(self._request, context)
        context.close()
        self._in_loop(self._finish, outcome)
        self._in_loop(then, self)

    def finish(self, outcome: Outcome) -> None:
        self._mailbox.close()
        if self._timer:
            self._timer.cancel()
        if not self._outcome.done():
            self._outcome.set_result(outcome)

    def _finish(self, outcome: Outcome) -> None:
        late = self._late and isinstance(outcome, Stopped)
        self.finish(Failed(timed_out(self._request)) if late else outcome)

    def _say(self, message: TaskMessage) -> None:
        self._in_loop(self._mailbox.put, message)

    def _too_long(self) -> None:
        self._late = True
        self.wish.set()
        self._tell(f"The task has run longer than its timeout of {self._request.timeout or 0:g} seconds.")

    def _tell(self, what: str) -> None:
        for line in printed(f"{what} {_UNSTOPPABLE}", "warning"):
            self._mailbox.put(line)

    def _in_loop(self, function: Callable[[Any], Any], argument: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody listens any more
            self._loop.call_soon_threadsafe(function, argument)


class _Hand:
    """A thread that does one thing after the other; making a new one for each would hold up the event loop."""

    def __init__(self) -> None:
        self._things: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        threading.Thread(target=self._live, name="jobdeck-task", daemon=True).start()

    def do(self, thing: Callable[[], None]) -> None:
        self._things.put(thing)

    def rest(self) -> None:
        """End, once everything is done."""
        self._things.put(None)

    def _live(self) -> None:
        while thing := self._things.get():
            thing()
            del thing  # it holds all that a task knew


class ThreadExecutor:
    """Runs up to `size` tasks at once in threads of this process, from one event loop; `extend` from any thread."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError("A pool of threads has at least one place.")
        self._places = asyncio.Semaphore(size)
        self._running: dict[ThreadTask, _Hand | None] = {}
        self._idle: list[_Hand] = []
        self._closed = False
        self._shortage = Shortage()

    async def start(self, request: TaskRequest) -> ThreadTask:
        """Start a task when there is a free place, first come, first served."""
        await self._places.acquire()
        task = ThreadTask(request)
        if self._closed:
            self._places.release()
            task.finish(Stopped(killed=True))
            return task
        self._running[task] = None
        try:
            hand = await self._take()
        except BaseException as error:
            task.finish(Stopped(killed=True) if isinstance(error, asyncio.CancelledError) else Lost(str(error)))
            self._ended(task)
            raise
        self._running[task] = hand
        hand.do(partial(task.run, self._ended))
        return task

    async def _take(self) -> _Hand:
        """A thread; while the system has none to give, it waits."""
        while True:
            if self._idle:
                return self._idle.pop()
            try:
                hand = _Hand()
            except RuntimeError as error:
                if not is_shortage(error):
                    raise
                await self._shortage.wait(error)
            else:
                self._shortage.over()
                return hand

    @property
    def shortage(self) -> str | None:
        return self._shortage.what

    def extend(self, deadline: float) -> None:
        for task in list(self._running):
            task.wish.deadline = deadline

    async def aclose(self) -> None:
        """Ask what runs to stop; what does not return in time is left to itself, and ends with the process."""
        self._closed = True
        ending = [asyncio.ensure_future(task.kill()) for task in self._running]
        if ending:
            await asyncio.wait(ending, timeout=PARTING_SECONDS)
        for task in list(self._running):
            task.abandon()
        await asyncio.gather(*ending)
        for hand in self._idle:
            hand.rest()
        self._idle.clear()

    def _ended(self, task: ThreadTask) -> None:
        hand = self._running.pop(task)
        self._places.release()
        if hand is None:
            return
        if self._closed:
            hand.rest()
        else:
            self._idle.append(hand)
