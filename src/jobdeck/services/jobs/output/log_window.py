"""A window on a job's log: numbered lines around a place, of the levels, step and task that are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from jobdeck.access.caller import Caller
from jobdeck.core.life.states import ENDED, State
from jobdeck.engine.log_store import Portion
from jobdeck.engine.logs import LogCursor, LogEntry, LogFilter
from jobdeck.services.core import Core
from jobdeck.services.jobs.jobs import Jobs
from jobdeck.services.jobs.output.log_places import LogPlaces
from jobdeck.wire.jobs import Job

__all__ = ["LogFilter", "LogPlace", "LogSlice", "LogWindows", "NumberedLine"]


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Lines behind the cursor `after`, in front of the line with the cursor `before`, around the line with the number
    `line`; of none of these, the last ones."""

    after: str | None = None
    before: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class NumberedLine:
    """A line and its place."""

    number: int
    """Counts from 1 in the attempt's log."""
    line: LogEntry


@dataclass(frozen=True, slots=True)
class LogSlice:
    """`next`: to go on behind the last line that was looked at; `more`: whether lines wait there; `earlier`: whether
    there may be lines in front, and from where to look for them; `live`: lines may come yet; `total`: lines of the
    whole log. A search may find nothing in an answer, and something in those that follow."""

    lines: Sequence[NumberedLine]
    next: str | None
    more: bool
    earlier: str | None
    live: bool
    total: int


@dataclass(frozen=True, slots=True)
class _Log:
    """A log, and the number of the first line of each of its chunks."""

    job: int
    attempt: int
    starts: dict[str, int]
    total: int

    def number(self, cursor: str) -> int:
        place = LogCursor.parse(cursor)
        return self.starts.get(place.chunk, self.total + 1) + place.line - 1

    def place(self, number: int) -> LogCursor | None:
        """That of the line with this number; None where there is none."""
        if not 1 <= number <= self.total:
            return None
        name = max((start, name) for name, start in self.starts.items() if start <= number)[1]
        return LogCursor(name, number - self.starts[name] + 1)


class LogWindows:
    """The use case behind the page of a log."""

    def __init__(self, core: Core, jobs: Jobs, places: LogPlaces) -> None:
        self._core = core
        self._jobs = jobs
        self._places = places

    async def get(
        self, caller: Caller, job_id: int, attempt: int | None, place: LogPlace, where: LogFilter, limit: int
    ) -> LogSlice:
        """Up to `limit` lines, oldest first; raises NotFound, InvalidInput for a cursor that is none."""
        job = await self._jobs.get(caller, job_id)
        async with self._places.place(caller):
            log = await self._log(job, attempt or job.attempt)
            found = await self._read(log, place, where, limit)
        live = log.attempt == job.attempt and job.state not in ENDED | {State.PAUSED}
        numbered = [NumberedLine(log.number(line.cursor), line) for line in found.lines]
        return LogSlice(numbered, found.next, found.more, found.earlier, live, log.total)

    async def _read(self, log: _Log, place: LogPlace, where: LogFilter, limit: int) -> Portion:
        store = self._core.logs
        middle = log.place(place.line) if place.line is not None else None
        if middle is not None:
            return await self._around(log, middle, where, limit)
        if place.after is not None:
            return await store.ahead(log.job, log.attempt, after=place.after, limit=limit, where=where)
        found = await store.back(log.job, log.attempt, before=place.before, limit=limit, where=where)
        return replace(found, next=found.next or place.before)

    async def _around(self, log: _Log, middle: LogCursor, where: LogFilter, limit: int) -> Portion:
        store, half = self._core.logs, limit // 2
        front = await store.back(log.job, log.attempt, before=str(middle), limit=half, where=where)
        after = str(replace(middle, line=middle.line - 1))
        behind = await store.ahead(log.job, log.attempt, after=after, limit=limit - half, where=where)
        return replace(behind, lines=[*front.lines, *behind.lines], earlier=front.earlier)

    async def _log(self, job: Job, attempt: int) -> _Log:
        starts: dict[str, int] = {}
        total = 0
        for name, count in (await self._core.logs.counts(job.id, attempt)).items():
            starts[name] = total + 1
            total += count
        return _Log(job.id, attempt, starts, total)
