"""An event loop over virtual time: when nothing is ready it jumps to the next timer. Nothing in it waits for real.

Every callback belongs to the machine in whose context it was made. A machine that is dead runs nothing any more, not
even its `finally` blocks; one that is frozen runs what piled up when it is continued."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from enum import Enum
from typing import Any

START = 1000.0


class Fate(Enum):
    ALIVE = 1
    FROZEN = 2
    DEAD = 3


class Machine:
    """An operating system process of the simulated world: what makes its callbacks run, or not."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.fate = Fate.ALIVE
        self.context = copy_context()
        self.context.run(CURRENT.set, self)
        self.steps = 0
        self.trap: tuple[int, Callable[[], None]] | None = None
        self._piled: list[asyncio.Handle] = []

    def admit(self, handle: asyncio.Handle) -> bool:
        """Whether `handle` may run now. Springs the trap that was set for the n-th step of this machine."""
        if self.fate is Fate.ALIVE:
            self.steps += 1
            if self.trap is not None and self.steps >= self.trap[0]:
                spring, self.trap = self.trap[1], None
                spring()
        if self.fate is not Fate.ALIVE:
            self._piled.append(handle)
        return self.fate is Fate.ALIVE

    def after_steps(self, count: int, act: Callable[[], None]) -> None:
        """Let `act` happen between two steps, `count` of them from now: at any await, not only where time passes."""
        self.trap = (self.steps + count, act)

    def thaw(self) -> list[asyncio.Handle]:
        self.fate = Fate.ALIVE
        piled, self._piled = self._piled, []
        return piled

    def __repr__(self) -> str:
        return self.name


CURRENT: ContextVar[Machine | None] = ContextVar("machine", default=None)


class NothingLeft(Exception):
    """No callback is ready and no timer is set: the world stands still for ever."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Deterministic: callbacks run in the order in which they were made, timers in the order of their times."""

    _ready: Any
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self) -> None:
        super().__init__()
        self._now = START
        self.graveyard: list[asyncio.Task[Any]] = []
        """Tasks of dead machines: collecting them as garbage would run their `finally` blocks."""

    def time(self) -> float:
        return self._now

    def spawn(self, machine: Machine, coroutine: Any) -> asyncio.Task[Any]:
        """A task on `machine`."""
        return self.create_task(coroutine, context=machine.context.copy())

    def kill(self, machine: Machine) -> None:
        machine.fate = Fate.DEAD
        self.graveyard += asyncio.all_tasks(self)

    def thaw(self, machine: Machine) -> None:
        self._ready.extend(machine.thaw())

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override]
        """At once, in no time and in this thread."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  (it belongs to whoever awaits)
            future.set_exception(error)
        return future

    def _write_to_self(self) -> None:
        """There is no selector to be woken up."""

    def _run_once(self) -> None:
        ready, timers = self._ready, self._scheduled
        while timers and timers[0]._cancelled:
            heapq.heappop(timers)._scheduled = False  # type: ignore[attr-defined]
        if not ready:
            if not timers:
                raise NothingLeft
            self._now = max(self._now, timers[0].when())
        while timers and timers[0].when() <= self._now:
            timer = heapq.heappop(timers)
            timer._scheduled = False  # type: ignore[attr-defined]
            ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            context: Context = handle._context
            machine = context.get(CURRENT)
            if machine is None or machine.admit(handle):
                handle._run()
