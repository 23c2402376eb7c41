"""The live feed: events as they are committed, and the progress of running jobs between them.

What happens is read once for all readers, in a thread of its own, and kept for a while in memory. A reader that is
slower than that reads from the table, from where it left off."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import structlog

from jobdeck.core.errors import Unavailable
from jobdeck.core.values import encode
from jobdeck.engine.loops import FIRST_PAUSE, LONGEST_PAUSE, Backoff, first_of, sleep_unless
from jobdeck.engine.own_thread import OwnThread
from jobdeck.store.running import progress
from jobdeck.store.sql import events
from jobdeck.store.sql.database import Database

log = structlog.get_logger(__name__)

BATCH = 500
"""Events that a reader that fell behind reads at once."""
SLICE = 2000
"""Events that are read at once for all readers."""
KEPT = 20_000
"""Events that stay in memory for readers that are a little behind."""
POLL_SECONDS = 1.0
BREATH_SECONDS = 0.05
"""Between two looks, so that a busy system costs its readers twenty looks a second and not thousands."""
BREATH_PER_READER = 0.005
LONGEST_BREATH = 1.0
"""With many readers the looks are fewer: what they are told comes in larger pieces, each of which costs the same."""
LINGER_SECONDS = 5.0
"""How long reading goes on after the last reader has left: pages come and go."""


class FeedItem(NamedTuple):
    """An event, or (without an id) the progress of a running job. `at` is µs, `text` is the JSON of its data."""

    id: int | None
    at: int
    kind: str
    project_id: int | None
    job_id: int | None
    actor: str | None
    text: str
    principal_id: int | None = None
    token_id: int | None = None

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text)
        return found


@dataclass(slots=True)
class FeedSlice:
    """A stretch of what happened: all events with ids above `after` up to `last`, and progress told meanwhile."""

    after: int
    last: int
    items: tuple[FeedItem, ...]
    number: int = -1
    """Of those in memory, one after the other; -1 of one that was read for one reader alone."""
    made: dict[Hashable, Any] = field(default_factory=dict, repr=False)
    """What was made of it so far."""

    def of(self, projects: frozenset[int] | None, job: int | None) -> Collection[FeedItem]:
        """The items of these projects (None: of all), of this job (None: of any)."""
        items: Collection[FeedItem] = self.items if job is None else self._by_job().get(job, ())
        return items if projects is None else [item for item in items if item.project_id in projects]

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What `make` returns, made by the first reader who asks for it under this key."""
        if key not in self.made:
            self.made[key] = make()
        return self.made[key]

    def _by_job(self) -> dict[int, list[FeedItem]]:
        return self.once("by_job", self._index)  # type: ignore[no-any-return]  # it keeps all kinds of things

    def _index(self) -> dict[int, list[FeedItem]]:
        found: dict[int, list[FeedItem]] = {}
        for item in self.items:
            if item.job_id is not None:
                found.setdefault(item.job_id, []).append(item)
        return found


