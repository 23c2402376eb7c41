"""One way to start and stop whatever runs in the background: loops that survive the database going away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

import structlog

from jobdeck.core.errors import NotLeader, Unavailable

log = structlog.get_logger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
FIRST_RESTART, LONGEST_RESTART = 0.5, 60.0
"""Seconds before a loop that died is started again: the first time, and after many times in a row."""
SOUND_AFTER = 300.0
"""Seconds that a loop must run before its next death counts as the first one again."""
TROUBLED_AFTER = 5
"""Errors in a row after which a loop counts as one that does not work."""


@dataclass(slots=True)
class LoopState:
    """How one loop is: how often it was started again, its errors in a row, and the last error."""

    restarts: int = 0
    is_down: bool = False
    errors: int = 0
    last_error: str | None = None

    @property
    def works(self) -> bool:
        return not self.is_down and self.errors < TROUBLED_AFTER


_STATE: ContextVar[LoopState | None] = ContextVar("loop_state", default=None)
"""The state of the loop whose task this is; what goes wrong in it is noted there."""


class Loop(Protocol):
    """Something that runs until it is told to stop."""

    name: str

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then end in good order."""
        ...


class RepeatedLoop:
    """A loop that does one thing again and again, `every` seconds; an error is told and does not end it."""

    def __init__(self, name: str, every: float, turn: Callable[[], Awaitable[object]]) -> None:
        self.name = name
        self._every = every
        self._turn = turn

    async def run(self, stop: asyncio.Event) -> None:
        backoff = Backoff(self.name)
        while not stop.is_set():
            try:
                await self._turn()
                backoff.succeeded()
                await sleep_unless(stop, self._every)
            except Exception as error:  # noqa: BLE001  (a duty must outlive whatever goes wrong in one turn)
                await sleep_unless(stop, max(self._every, backoff.failed(error)))


class Backoff:
    """Errors in a row: tells the first one and the end of them, and how long to pause before the next try."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0
        self._state = _STATE.get() or LoopState()

    def failed(self, error: BaseException) -> float:
        """Note an error; the seconds to pause."""
        self._count += 1
        expected = isinstance(error, Unavailable | NotLeader)
        if not expected:
            # The database being away is told of by itself, and not by each loop that waits for it.
            self._state.errors += 1
            self._state.last_error = f"{type(error).__name__}: {error}"
        if self._count == 1 or not expected:
            log.warning("loop_trouble", loop=self._name, error=str(error), exc_info=None if expected else error)
        return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._count, 10)))

    def succeeded(self) -> None:
        if self._count:
            log.info("loop_recovered", loop=self._name, after=self._count)
            self._state.errors = 0
        self._count = 0


async def sleep_unless(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but wake up at once when `stop` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


async def first_of(sleep: Awaitable[object], *events: asyncio.Event) -> None:
    """Wait for `sleep`, or until one of `events` is set."""
    waiting = [asyncio.ensure_future(sleep), *(asyncio.ensure_future(e.wait()) for e in events)]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()


class Loops:
    """A set of loops with one start and one stop; stopping twice is harmless. Stops in reverse order of start.

    One that ends by itself, which none should, is started again after a pause that grows."""

    def __init__(self, loops: Sequence[Loop]) -> None:
        self._loops = loops
        self._running: list[tuple[asyncio.Event, asyncio.Task[None]]] = []
        self.states: Mapping[str, LoopState] = {loop.name: LoopState() for loop in loops}
        self.one_died = asyncio.Event()
        """Set once a loop has ended by itself."""

    async def start(self) -> None:
        for loop in self._loops:
            stop = asyncio.Event()
            kept = _keep_running(loop, stop, self.states[loop.name], self.one_died)
            self._running.append((stop, asyncio.create_task(kept, name=loop.name)))

    async def stop(self) -> None:
        while self._running:
            stop, task = self._running.pop()
            stop.set()
            try:
                await task
            except Exception:
                log.exception("loop_broke", loop=task.get_name())


async def _keep_running(loop: Loop, stop: asyncio.Event, state: LoopState, one_died: asyncio.Event) -> None:
    """Run it until `stop` is set, again and again if it dies; what breaks while it stops is raised."""
    _STATE.set(state)
    deaths = 0
    clock = asyncio.get_running_loop()
    while True:
        began = clock.time()
        try:
            await loop.run(stop)
            why = "It ended by itself."
        except Exception as error:
            if stop.is_set():
                raise
            why = f"{type(error).__name__}: {error}"
            log.exception("loop_died", loop=loop.name)
        if stop.is_set():
            return
        deaths = 1 if clock.time() - began > SOUND_AFTER else deaths + 1
        pause = min(LONGEST_RESTART, FIRST_RESTART * 2 ** min(deaths - 1, 10))
        state.is_down, state.last_error = True, why
        one_died.set()
        log.error("loop_restarts", loop=loop.name, reason=why, after=pause)
        await sleep_unless(stop, pause)
        if stop.is_set():
            return
        state.is_down = False
        state.restarts += 1
