"""One way to start and stop whatever runs in the background: loops that survive the database going away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from jobdeck.core.errors import NotLeader, Unavailable

log = structlog.get_logger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0


class Service(Protocol):
    """Something that runs until it is told to stop."""

    name: str

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then end in good order."""
        ...


class Loop:
    """A service that does one thing again and again, `every` seconds; an error is told and does not end it."""

    def __init__(self, name: str, every: float, turn: Callable[[], Awaitable[object]]) -> None:
        self.name = name
        self._every = every
        self._turn = turn

    async def run(self, stop: asyncio.Event) -> None:
        trouble = Trouble(self.name)
        while not stop.is_set():
            try:
                await self._turn()
                trouble.over()
                await sleep_unless(stop, self._every)
            except Exception as error:  # noqa: BLE001  (a duty must outlive whatever goes wrong in one turn)
                await sleep_unless(stop, max(self._every, trouble.met(error)))


class Trouble:
    """Errors in a row: tells the first one and the end of them, and how long to pause before the next try."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0

    def met(self, error: BaseException) -> float:
        """Note an error; the seconds to pause."""
        self._count += 1
        expected = isinstance(error, Unavailable | NotLeader)
        if self._count == 1 or not expected:
            log.warning("loop_trouble", loop=self._name, error=str(error), exc_info=None if expected else error)
        return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._count, 10)))

    def over(self) -> None:
        if self._count:
            log.info("loop_recovered", loop=self._name, after=self._count)
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


class Services:
    """A set of services with one start and one stop; stopping twice is harmless. Stops in reverse order of start."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._services = services
        self._running: list[tuple[asyncio.Event, asyncio.Task[None]]] = []

    async def start(self) -> None:
        for service in self._services:
            stop = asyncio.Event()
            self._running.append((stop, asyncio.create_task(service.run(stop), name=service.name)))

    async def stop(self) -> None:
        while self._running:
            stop, task = self._running.pop()
            stop.set()
            try:
                await task
            except Exception:
                log.exception("service_broke", service=task.get_name())

    async def wait(self) -> None:
        """Return when a service ended by itself, which none should; raises its error."""
        done, _ = await asyncio.wait([t for _, t in self._running], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
