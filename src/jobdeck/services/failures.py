"""Failures, grouped: what goes wrong, how often, since when, and in which jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from jobdeck.access.caller import Caller, Permission, visible_project
from jobdeck.core.errors import NotFound
from jobdeck.services import cursors
from jobdeck.services.core import OfCore
from jobdeck.services.jobs.queries import DEFAULT_LIMIT, MAX_LIMIT, When, Words, moment
from jobdeck.store.failures import groups
from jobdeck.store.failures.groups import Details, FailureFilter, StoredFailureGroup
from jobdeck.store.projects import names_by_id
from jobdeck.store.views import Reader
from jobdeck.wire.base import instant, storable
from jobdeck.wire.failures import FailureGroup, FailurePage, ProjectCount, Trend, TypeCount

MINUTE, HOUR, DAY = 60, 3600, 86_400
BUCKETS = (MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 7 * DAY, 28 * DAY)
"""Seconds that one part of a trend may have."""
MAX_BUCKETS = 30
MOST_BUCKETS = 200
"""Even of a range of many years; what is older is not in its trend."""
SORTS: dict[str, groups.Order] = {"-last_seen": "last_seen", "-count": "count"}


class FailureConditions(BaseModel):
    """Which failures count."""

    model_config = ConfigDict(extra="forbid")

    project: Words = Field(default=[], description="Names of projects.")
    type: Words = []
    since: When | None = Field(
        default=None, description="Failed since: `30m`, `12h`, `3d`, `2w`, or a time (RFC 3339)."
    )
    until: When | None = Field(default=None, description="Failed before.")


class FailureQuery(FailureConditions):
    """A page of groups."""

    q: Annotated[str, StringConstraints(max_length=200), AfterValidator(storable)] | None = Field(
        default=None, description="Text in the code, the place or the latest message of the group."
    )
    sort: Literal["-last_seen", "-count"] = Field(default="-last_seen", description="The latest or the largest first.")
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)
    cursor: Annotated[str, StringConstraints(max_length=cursors.MAX_CURSOR)] | None = Field(
        default=None, description="`next` of the page before."
    )


class Failures(OfCore):
    """The use cases of failures."""

    async def page(self, caller: Caller, query: FailureQuery) -> FailurePage:
        """The groups of what failed in the projects that the caller may see."""
        caller.require(Permission.JOB_READ)
        kind = f"failures:{query.sort}"
        after = cursors.decode(query.cursor, kind, int, str) if query.cursor is not None else None
        async with self._core.database.read() as connection:
            now = await self._core.database.clock.now(connection)
            where = await _filter(connection, caller, query, now)
            if query.q:
                where = replace(where, fingerprints=await groups.searched(connection, where, query.q))
            count, failed, first = await groups.totals(connection, where)
            found = await groups.page(connection, where, SORTS[query.sort], after, query.limit + 1)
            more, found = len(found) > query.limit, found[: query.limit]
            items = await _views(connection, where, found, first, now)
        last = cursors.encode(kind, getattr(found[-1], SORTS[query.sort]), found[-1].fingerprint) if more else None
        return FailurePage(items=items, next=last, groups=count, failures=failed)

    async def types(self, caller: Caller, project: str | None) -> list[str]:
        """The types of jobs of which some failed, whenever that was."""
        caller.require(Permission.JOB_READ)
        asked = FailureConditions(project=[project] if project else [])
        async with self._core.database.read() as connection:
            return await groups.types(connection, await _filter(connection, caller, asked, 0))

    async def get(self, caller: Caller, fingerprint: str, conditions: FailureConditions) -> FailureGroup:
        """One group; raises NotFound where nothing in the range has this fingerprint."""
        caller.require(Permission.JOB_READ)
        async with self._core.database.read() as connection:
            now = await self._core.database.clock.now(connection)
            where = replace(await _filter(connection, caller, conditions, now), fingerprints=(fingerprint,))
            found = await groups.page(connection, where, "count", None, 1)
            if not found:
                raise NotFound(
                    f"No failure has the fingerprint '{fingerprint[:100]}'.",
                    field="fingerprint",
                    hint="It may be older than the range that was asked for.",
                )
            (group,) = await _views(connection, where, found, found[0].first_seen, now)
        return group


async def _filter(connection: Reader, caller: Caller, asked: FailureConditions, now: int) -> FailureFilter:
    named = [(await visible_project(connection, caller, name)).id for name in dict.fromkeys(asked.project)]
    visible = None if caller.project_id is None else (caller.project_id,)
    return FailureFilter(
        project_ids=tuple(named) if named else visible,
        types=tuple(asked.type),
        since=moment(asked.since, now),
        until=moment(asked.until, now),
    )


async def _views(
    connection: Reader, where: FailureFilter, found: list[StoredFailureGroup], first: int | None, now: int
) -> list[FailureGroup]:
    """`first`: when the first failure was, for a range without a beginning."""
    begin = where.since if where.since is not None else first if first is not None else now
    end = min(now, where.until - 1) if where.until is not None else now
    seconds = bucket_of(begin, end)
    more = await groups.details(connection, where, [g.fingerprint for g in found], seconds * 1_000_000)
    names = await names_by_id(connection)
    return [_view(group, more[group.fingerprint], names, (begin, end, seconds)) for group in found]


def bucket_of(begin: int, end: int) -> int:
    """Seconds of one part of a trend from `begin` to `end` (µs), so that there are at most MAX_BUCKETS, if possible."""
    wanted = max(0, end - begin) / 1_000_000 / (MAX_BUCKETS - 1)
    return next((seconds for seconds in BUCKETS if seconds >= wanted), BUCKETS[-1])


def _view(
    group: StoredFailureGroup, more: Details, names: Mapping[int, str], span: tuple[int, int, int]
) -> FailureGroup:
    return FailureGroup(
        fingerprint=group.fingerprint,
        code=more.code,
        message=more.message,
        hint=more.hint,
        place=more.place,
        count=group.count,
        jobs_failed_now=group.failed_now,
        first_seen=instant(group.first_seen),
        last_seen=instant(group.last_seen),
        types=[TypeCount(type=name, count=count) for name, count in _largest(more.types)],
        projects=[ProjectCount(project=names.get(key, str(key)), count=n) for key, n in _largest(more.projects)],
        trend=_trend(more.trend, *span),
        latest=more.latest,
    )


def _largest(counts: Mapping[Any, int]) -> list[tuple[Any, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0])))


def _trend(counts: Mapping[int, int], begin: int, end: int, seconds: int) -> Trend:
    micros = seconds * 1_000_000
    numbers = range(begin // micros, max(begin, end) // micros + 1)[-MOST_BUCKETS:]
    since = instant(numbers[0] * micros)
    return Trend(since=since, bucket_seconds=seconds, counts=[counts.get(number, 0) for number in numbers])
