"""Logs of a job: a page, the tail, the whole as text."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from jobdeck.access.caller import Caller
from jobdeck.core.life.states import ENDED, State
from jobdeck.engine import logs
from jobdeck.services.core import Core
from jobdeck.services.jobs.jobs import Jobs, no_such_job
from jobdeck.store.views import job_views
from jobdeck.wire.base import Page, instant
from jobdeck.wire.steps import LogLine

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

    def __init__(self, core: Core, jobs: Jobs) -> None:
        self._core = core
        self._jobs = jobs

    async def page(self, caller: Caller, job_id: int, asked: LogQuery) -> Page[LogLine]:
        """Lines, oldest first. `next` is the cursor to go on from; None once the job has ended and all was read."""
        attempt, ended = await self._attempt(caller, job_id, asked.attempt)
        store, where = self._core.logs, asked.where
        if asked.before is not None:
            lines, _ = await store.tail(job_id, attempt, asked.limit, where=where, before=asked.before)
            return Page[LogLine](items=[_view(line, where.q) for line in lines])
        if asked.tail is not None and asked.after is None:
            lines, cursor = await store.tail(job_id, attempt, asked.tail, where=where)
        else:
            lines, cursor = await store.read(job_id, attempt, after=asked.after, limit=asked.limit, where=where)
        finished = ended and not lines
        return Page[LogLine](items=[_view(line, where.q) for line in lines], next=None if finished else cursor or START)

    async def text(self, caller: Caller, job_id: int, attempt: int | None) -> AsyncIterator[bytes]:
        """The whole log of an attempt as text, in pieces."""
        chosen, _ = await self._attempt(caller, job_id, attempt)
        return self._core.logs.text(job_id, chosen)

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


def _view(line: logs.LogLine, q: str | None) -> LogLine:
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
