"""Live events: what happens, as it happens, for those who may see it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Gauge, Histogram

from jobdeck.access.caller import Caller
from jobdeck.access.roles import Permission
from jobdeck.core.errors import Unauthenticated
from jobdeck.services import scope
from jobdeck.services.core import Core
from jobdeck.services.jobs.details import event
from jobdeck.services.jobs.jobs import Jobs
from jobdeck.store.access import sessions, tokens
from jobdeck.wire.events import Event

MEASURED_EVERY = 1.0
"""Seconds between two measurements of the feed's lag."""
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events: of a project, of a job, after an id."""

    project: str | None = None
    job: int | None = None
    after: int | None = None


class Events:
    """The use cases of live events."""

    def __init__(self, core: Core, jobs: Jobs, registry: CollectorRegistry) -> None:
        self._core = core
        self._jobs = jobs
        self._measured = -MEASURED_EVERY
        text = "Time from an event to its being told to a live stream."
        self._lag = Histogram("jobdeck_feed_lag_seconds", text, buckets=_SECONDS, registry=registry)
        self._streams = Gauge("jobdeck_feed_streams", "Live streams that are open.", registry=registry)
        self._names: dict[int, str] = {}

    async def follow(self, caller: Caller, asked: EventQuery) -> AsyncIterator[tuple[int | None, Event]]:
        """Events with their ids (None: not to be resumed after), for ever; what is asked for is checked at once."""
        caller.require(Permission.JOB_READ)
        project_ids = None if caller.project_id is None else {caller.project_id}
        if asked.project is not None:
            async with self._core.database.read() as connection:
                project_ids = {(await scope.project(connection, caller, asked.project)).id}
        if asked.job is not None:
            await self._jobs.require_visible(caller, asked.job, "job")
        # Looked up here and not with the first event: what happens once the caller knows that it follows is told.
        newest = await self._core.feed.last_id()
        return self._stream(asked, project_ids, newest)

    async def newest(self) -> int:
        """The id of the newest event: what is read from now on goes with it, or is newer."""
        return await self._core.feed.last_id()

    async def _stream(
        self, asked: EventQuery, project_ids: set[int] | None, newest: int
    ) -> AsyncIterator[tuple[int | None, Event]]:
        after = newest if asked.after is None else asked.after
        items = self._core.feed.subscribe(after, project_ids, asked.job)
        self._streams.inc()
        try:
            async for item in items:
                if item.id is not None and item.id > newest:
                    await self._measure(item.at)
                project = await self._project_name(item.project_id)
                yield item.id, event(item, project)
        finally:
            self._streams.dec()
            if isinstance(items, AsyncGenerator):
                await items.aclose()

    async def _measure(self, at: int) -> None:
        """Note how long after it happened an event is told; of many, now and then one."""
        now = asyncio.get_running_loop().time()
        if now - self._measured >= MEASURED_EVERY:
            self._measured = now
            self._lag.observe(max(0, await self._core.database.now() - at) / 1_000_000)

    async def _project_name(self, project_id: int | None) -> str | None:
        if project_id is None:
            return None
        if project_id not in self._names:
            async with self._core.database.read() as connection:
                self._names = await scope.names(connection)
        return self._names.get(project_id)

    async def check(self, caller: Caller) -> None:
        """Raises Unauthenticated when the caller's token or session has ended since the stream began."""
        async with self._core.database.read() as connection:
            stored = await tokens.by_id(connection, caller.token_id)
            left = caller.session is not None and await sessions.by_hash(connection, caller.session) is None
            now = await self._core.database.clock.now(connection)
        ended = left or stored is None or stored.revoked_at is not None or (stored.expires_at or now + 1) <= now
        if ended:
            raise Unauthenticated("This token has ended.")
