"""An executor (core.tasks.Executor) whose tasks are scripts in virtual time, and the truth about which are alive."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator
from random import Random
from typing import Protocol

from jobdeck.core.errors import ErrorInfo
from jobdeck.core.outcome import Failed, Lost, Outcome, Stopped, Succeeded
from jobdeck.core.tasks import UNDO, Checkpointed, Progressed, TaskMessage, TaskRequest, Touched, Warned
from tests.simulation.scripts import Script, StepScript
from tests.simulation.virtual_time import CURRENT, Machine, VirtualLoop


class Witness(Protocol):
    """Sees what tasks do."""

    def task_started(self, run: SimulatedRun) -> None: ...
    def task_undone(self, run: SimulatedRun) -> None: ...
    def task_ended(self, run: SimulatedRun) -> None: ...


class Life:
    """What is remembered of tasks beyond the processes that ran them."""

    def __init__(self) -> None:
        self.serials = itertools.count(1)
        self.deaths: dict[tuple[int, int, int], int] = {}
        self.undo_failures: dict[int, int] = {}


class SimulatedRun:
    """A task under way (core.tasks.TaskRun); `serial` counts all tasks of the world."""

    def __init__(self, executor: SimulatedExecutor, request: TaskRequest, serial: int) -> None:
        self.executor = executor
        self.request = request
        self.serial = serial
        self.born = asyncio.get_running_loop().time()
        self.alive = True
        self.asked = False
        self.fenced_since: float | None = None
        self._said: deque[TaskMessage] = deque()
        self._news = asyncio.Event()
        self._outcome: Outcome | None = None
        self._life: asyncio.Task[None] | None = None

    def __hash__(self) -> int:
        return self.serial

    def __repr__(self) -> str:
        r = self.request
        place = f"attempt {r.attempt}, epoch {r.epoch}, {r.step}[{r.index}]"
        return f"task {self.serial} of job {r.job} ({place}) on {self.machine}"

    @property
    def machine(self) -> Machine:
        return self.executor.machine

    @property
    def light(self) -> bool:
        return self.request.isolation == "thread"

    @property
    def host(self) -> str:
        return f"{self.machine.name}:{self.serial}:{self.request.epoch}"

    # What the worker sees.

    def messages(self) -> AsyncIterator[TaskMessage]:
        return self

    def __aiter__(self) -> SimulatedRun:
        return self

    async def __anext__(self) -> TaskMessage:
        while not self._said:
            if self._outcome is not None:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._said.popleft()

    async def outcome(self) -> Outcome:
        while self._outcome is None:
            self._news.clear()
            await self._news.wait()
        return self._outcome

    def stop(self) -> None:
        self.asked = True

    async def kill(self) -> None:
        if self.light:
            self.asked = True
            await self.outcome()
            return
        if self.alive:
            await asyncio.sleep(self.executor.random.random() * 0.2)
        self.end(Stopped(killed=True))

    # What the task does.

    def begin(self, loop: VirtualLoop) -> None:
        """A task process runs on its own, even while its worker is frozen; a thread is part of its worker."""
        if self.light:
            self._life = loop.create_task(self._live())
        else:
            self._life = self.executor.beside.run(loop.create_task, self._live())

    def end(self, outcome: Outcome) -> None:
        if not self.alive:
            return
        self.alive = False
        self._outcome = outcome
        self.executor.ended(self)
        self._news.set()
        if self._life is not None and asyncio.current_task() is not self._life:
            self._life.cancel()

    def say(self, message: TaskMessage) -> None:
        self._said.append(message)
        self._news.set()

    async def _live(self) -> None:
        try:
            await self._work()
        except asyncio.CancelledError:
            self.end(Lost("the world ended"))

    async def _work(self) -> None:
        if self.request.method == UNDO:
            await asyncio.sleep(0.1 + self.executor.random.random())
            self.end(self._undone())
            return
        script = Script.model_validate(self.request.params).steps[self.request.step_index]
        first = self.request.cursor["n"] if isinstance(self.request.cursor, dict) else 0
        assert isinstance(first, int)
        for n in range(first, script.units):
            await asyncio.sleep(script.pace)
            if self._stops(script):
                self.end(Stopped())
                return
            self.say(Progressed(n + 1, script.units, "units"))
            if script.checkpoints:
                self.say(Checkpointed({"n": n + 1, "epoch": self.request.epoch}))
            if n == script.units // 2 and self._dies(script):
                self.end(Lost("killed by signal 9"))
                return
        self.end(self._done(script))

    def _stops(self, script: StepScript) -> bool:
        return self.asked and not script.deaf

    def _dies(self, script: StepScript) -> bool:
        r, deaths = self.request, self.executor.life.deaths
        key = (r.job, r.step_index, r.index)
        deaths[key] = deaths.get(key, 0) + 1
        return deaths[key] <= script.dies

    def _undone(self) -> Outcome:
        failures = self.executor.life.undo_failures
        failures[self.request.job] = failures.get(self.request.job, 0) + 1
        if failures[self.request.job] <= Script.model_validate(self.request.params).undo_fails:
            return Failed(ErrorInfo("undo_broke", "It could not be removed."))
        self.executor.witness.task_undone(self)
        return Succeeded()

    def _done(self, script: StepScript) -> Outcome:
        if self.request.failures < script.fails:
            return Failed(ErrorInfo("scripted", "The script says so.", retryable=not script.fatal))
        self.say(Touched("output", f"object/{self.request.key}", rows=script.units))
        if self.executor.random.random() < 0.1:
            self.say(Warned("careful"))
        return Succeeded([self.request.epoch, self.request.index])


class SimulatedExecutor:
    """The executor of one worker. When the deadline of its leases passes, whatever is in processes dies by itself.

    As with real processes, what is started after that lives until a newer deadline passes."""

    def __init__(self, loop: VirtualLoop, witness: Witness, life: Life, random: Random, size: int) -> None:
        machine = CURRENT.get()
        assert machine is not None
        self.machine = machine
        self.beside = machine.context.copy()
        self.beside.run(CURRENT.set, None)
        self.life = life
        self.random = random
        self.deadline: float | None = None
        self._loop = loop
        self.witness = witness
        self._places = asyncio.Semaphore(size)
        self._running: dict[int, SimulatedRun] = {}
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def busy(self) -> bool:
        return bool(self._running)

    async def start(self, request: TaskRequest) -> SimulatedRun:
        await self._places.acquire()
        try:
            await asyncio.sleep(self.random.choice((0.0, 0.0, 0.01, 0.1)))
        except BaseException:
            self._places.release()
            raise
        run = SimulatedRun(self, request, next(self.life.serials))
        self._running[run.serial] = run
        self.witness.task_started(run)
        run.begin(self._loop)
        return run

    @property
    def shortage(self) -> str | None:
        return None

    def extend(self, deadline: float) -> None:
        self.deadline = deadline
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._loop.call_at(deadline, self._expire, context=self.beside)

    def _expire(self) -> None:
        self.die("the lease ran out")

    def die(self, why: str) -> None:
        """The processes die; threads cannot."""
        for run in list(self._running.values()):
            if not run.light:
                run.end(Lost(why))

    def die_with_worker(self) -> None:
        """The worker was killed: its threads are gone at once, its processes are found out within a moment."""
        for run in list(self._running.values()):
            if run.light:
                run.end(Lost("the worker died"))
        delay = self.random.choice((0.0, 0.01, 0.5, 30.0))
        at = min(self._loop.time() + delay, self.deadline or self._loop.time())
        self._loop.call_at(at, self.die, "the worker died", context=self.beside)

    def ended(self, run: SimulatedRun) -> None:
        del self._running[run.serial]
        self._places.release()
        self.witness.task_ended(run)

    async def aclose(self) -> None:
        while self._running:
            await next(iter(self._running.values())).kill()
