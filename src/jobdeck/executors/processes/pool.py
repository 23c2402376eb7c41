"""A pool of child processes: started when needed, kept warm, replaced after many tasks, killed when told to."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, assert_never

import structlog

from jobdeck.core.outcome import Failed, Lost, Outcome, Stopped
from jobdeck.core.tasks import TaskRequest
from jobdeck.executors.harness import timed_out
from jobdeck.executors.machine.shortage import Shortage, is_shortage
from jobdeck.executors.machine.users import TaskUser
from jobdeck.executors.processes.child import ChildGone, ChildProcess
from jobdeck.executors.processes.ends import Died, End, KillAsked, TaskAnswered, TimedOut
from jobdeck.executors.processes.guard import Guard
from jobdeck.executors.processes.reserve import Reserve
from jobdeck.executors.processes.task import ProcessTask, never_started

log = structlog.get_logger(__name__)

TASKS_PER_PROCESS = 500
PAUSES_TO_START = (0.0, 5.0, 30.0, 30.0)
"""Seconds between the tries to start a process that ends before it has its task; after the last, the task is lost."""


class ProcessExecutor:
    """Runs up to `size` tasks at once, each in a process of its own; `memory_limit` is bytes of data per process,
    `user` whom they run as, if not as this process, `held` descriptors of locks that last until all of them are dead.

    To be used from one event loop, except `extend`, which any thread may call. Start it inside that loop."""

    def __init__(
        self, size: int, *, memory_limit: int | None = None, user: TaskUser | None = None, held: Sequence[int] = ()
    ) -> None:
        if size < 1:
            raise ValueError("A pool of processes has at least one place.")
        self._memory_limit = memory_limit
        self._user = user
        self._places = asyncio.Semaphore(size)
        self._idle: list[ChildProcess] = []
        self._running: set[ProcessTask] = set()
        self._guard = Guard(held)
        self._shortage = Shortage()
        self._reserve = Reserve(size)
        self._size = size
        self._threads = ThreadPoolExecutor(max(2, min(size, 8)), thread_name_prefix="jobdeck-kill")
        self._numbers = itertools.count(1)
        self._chores: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def start(self, request: TaskRequest) -> ProcessTask:
        """Start a task when there is a free place, first come, first served; never raises for what goes wrong."""
        await self._places.acquire()
        try:
            if self._closed:
                self._places.release()
                return never_started()
            task = ProcessTask(next(self._numbers))
            child = await self._begin(task, request)
        except BaseException:
            self._places.release()
            raise
        if child is None:
            self._places.release()
            return task
        self._running.add(task)
        self._do(self._see_through(task, child, request))
        return task

    def extend(self, deadline: float) -> None:
        self._guard.extend(deadline)

    async def aclose(self) -> None:
        self._closed = True
        await asyncio.gather(*(task.kill() for task in list(self._running)))
        idle, self._idle = self._idle, []
        await asyncio.gather(*(child.kill() for child in idle))
        while self._chores:
            await asyncio.gather(*self._chores, return_exceptions=True)
        await self._guard.aclose()
        self._reserve.lend()
        self._threads.shutdown(wait=False)

    # Starting.

    async def _begin(self, task: ProcessTask, request: TaskRequest) -> ChildProcess | None:
        """The process that has the task now; None when none could be had, with the task's outcome set."""
        why = ""
        for pause in (*PAUSES_TO_START, None):
            try:
                child = await self._take()
            except OSError as error:
                if self._closed:
                    task.finish(Stopped(killed=True))
                    return None
                why = f"no process could be started: {error}"
            else:
                gone = await self._hand_over(child, task, request)
                if gone is None:
                    return child
                why = gone
            if pause is None:
                break
            await asyncio.sleep(pause)
        task.finish(Lost(why))
        return None

    async def _hand_over(self, child: ChildProcess, task: ProcessTask, request: TaskRequest) -> str | None:
        """Why the process has not got the task; None when it has."""
        try:
            await child.begin(task, request)
        except ChildGone as error:
            await child.kill()
            return f"{child.obituary()} before it had the task ({error}). {' / '.join(child.last_lines)}".rstrip()
        except BaseException:
            self._do(child.kill())
            raise
        return None

    async def _take(self) -> ChildProcess:
        """A warm process if there is one. While the system has none to give, it waits; raises OSError when something
        else is wrong."""
        while True:
            if self._closed:
                raise OSError("the executor was closed")
            while self._idle:
                child = self._idle.pop()
                if child.usable:
                    return child
                self._do(child.kill())
            try:
                return self._start_one()
            except (OSError, RuntimeError, MemoryError) as error:
                if not is_shortage(error):
                    raise
                await self._shortage.wait(error)

    def _start_one(self) -> ChildProcess:
        self._reserve.lend()
        try:
            child = ChildProcess(self._guard, self._memory_limit, self._threads, self._user)
        finally:
            self._reserve.fill(max(0, self._size - len(self._running) - len(self._idle) - 1))
        self._shortage.over()
        return child

    @property
    def shortage(self) -> str | None:
        return self._shortage.what

    # Ending.

    async def _see_through(self, task: ProcessTask, child: ChildProcess, request: TaskRequest) -> None:
        stopper = asyncio.create_task(_pass_on_stop(task, child))
        timer = _timer(task, request.timeout)
        try:
            end = await task.end
        finally:
            stopper.cancel()
            if timer is not None:
                timer.cancel()
        if isinstance(end, TaskAnswered) and end.clean and child.tasks < TASKS_PER_PROCESS and child.usable:
            child.release()
            self._idle.append(child)
        else:
            if isinstance(end, TaskAnswered) and child.spoiled is not None:
                log.debug("process_replaced", type=request.type, step=request.step, left=child.spoiled)
            await child.kill()
        self._running.discard(task)
        self._places.release()
        task.finish(_outcome(task, end, child, request))

    def _do(self, chore: Coroutine[Any, Any, None]) -> None:
        running = asyncio.create_task(chore)
        self._chores.add(running)
        running.add_done_callback(self._chores.discard)


async def _pass_on_stop(task: ProcessTask, child: ChildProcess) -> None:
    await task.stop_wanted.wait()
    child.ask_to_stop(task.number)


def _timer(task: ProcessTask, seconds: float | None) -> asyncio.TimerHandle | None:
    if seconds is None:
        return None
    return asyncio.get_running_loop().call_later(seconds, task.ended_by, TimedOut())


def _outcome(task: ProcessTask, end: End, child: ChildProcess, request: TaskRequest) -> Outcome:
    """What the task itself said counts, also when it said it in the moment in which it was killed."""
    if task.said is not None:
        return task.said
    match end:
        case TaskAnswered(outcome):
            return outcome
        case KillAsked():
            return Stopped(killed=True)
        case TimedOut():
            return Failed(timed_out(request))
        case Died(why):
            return Lost(why or child.obituary(), outside=child.killed)
    assert_never(end)
