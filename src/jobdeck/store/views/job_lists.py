"""Lists of jobs: filters, keyset pages in any sort order, and counts by state.

Ended jobs are asked of their segments (store/segments), the others of the table of jobs; the answer is one list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    RowMapping,
    Text,
    func,
    literal,
    not_,
    or_,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.life.states import State
from jobdeck.store.schema import jobs, loose_jobs
from jobdeck.store.segments import asking
from jobdeck.store.segments.archive import Archive
from jobdeck.store.segments.asking import SegmentSnapshot
from jobdeck.store.segments.job_filter import JobFilter, Position, Sort
from jobdeck.store.segments.matching import People
from jobdeck.store.segments.ranking import Question, columns_of
from jobdeck.store.segments.spans import gaps
from jobdeck.store.segments.warming import Warmer
from jobdeck.store.sql.among import ids_of
from jobdeck.store.views.expressions import by_bytes
from jobdeck.store.views.job_conditions import conditions, duration, row_conditions
from jobdeck.store.views.job_views import joined, listed_columns
from jobdeck.store.views.occurring import Occurring, occurring
from jobdeck.store.views.searching import named, people

__all__ = ["SORTS", "JobFilter", "JobLists", "ListedRows", "Position", "Sort", "conditions"]

SORTS: dict[str, type] = {
    "created_at": int, "started_at": int, "ended_at": int, "duration": int, "priority": int, "state": str, "type": str,
}  # fmt: skip
"""What lists can be sorted by, and the type of a position's value. Ids grow with the time of creation."""


_LISTED = joined(*listed_columns(whole=False))


@dataclass(frozen=True, slots=True)
class ListedRows:
    """A page: its rows in order, and where the next one goes on, None after the last."""

    rows: Sequence[RowMapping]
    next: Position | None


class JobLists:
    """The lists of one database; keeps in memory what it has read of segments lately."""

    def __init__(self) -> None:
        self._archive = Archive()
        self._warmer = Warmer(self._archive)

    async def warm(self, connection: AsyncConnection) -> bool:
        """Read a little of what lists look at into memory; whether there may be more."""
        return await self._warmer.step(connection)

    async def page(
        self, connection: AsyncConnection, where: JobFilter, sort: Sort, after: Position | None, limit: int
    ) -> ListedRows:
        """Up to `limit` rows behind `after`; rows that arrive meanwhile never move those of later pages.

        It may be shorter, even empty, and have a next one all the same: what takes long is answered piece by piece.
        `connection` must show one moment only (see `Database.read_one_moment`)."""
        sealed, question = await self._asked(connection, where, sort)
        live = _Live(connection, where, sort, sealed)
        found = await live.first(after, limit + 1)
        until: int | None = None
        if question is not None:
            answer = await asking.first(connection, sealed, question, sort, after, limit + 1)
            found, until = [*found, *answer.jobs], answer.until
        # Everything was looked at up to `until` only: what stands behind it belongs to a later page.
        found = [job for job in found if until is None or (job[1] >= until) == sort.descending or job[1] == until]
        found.sort(reverse=sort.descending)
        rows = await _rows(connection, [job_id for _, job_id in found[:limit]])
        if len(found) > limit:
            return ListedRows(rows, Position(*found[limit - 1]))
        return ListedRows(rows, None if until is None else Position(until, until))

    async def counts(self, connection: AsyncConnection, where: JobFilter) -> dict[str, int]:
        """How many jobs match, for every state. `connection` must show one moment only."""
        sealed, question = await self._asked(connection, where, Sort())
        totals = await _Live(connection, where, Sort(), sealed).counts()
        if question is not None:
            for state, jobs_ in (await asking.counts(connection, sealed, question)).items():
                totals[state] = totals.get(state, 0) + jobs_
        return {str(state): totals.get(str(state), 0) for state in State}

    async def occurring(self, connection: AsyncConnection, project_ids: tuple[int, ...] | None) -> Occurring:
        """The types and categories that jobs of these projects have. `connection` must show one moment only."""
        sealed = (await self._sealed(connection)).having({"state", "project", "type", "category"})
        live = _Live(connection, JobFilter(), Sort(), sealed)
        return await occurring(connection, sealed, live.parts(), project_ids)

    async def _asked(
        self, connection: AsyncConnection, where: JobFilter, sort: Sort
    ) -> tuple[SegmentSnapshot, Question | None]:
        """The segments that can tell, and what they are asked; None if what is asked for has not ended."""
        sealed = await self._sealed(connection)
        if not sealed.segments or not _may_have_ended(where):
            return sealed, None
        question = await _question(connection, sealed, where)
        return sealed.having(question.columns | set(columns_of(sort))), question

    async def _sealed(self, connection: AsyncConnection) -> SegmentSnapshot:
        """The segments, and which jobs are loose."""
        sealed = await self._archive.sealed(connection)
        return SegmentSnapshot(self._archive, sealed, await self._archive.loose(connection) if sealed else [])


