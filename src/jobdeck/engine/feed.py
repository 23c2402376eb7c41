"""The live feed: events as they are committed, and the progress of running jobs between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Any

from jobdeck.core.errors import Unavailable
from jobdeck.engine.service import FIRST_PAUSE, LONGEST_PAUSE
from jobdeck.store.running import progress
from jobdeck.store.sql import events
from jobdeck.store.sql.database import Database

BATCH = 500
POLL_SECONDS = 1.0
BREATH_SECONDS = 0.05
"""Between two looks, so that a busy system costs a reader twenty looks a second and not thousands."""


@dataclass(frozen=True, slots=True)
class FeedItem:
    """An event, or (without an id) the progress of a running job. `at` is µs."""

    id: int | None
    at: int
    kind: str
    project_id: int | None
    job_id: int | None
    actor: str | None
    data: dict[str, Any]
    principal_id: int | None = None
    token_id: int | None = None


class Feed:
    """Any number of readers, each from where it left off."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._moved: list[FeedItem] = []
        self._looked = 0.0
        self._lock = asyncio.Lock()

    async def last_id(self) -> int:
        """The id of the newest event."""
        async with self._database.read() as connection:
            return await events.last_id(connection)

    async def subscribe(
        self, after: int | None = None, project_ids: Collection[int] | None = None, job: int | None = None
    ) -> AsyncIterator[FeedItem]:
        """What happens from now on, or after event `after`; of these projects (None: all), of this job (None: any).

        Never ends by itself, and goes on where it was when the database comes back."""
        wakeup = self._database.wakeups.subscribe()
        try:
            cursor = after if after is not None else await self.last_id()
            told = await self._database.now()
            pause = FIRST_PAUSE
            while True:
                try:
                    # In this order: what is told of a job's progress is never newer than the events behind it.
                    moved = await self._progress()
                    found, newest = await self._read(cursor, project_ids, job)
                    pause = FIRST_PAUSE
                except Unavailable:
                    await asyncio.sleep(pause)
                    pause = min(LONGEST_PAUSE, pause * 2)
                    continue
                for item in moved:
                    if (
                        item.at > told
                        and (project_ids is None or item.project_id in project_ids)
                        and job in (None, item.job_id)
                    ):
                        yield item
                told = max([told, *(item.at for item in moved)])
                for item in found:
                    cursor = item.id or cursor
                    yield item
                if len(found) < BATCH:
                    # Also past what is not for this reader, or it would be looked through again and again.
                    cursor = max(cursor, newest)
                if len(found) < BATCH:
                    await asyncio.sleep(BREATH_SECONDS)
                    await wakeup.wait(POLL_SECONDS)
        finally:
            wakeup.close()

    async def _read(
        self, cursor: int, project_ids: Collection[int] | None, job: int | None
    ) -> tuple[list[FeedItem], int]:
        """A batch behind the cursor, and an event up to which that is all there is if the batch is not full."""
        async with self._database.read() as connection:
            newest = await events.last_id(connection)
            found = await events.read_after(connection, cursor, BATCH, projects=project_ids, job=job)
        return [_item(e) for e in found], newest

    async def _progress(self) -> list[FeedItem]:
        """The progress of the jobs that are alive; read once for all readers, at most twice a second."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if now - self._looked >= POLL_SECONDS / 2:
                self._looked = now
                async with self._database.read() as connection:
                    self._moved = [
                        FeedItem(None, p.at, "progress", p.project_id, p.job_id, None, p.data())
                        for p in await progress.of_running(connection)
                    ]
            return self._moved


def _item(e: events.StoredEvent) -> FeedItem:
    return FeedItem(e.id, e.at, e.kind, e.project_id, e.job_id, e.actor, e.data, e.principal_id, e.token_id)
