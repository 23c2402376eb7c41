"""Live events: what happens, as it happens, for those who may see it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from jobdeck.access.caller import Caller
from jobdeck.access.roles import Permission
from jobdeck.core.errors import Unauthenticated
from jobdeck.services import scope
from jobdeck.services.core import Core
from jobdeck.services.job_details import event
from jobdeck.services.jobs import Jobs
from jobdeck.store import tokens
from jobdeck.wire.events import Event


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events: of a project, of a job, after an id."""

    project: str | None = None
    job: int | None = None
    after: int | None = None


class Events:
    """The use cases of live events."""

    def __init__(self, core: Core, jobs: Jobs) -> None:
        self._core = core
        self._jobs = jobs
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
        return self._stream(asked, project_ids)

    async def _stream(self, asked: EventQuery, project_ids: set[int] | None) -> AsyncIterator[tuple[int | None, Event]]:
        items = self._core.feed.subscribe(asked.after, project_ids, asked.job)
        try:
            async for item in items:
                project = await self._project_name(item.project_id)
                yield item.id, event(item.id, item.at, item.kind, project, item.job_id, item.actor, item.data)
        finally:
            if isinstance(items, AsyncGenerator):
                await items.aclose()

    async def _project_name(self, project_id: int | None) -> str | None:
        if project_id is None:
            return None
        if project_id not in self._names:
            async with self._core.database.read() as connection:
                self._names = await scope.names(connection)
        return self._names.get(project_id)

    async def check(self, caller: Caller) -> None:
        """Raises Unauthenticated when the caller's token has ended since the stream began."""
        async with self._core.database.read() as connection:
            stored = await tokens.by_id(connection, caller.token_id)
            now = await self._core.database.clock.now(connection)
        ended = stored is None or stored.revoked_at is not None or (stored.expires_at or now + 1) <= now
        if ended:
            raise Unauthenticated("This token has ended.")
