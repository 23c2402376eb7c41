"""Logs of a job: a page, the tail, the whole as text."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from jobdeck.access.caller import Caller
from jobdeck.core.life.states import ENDED, State
from jobdeck.engine import logs
from jobdeck.engine.log_store import Portion
from jobdeck.services.core import Core
from jobdeck.services.jobs.jobs import Jobs, no_such_job
from jobdeck.services.jobs.output.log_places import LogPlaces, TooManyLogReads
from jobdeck.store.views import job_views
from jobdeck.wire.base import instant
from jobdeck.wire.steps import LogLine, LogPage

MAX_MATCHES = 100
"""Places of a text that are told of one line."""
START = "0:0"
"""The cursor before the first line."""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Lines of `attempt` (None: the present one) that fit `where`: behind the cursor `after`, or the last `tail`, or
    the last ones in front of the line with the cursor `before`."""

    attempt: int | None = None
    after: str | None = None
    before: str | None = None
    tail: int | None = None
    where: logs.LogFilter = logs.EVERY_LINE
    limit: int = 500


class JobLogs:
    """The use cases of logs."""

    def __init__(self, core: Core, jobs: Jobs, places: LogPlaces) -> None:
        self._core = core
        self._jobs = jobs
        self._places = places

    async def page(self, caller: Caller, job_id: int, asked: LogQuery) -> LogPage:
        """Lines, oldest first. `next` is the cursor to go on from; None once the job has ended and all was read."""
        attempt, ended = await self._attempt(caller, job_id, asked.attempt)
        async with self._places.place(caller):
            found = await self._read(job_id, attempt, asked)
        items = [_view(line, asked.where.q) for line in found.lines]
        if asked.before is not None:
            return LogPage(items=items, earlier=found.earlier)
        finished = ended and not found.lines and not found.more and found.earlier is None
        return LogPage(items=items, next=None if finished else found.next or START, earlier=found.earlier)

    async def warnings(self, caller: Caller, job_id: int, most: int) -> list[str]:
        """The first warnings of the present attempt; none where logs are read so much just now that one has to wait."""
        attempt, _ = await self._attempt(caller, job_id, None)
        where = logs.LogFilter(levels=("warning",))
        try:
            async with self._places.place(caller, at_once=True):
                found = await self._read(job_id, attempt, LogQuery(where=where, limit=most))
        except TooManyLogReads:
            return []
        return [line.text for line in found.lines]

    async def _read(self, job: int, attempt: int, asked: LogQuery) -> Portion:
        store, where = self._core.logs, asked.where
        if asked.before is not None:
            return await store.back(job, attempt, before=asked.before, limit=asked.limit, where=where)
        if asked.tail is not None and asked.after is None:
            return await store.back(job, attempt, limit=asked.tail, where=where)
        return await store.ahead(job, attempt, after=asked.after, limit=asked.limit, where=where)

    async def text(self, caller: Caller, job_id: int, attempt: int | None) -> AsyncIterator[bytes]:
        """The whole log of an attempt as text, in pieces."""
        chosen, _ = await self._attempt(caller, job_id, attempt)
        return self._core.logs.text(job_id, chosen, lambda: self._places.place(caller, patient=True))

    async def _attempt(self, caller: Caller, job_id: int, attempt: int | None) -> tuple[int, bool]:
        """The attempt that is meant, and whether no more lines come to its log."""
        await self._jobs.require_visible(caller, job_id)
        async with self._core.database.read() as connection:
            row = await job_views.get(connection, job_id)
        if row is None:
            raise no_such_job(job_id)
        present = int(row["attempt"])
        chosen = present if attempt is None else attempt
        return chosen, chosen != present or State(row["state"]) in ENDED


def _view(line: logs.LogEntry, q: str | None) -> LogLine:
    return LogLine(
        at=instant(line.at),
        level=line.level,
        step=line.step,
        task=line.task,
        text=line.text,
        cursor=line.cursor,
        matches=places(line.text, q),
    )


def places(text: str, q: str | None) -> list[tuple[int, int]]:
    """Where `q` stands in `text`, whatever the case: from, and up to but not including; in characters."""
    if not q:
        return []
    found = re.finditer(re.escape(q), text, re.IGNORECASE)
    return [match.span() for match in itertools.islice(found, MAX_MATCHES)]