class Feed:
    """Any number of readers, each from where it left off."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._slices: deque[FeedSlice] = deque()
        self._kept = 0
        self._number = 0
        self._readers = 0
        self._more = asyncio.Event()
        """Set, and replaced, when there is a new slice."""
        self._stop: asyncio.Event | None = None
        """Stops the reading for all; None while nobody reads."""
        self._reading: asyncio.Task[None] | None = None
        self._leaving: asyncio.TimerHandle | None = None

    async def last_id(self) -> int:
        """The id of the newest event."""
        async with self._database.read() as connection:
            return await events.last_id(connection)

    async def close(self) -> None:
        """End the reading, whoever still listens."""
        if self._stop is not None and self._reading is not None:
            self._stop.set()
            await asyncio.wait([self._reading])
        if self._leaving is not None:
            self._leaving.cancel()

    async def subscribe(
        self, after: int | None = None, project_ids: Collection[int] | None = None, job: int | None = None
    ) -> AsyncIterator[FeedItem]:
        """What happens from now on, or after event `after`; of these projects (None: all), of this job (None: any).

        Never ends by itself, and goes on where it was when the database comes back."""
        projects = None if project_ids is None else frozenset(project_ids)
        async for piece in self.slices(after, projects, job):
            for item in piece.of(projects, job):
                yield item

    async def slices(
        self, after: int | None = None, projects: frozenset[int] | None = None, job: int | None = None
    ) -> AsyncIterator[FeedSlice]:
        """The same in slices, most of which other readers get, too: they hold what is not asked for as well."""
        self._join()
        try:
            cursor = after if after is not None else await self.last_id()
            number: int | None = None
            while True:
                more = self._more
                if number is not None and number < self._slices[0].number - 1:
                    number = None  # it was so slow that what comes next is not in memory any more
                if number is None and self._is_behind(cursor):
                    piece = await self._from_table(cursor, projects, job)
                else:
                    piece = self._at_hand(cursor, number)
                    # Without one it has all that is in memory, and goes on with what comes.
                    number = piece.number if piece is not None else self._slices[-1].number
                if piece is None:
                    await more.wait()
                    continue
                cursor = max(cursor, piece.last)
                yield piece
        finally:
            self._leave()

    # Readers come and go.

    def _join(self) -> None:
        self._readers += 1
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        if self._reading is None or self._reading.done():
            self._slices.clear()
            self._kept = 0
            self._stop = asyncio.Event()
            loop = asyncio.get_running_loop()

            def publish(piece: FeedSlice) -> None:
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
                    loop.call_soon_threadsafe(self._take, piece)

            following = _Following(self._database, publish, lambda: self._readers)
            self._reading = loop.create_task(OwnThread(following).run(self._stop), name="feed")

    def _leave(self) -> None:
        self._readers -= 1
        if self._readers == 0 and self._stop is not None:
            self._leaving = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._stop.set)

    def _take(self, piece: FeedSlice) -> None:
        """A new slice is there for all."""
        piece.number = self._number
        self._number += 1
        self._slices.append(piece)
        self._kept += len(piece.items)
        while self._kept > KEPT and len(self._slices) > 1:
            self._kept -= len(self._slices.popleft().items)
        more, self._more = self._more, asyncio.Event()
        more.set()

    # From where a reader is.

    def _at_hand(self, cursor: int, number: int | None) -> FeedSlice | None:
        """The slice in memory that comes after the one with this `number`, or without one, after the event `cursor`;
        of a slice that begins before the cursor, its rest."""
        if number is not None:
            place = number + 1 - self._slices[0].number
            piece = self._slices[place] if place < len(self._slices) else None
        else:
            piece = next((piece for piece in self._slices if piece.last > cursor), None)
        if piece is None or piece.after >= cursor:
            return piece
        rest = tuple(item for item in piece.items if item.id is None or item.id > cursor)
        return replace(piece, after=cursor, items=rest, made={})

    def _is_behind(self, cursor: int) -> bool:
        """Whether what comes after the cursor is not, or not any more, in memory."""
        return not self._slices or cursor < self._slices[0].after

    async def _from_table(self, cursor: int, projects: frozenset[int] | None, job: int | None) -> FeedSlice | None:
        """What is asked for behind the cursor, up to a bound, as soon as it is to be had; None if nothing is new."""
        newest, found = await self._read(cursor, projects, job)
        # Also past what is not for this reader, or it would be looked through again and again.
        last = found[-1].id if len(found) == BATCH else max(newest, found[-1].id if found else cursor)
        return FeedSlice(cursor, last, tuple(FeedItem(*row) for row in found)) if last > cursor else None

    async def _read(
        self, cursor: int, projects: frozenset[int] | None, job: int | None
    ) -> tuple[int, list[events.EventRow]]:
        pause = FIRST_PAUSE
        while True:
            try:
                async with self._database.read() as connection:
                    newest = await events.last_id(connection)
                    return newest, await events.rows_after(connection, cursor, BATCH, projects=projects, job=job)
            except Unavailable:
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, pause * 2)


class _Following:
    """A loop: reads what happens, once for all readers, and publishes it in slices."""

    name = "feed"

    def __init__(self, database: Database, publish: Callable[[FeedSlice], None], readers: Callable[[], int]) -> None:
        self._origin = database
        self._publish = publish
        self._readers = readers
        self._looked = float("-inf")
        self._told = 0

    async def run(self, stop: asyncio.Event) -> None:
        database = self._origin.sibling()
        wakeup = database.wakeups.subscribe()
        backoff = Backoff(self.name)
        cursor: int | None = None
        try:
            while not stop.is_set():
                try:
                    cursor, full = await self._look(database, cursor)
                    backoff.succeeded()
                except Exception as error:  # noqa: BLE001  (readers wait for it; what they miss, they read later)
                    await sleep_unless(stop, backoff.failed(error))
                    continue
                if not full:
                    breath = min(LONGEST_BREATH, max(BREATH_SECONDS, self._readers() * BREATH_PER_READER))
                    await sleep_unless(stop, breath)
                    await first_of(wakeup.wait(POLL_SECONDS), stop)
        finally:
            wakeup.close()
            await database.close()

    async def _look(self, database: Database, cursor: int | None) -> tuple[int, bool]:
        """Publish what is new; up to where that is, and whether there is more at once."""
        if cursor is None:
            async with database.read() as connection:
                cursor = await events.last_id(connection)
                self._told = await database.clock.now(connection)
            # Readers that came a moment earlier read up to here from the table.
            self._publish(FeedSlice(cursor, cursor, ()))
        # In this order: what is told of a job's progress is never newer than the events behind it.
        moved = await self._progress(database)
        async with database.read() as connection:
            found = await events.rows_after(connection, cursor, SLICE)
        last = found[-1].id if found else cursor
        if moved or found:
            self._publish(FeedSlice(cursor, last, (*moved, *(FeedItem(*row) for row in found))))
        return last, len(found) == SLICE

    async def _progress(self, database: Database) -> list[FeedItem]:
        """The progress of the jobs that are alive, as far as it is new; looked at twice a second at most."""
        now = asyncio.get_running_loop().time()
        if now - self._looked < POLL_SECONDS / 2:
            return []
        self._looked = now
        async with database.read() as connection:
            found = [p for p in await progress.of_running(connection) if p.at > self._told]
        self._told = max([self._told, *(p.at for p in found)])
        return [FeedItem(None, p.at, "progress", p.project_id, p.job_id, None, encode(p.data())) for p in found]
