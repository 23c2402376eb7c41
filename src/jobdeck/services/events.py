"""Live events: what happens, as it happens, for those who may see it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass

import orjson
from prometheus_client import Gauge, Histogram

from jobdeck.access.caller import Caller, Permission, visible_project
from jobdeck.core.errors import Unauthenticated
from jobdeck.engine.feed import FeedItem, FeedSlice
from jobdeck.services.admin.metrics import Metrics
from jobdeck.services.core import Core
from jobdeck.services.jobs.jobs import Jobs
from jobdeck.store.access import sessions, tokens
from jobdeck.store.projects import names_by_id
from jobdeck.wire.base import instant

MEASURED_EVERY = 1.0
"""Seconds between two measurements of the feed's lag."""
_ENDS_RIGHTS = {"token.revoked", "session.ended"}
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events: of a project, of a job, after an id."""

    project: str | None = None
    job: int | None = None
    after: int | None = None
    """The id of an event; those behind it."""


@dataclass(frozen=True, slots=True)
class ToldPiece:
    """A piece of a stream: what was asked for of a slice that other streams get, too."""

    piece: FeedSlice
    asked: Hashable
    items: Collection[FeedItem]
    names: Mapping[int, str]

    def written(self, write: Callable[[int | None, str, str], str]) -> str:
        """All of it as text: for each item what `write` makes of its id (None: not to be resumed after), its kind and
        its JSON. It is made once for all streams that ask for the same."""
        return str(self.piece.once((write, self.asked), lambda: "".join(self._each(write))))

    def _each(self, write: Callable[[int | None, str, str], str]) -> Iterator[str]:
        for item in self.items:
            project = self.names.get(item.project_id) if item.project_id is not None else None
            yield write(item.id, item.kind, _as_json(item, project))


def _as_json(item: FeedItem, project: str | None) -> str:
    """The item as the wire's `Event`, written by hand: thousands come in a second."""
    plain = {
        "id": item.id or 0, "at": instant(item.at), "kind": item.kind, "project": project, "job": item.job_id,
        "actor": item.actor, "principal": item.principal_id, "token": item.token_id,
        "data": orjson.Fragment(item.text),
    }  # fmt: skip
    return orjson.dumps(plain, option=orjson.OPT_UTC_Z).decode()


def _touches_rights(piece: FeedSlice) -> bool:
    """Whether a token or session ended, or may have; then each stream looks whether it was its own."""
    return piece.number < 0 or bool(
        piece.once("touches_rights", lambda: any(item.kind in _ENDS_RIGHTS for item in piece.items))
    )


class Events:
    """The use cases of live events."""

    def __init__(self, core: Core, jobs: Jobs, metrics: Metrics) -> None:
        self._core = core
        self._jobs = jobs
        self._measured = -MEASURED_EVERY
        text = "Time from an event to its being told to a live stream."
        self._lag = Histogram("jobdeck_feed_lag_seconds", text, buckets=_SECONDS, registry=metrics.registry)
        self._streams = Gauge("jobdeck_feed_streams", "Live streams that are open.", registry=metrics.registry)
        self._names: dict[int, str] = {}

    async def follow(self, caller: Caller, asked: EventQuery) -> AsyncIterator[ToldPiece]:
        """What is told in pieces, for ever, until the caller's token or session ends; what is asked for is checked at
        once."""
        caller.require(Permission.JOB_READ)
        project_ids = None if caller.project_id is None else frozenset({caller.project_id})
        if asked.project is not None:
            async with self._core.database.read() as connection:
                project_ids = frozenset({(await visible_project(connection, caller, asked.project)).id})
        if asked.job is not None:
            await self._jobs.require_visible(caller, asked.job, "job")
        # Looked up here and not with the first event: what happens once the caller knows that it follows is told.
        newest = await self._core.feed.last_id()
        return self._stream(caller, asked, project_ids, newest)

    async def newest(self) -> int:
        """The id of the newest event: what is read from now on goes with it, or is newer."""
        return await self._core.feed.last_id()

    async def _stream(
        self, caller: Caller, asked: EventQuery, projects: frozenset[int] | None, newest: int
    ) -> AsyncIterator[ToldPiece]:
        after = newest if asked.after is None else asked.after
        slices = self._core.feed.slices(after, projects, asked.job)
        self._streams.inc()
        try:
            async for piece in slices:
                if _touches_rights(piece):
                    await self.check(caller)
                items = piece.of(projects, asked.job)
                if not items:
                    continue
                await self._know_projects(items)
                if piece.last > newest:
                    await self._measure(max(item.at for item in items))
                yield ToldPiece(piece, (projects, asked.job), items, self._names)
        finally:
            self._streams.dec()
            if isinstance(slices, AsyncGenerator):
                await slices.aclose()

    async def _measure(self, at: int) -> None:
        """Note how long after it happened an event is told; of many, now and then one."""
        now = asyncio.get_running_loop().time()
        if now - self._measured >= MEASURED_EVERY:
            self._measured = now
            self._lag.observe(max(0, await self._core.database.now() - at) / 1_000_000)

    async def _know_projects(self, items: Collection[FeedItem]) -> None:
        """Have the names of their projects at hand."""
        if any(item.project_id is not None and item.project_id not in self._names for item in items):
            async with self._core.database.read() as connection:
                self._names = await names_by_id(connection)

    async def check(self, caller: Caller) -> None:
        """Raises Unauthenticated when the caller's token or session has ended since the stream began."""
        async with self._core.database.read() as connection:
            stored = await tokens.by_id(connection, caller.token_id)
            left = caller.session is not None and await sessions.by_hash(connection, caller.session) is None
            now = await self._core.database.clock.now(connection)
        ended = left or stored is None or stored.revoked_at is not None or (stored.expires_at or now + 1) <= now
        if ended:
            raise Unauthenticated("This token has ended.")