def _may_have_ended(where: JobFilter) -> bool:
    states = where.values.get("state")
    return states is None or not _ENDED.isdisjoint(states)


_ENDED = frozenset({"succeeded", "failed", "canceled"})


async def _question(connection: AsyncConnection, sealed: SegmentSnapshot, where: JobFilter) -> Question:
    return sealed.question(where, People(await named(connection, where), await people(connection, where)))


async def _rows(connection: AsyncConnection, ids: Sequence[int]) -> list[RowMapping]:
    """The rows of jobs in the order of `ids`."""
    if not ids:
        return []
    wanted = ids_of(ids)
    found = (await connection.execute(_LISTED.where(jobs.c.id.in_(select(wanted.c.id))))).mappings()
    by_id = {row["id"]: row for row in found}
    return [by_id[job_id] for job_id in ids if job_id in by_id]


class _Live:
    """Jobs of which no segment tells: those of ids that no segment has, and the loose ones."""

    def __init__(self, connection: AsyncConnection, where: JobFilter, sort: Sort, sealed: SegmentSnapshot) -> None:
        self._connection = connection
        self._conditions = row_conditions(where)
        self._descending = sort.descending
        self._value = _sorted_by(sort.by, where.at)
        self._kind = SORTS[sort.by]
        unsealed = gaps([segment.number for segment in sealed.segments])
        self._spans = [_span(begin, end) for begin, end in unsealed]
        self._loose = bool(sealed.loose)

    async def first(self, after: Position | None, limit: int) -> list[tuple[int | str, int]]:
        """The first `limit` jobs behind `after` of each part, as value and id, in no order."""
        keys = [jobs.c.id] if self._value is jobs.c.id else [self._value, jobs.c.id]
        order = [key.desc() if self._descending else key.asc() for key in keys]
        behind = [] if after is None else [self._behind(after)]
        query = select(self._value, jobs.c.id).where(*self._conditions, *behind).order_by(*order).limit(limit)
        found: list[tuple[int | str, int]] = []
        for part in self.parts():
            found += [(value, job_id) for value, job_id in await self._connection.execute(query.where(part))]
        return found

    async def counts(self) -> dict[str, int]:
        """How many jobs match, by state."""
        query = select(jobs.c.state, func.count()).where(*self._conditions).group_by(jobs.c.state)
        found: dict[str, int] = {}
        for part in self.parts():
            for state, count in await self._connection.execute(query.where(part)):
                found[state] = found.get(state, 0) + count
        return found

    def parts(self) -> list[ColumnElement[bool]]:
        """Each by a range of ids, or by the list of loose ids: never through the whole table."""
        if not self._loose:
            return self._spans
        loose = jobs.c.id.in_(select(loose_jobs.c.job_id))
        return [*self._spans, loose & not_(or_(*self._spans))]

    def _behind(self, after: Position) -> ColumnElement[bool]:
        if self._value is jobs.c.id:
            return jobs.c.id < after.id if self._descending else jobs.c.id > after.id
        value = literal(after.value, Text() if self._kind is str else BigInteger())
        here = tuple_(self._value, jobs.c.id)
        there = tuple_(value, literal(after.id, BigInteger()))
        return here < there if self._descending else here > there


def _span(begin: int, end: int | None) -> ColumnElement[bool]:
    return jobs.c.id >= begin if end is None else (jobs.c.id >= begin) & (jobs.c.id < end)


def _sorted_by(name: str, at: int) -> ColumnElement[Any]:
    match name:
        case "created_at":
            return jobs.c.id
        case "started_at" | "ended_at":
            return func.coalesce(jobs.c[name], 0)
        case "duration":
            return duration(at)
        case "state" | "type":
            return by_bytes(jobs.c[name])
        case _:
            return jobs.c[name]
