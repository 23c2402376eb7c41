"""A window on a job's log: numbered lines around a place, of the levels, step and task that are asked for."""

from __future__ import annotations

import gzip
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from jobdeck.access.caller import Caller
from jobdeck.core.life.states import ENDED, State
from jobdeck.engine.logs import LogFilter, LogLine, chunk_path
from jobdeck.services.core import Core
from jobdeck.services.jobs.jobs import Jobs
from jobdeck.wire.jobs import Job

__all__ = ["LogFilter", "LogPlace", "LogSlice", "LogWindows", "NumberedLine"]

PORTION = 2000
"""Lines that are read at once."""
MOST_SCANNED = 60_000
"""Lines that one answer looks through; what is behind them is for the next."""
_REMEMBERED = 20_000
"""Chunks whose number of lines is kept in memory."""


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Lines behind the cursor `after`, in front of the line with the cursor `before`, around the line with the number
    `line`; of none of these, the last ones."""

    after: str | None = None
    before: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class NumberedLine:
    """`number` counts from 1 in the attempt's log."""

    number: int
    line: LogLine


@dataclass(frozen=True, slots=True)
class LogSlice:
    """`next`: to go on behind the last line that was looked at; `earlier`: whether there may be lines in front, and
    from where to look for them; `live`: lines may come yet; `total`: lines of the whole log."""

    lines: Sequence[NumberedLine]
    next: str | None
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
        name, _, position = cursor.partition(":")
        return self.starts.get(name, self.total + 1) + int(position) - 1

    def cursor(self, number: int) -> str | None:
        """Of the line with this number; None where there is none."""
        if not 1 <= number <= self.total:
            return None
        name = max((start, name) for name, start in self.starts.items() if start <= number)[1]
        return f"{name}:{number - self.starts[name] + 1}"


class LogWindows:
    """The use case behind the page of a log."""

    def __init__(self, core: Core, jobs: Jobs) -> None:
        self._core = core
        self._jobs = jobs
        self._counts: OrderedDict[tuple[str, int], int] = OrderedDict()

    async def get(
        self, caller: Caller, job_id: int, attempt: int | None, place: LogPlace, where: LogFilter, limit: int
    ) -> LogSlice:
        """Up to `limit` lines, oldest first; raises NotFound, InvalidInput for a cursor that is none."""
        job = await self._jobs.get(caller, job_id)
        log = await self._log(job, attempt or job.attempt)
        live = log.attempt == job.attempt and job.state not in ENDED | {State.PAUSED}
        middle = log.cursor(place.line) if place.line is not None else None
        if middle is not None:
            lines, following, earlier = await self._around(log, middle, where, limit)
        elif place.after is not None:
            (lines, following), earlier = await self._forward(log, place.after, where, limit), None
        else:
            lines, following, earlier = await self._backward(log, place.before, where, limit)
        numbered = [NumberedLine(log.number(line.cursor), line) for line in lines]
        return LogSlice(numbered, following, earlier, live, log.total)

    async def _around(
        self, log: _Log, middle: str, where: LogFilter, limit: int
    ) -> tuple[list[LogLine], str | None, str | None]:
        name, _, position = middle.partition(":")
        before, _, earlier = await self._backward(log, middle, where, limit // 2)
        behind, following = await self._forward(log, f"{name}:{int(position) - 1}", where, limit - limit // 2)
        return [*before, *behind], following, earlier

    async def _forward(self, log: _Log, after: str, where: LogFilter, limit: int) -> tuple[list[LogLine], str | None]:
        cursor: str | None = after or None
        found: list[LogLine] = []
        for _ in range(MOST_SCANNED // PORTION):
            lines, cursor = await self._core.logs.read(log.job, log.attempt, after=cursor, limit=PORTION)
            for line in lines:
                if where.fits(line):
                    found.append(line)
                    if len(found) >= limit:
                        return found, line.cursor
            if len(lines) < PORTION:
                break
        return found, cursor

    async def _backward(
        self, log: _Log, before: str | None, where: LogFilter, limit: int
    ) -> tuple[list[LogLine], str | None, str | None]:
        """Lines, the cursor behind the last one, and the `before` for those in front of them."""
        found: list[LogLine] = []
        following, place = before, before
        for _ in range(MOST_SCANNED // PORTION):
            lines, end = await self._core.logs.tail(log.job, log.attempt, PORTION, before=place)
            following = following or end
            for at in range(len(lines) - 1, -1, -1):
                place = lines[at].cursor
                if where.fits(lines[at]):
                    found.append(lines[at])
                    if len(found) >= limit:
                        earlier = None if log.number(place) <= 1 else place
                        return found[::-1], following, earlier
            if len(lines) < PORTION:
                return found[::-1], following, None
        return found[::-1], following, place

    async def _log(self, job: Job, attempt: int) -> _Log:
        folder = chunk_path(job.id, attempt, 0, 0).rpartition("/")[0]
        starts: dict[str, int] = {}
        total = 0
        for blob in await self._core.blobs.list(folder):
            starts[blob.path.rpartition("/")[2].partition(".")[0]] = total + 1
            total += await self._count(blob.path, blob.size)
        return _Log(job.id, attempt, starts, total)

    async def _count(self, path: str, size: int) -> int:
        """Lines of a chunk. One that has grown since has another size."""
        key = (path, size)
        if key not in self._counts:
            self._counts[key] = gzip.decompress(await self._core.blobs.get(path)).count(b"\n")
            while len(self._counts) > _REMEMBERED:
                self._counts.popitem(last=False)
        return self._counts[key]
