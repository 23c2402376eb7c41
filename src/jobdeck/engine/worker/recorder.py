"""The worker's one writer: what all its jobs record goes to the database in batches, in order, each fenced."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from jobdeck.core.errors import LeaseLost, Unavailable
from jobdeck.core.life.records import Record, SavedStep
from jobdeck.engine.loops import Backoff, sleep_unless
from jobdeck.store.running import attempt_writes, steps
from jobdeck.store.running.attempt_writes import AttemptWrite
from jobdeck.store.sql.database import Connection, Database

log = structlog.get_logger(__name__)

BATCH = 1000
T = TypeVar("T")


@dataclass(slots=True)
class _Waiting:
    write: AttemptWrite
    landed: asyncio.Future[None]


class Recorder:
    """A loop. A call returns when its records are committed; calls that come meanwhile share the next commit."""

    name = "recorder"

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: deque[_Waiting] = deque()
        self._something = asyncio.Event()

    async def write(self, job: int, epoch: int, records: tuple[Record, ...]) -> None:
        """Record, in order; raises LeaseLost when the epoch is old."""
        waiting = _Waiting(AttemptWrite(job, epoch, records), asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._something.set()
        await waiting.landed

    async def run(self, stop: asyncio.Event) -> None:
        """Write until stopped, and then until nothing is left."""
        backoff = Backoff(self.name)
        stopping = asyncio.create_task(self._ring_at(stop))
        while not stop.is_set() or self._queue:
            await self._something.wait()
            self._something.clear()
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
                await self._write_all(batch, backoff, stop)
        stopping.cancel()

    async def _ring_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._something.set()

    async def _write_all(self, batch: list[_Waiting], backoff: Backoff, stop: asyncio.Event) -> None:
        """Keep trying while the database is away: what waits is fenced, so late is harmless and lost is not."""
        while True:
            try:
                stale = await attempt_writes.write(self._database, [w.write for w in batch])
                backoff.succeeded()
                return _tell(batch, stale)
            except Unavailable as error:
                pause = backoff.failed(error)
                if stop.is_set():
                    return _fail(batch, error)
                await sleep_unless(stop, pause)
            except Exception as error:
                if len(batch) == 1:
                    log.exception("record_refused", job=batch[0].write.job)
                    return _fail(batch, error)
                # One of them cannot be written; the others must not suffer for it.
                for waiting in batch:
                    await self._write_all([waiting], backoff, stop)
                return None


def _tell(batch: list[_Waiting], stale: set[tuple[int, int]]) -> None:
    for waiting in batch:
        if waiting.landed.done():
            continue
        if (waiting.write.job, waiting.write.epoch) in stale:
            waiting.landed.set_exception(
                LeaseLost(f"Job {waiting.write.job} has another epoch than {waiting.write.epoch}.")
            )
        else:
            waiting.landed.set_result(None)


def _fail(batch: list[_Waiting], error: Exception) -> None:
    for waiting in batch:
        if not waiting.landed.done():
            waiting.landed.set_exception(error)


class JobCheckpoints:
    """The checkpoints of one job run of one job, as its execution sees them (core.life.records.Checkpoints)."""

    def __init__(self, database: Database, recorder: Recorder, job: int, attempt: int, epoch: int) -> None:
        self._database = database
        self._recorder = recorder
        self._job = job
        self._attempt = attempt
        self._epoch = epoch

    async def load(self) -> list[SavedStep]:
        return await self._read(lambda connection: steps.saved(connection, self._job, self._attempt))

    async def earlier_failures(self, step: int) -> dict[int, int]:
        if self._attempt == 1:
            return {}
        return await self._read(lambda connection: steps.failures_before(connection, self._job, self._attempt, step))

    async def _read(self, query: Callable[[Connection], Awaitable[T]]) -> T:
        """Keep trying while the database is away, as with what is written: that must not fail a job."""
        backoff = Backoff("checkpoints")
        while True:
            try:
                async with self._database.read() as connection:
                    return await query(connection)
            except Unavailable as error:
                await asyncio.sleep(backoff.failed(error))

    async def write(self, *records: Record) -> None:
        await self._recorder.write(self._job, self._epoch, records)
