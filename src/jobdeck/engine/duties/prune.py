"""Duty: remove what its retention no longer keeps: ended jobs, files, old events, idempotency keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from jobdeck.engine.control import Control
from jobdeck.engine.garbage import GarbageCollector
from jobdeck.engine.scheduling.scheduler import Leadership
from jobdeck.storage.places import file_prefix
from jobdeck.store import garbage
from jobdeck.store.access import sessions
from jobdeck.store.bulks import records
from jobdeck.store.garbage import Doomed
from jobdeck.store.scheduling import due
from jobdeck.store.sql.database import Database, Tx

log = structlog.get_logger(__name__)

EVERY = 60.0
DAY = 86_400_000_000
BATCH = 500


@dataclass(frozen=True, slots=True)
class Retention:
    """Days that things are kept; None keeps them for ever. Files carry their own time."""

    jobs: float | None = None
    events: float | None = 90.0
    idempotency: float = 2.0


class Prune:
    """Removes in small batches, so that nobody waits for it."""

    def __init__(
        self, database: Database, leadership: Leadership, control: Control, retention: Retention,
        collector: GarbageCollector,
    ) -> None:  # fmt: skip
        self._database = database
        self._leadership = leadership
        self._control = control
        self._retention = retention
        self._collector = collector

    async def __call__(self) -> None:
        """One round, if this process leads."""
        if self._leadership.known is None:
            return
        now = await self._database.now()
        await self._jobs(now)
        await self._files(now)
        await self._database.transact(lambda tx: sessions.remove_ended(tx, now, now - DAY))
        await self._database.transact(lambda tx: due.forget_keys(tx, now - _days(self._retention.idempotency)))
        await self._bulks(now)
        if self._retention.events is not None:
            before = now - _days(self._retention.events)
            while await self._database.transact(lambda tx: due.remove_events(tx, before, BATCH)):
                continue

    async def _jobs(self, now: int) -> None:
        if self._retention.jobs is None:
            return
        before = now - _days(self._retention.jobs)
        after = 0
        while True:
            async with self._database.read() as connection:
                ids = await due.ended_jobs(connection, before, after, BATCH)
            if not ids:
                return
            after = ids[-1]
            results = await self._control.delete(ids, actor="jobdeck", chosen=partial(_ended, before=before))
            children = sum(len(r.along) for r in results)
            log.info("pruned_jobs", removed=sum(r.changed for r in results), children=children)

    async def _bulks(self, now: int) -> None:
        """Operations on selections are kept as long as the events that tell of them; plans never run, for a day."""
        kept = self._retention.events
        ended = now - _days(kept) if kept is not None else None
        async with self._database.read() as connection:
            outdated = await records.outdated(connection, now - DAY, ended)
        for bulk_id in outdated:
            while not await self._database.transact(partial(records.remove, id=bulk_id)):
                continue

    async def _files(self, now: int) -> None:
        """Rows first, their content remembered with them: what nothing refers to may be removed at leisure."""

        async def work(tx: Tx) -> list[int]:
            removed = await due.remove_expired_files(tx, now, BATCH)
            return await garbage.add(tx, [Doomed(file_prefix(project, file_id)) for project, file_id in removed])

        await self._collector.collect(await self._database.transact(work))


async def _ended(tx: Tx, ids: Sequence[int], before: int) -> Sequence[int]:
    """Children go with their parent only if they ended long enough ago themselves."""
    return await due.over(tx, ids, before)


def _days(days: float) -> int:
    return int(days * DAY)
