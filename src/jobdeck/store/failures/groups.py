"""Failures grouped by fingerprint: how many, of which types and projects, when, and the latest of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Text,
    func,
    literal,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.store.schema import failures

LATEST = 5
"""Jobs named of one group: those that failed last, each once."""
_LOOKED_AT = 20
"""Failures among which the latest jobs are looked for; one job may have failed often."""

Order = Literal["last_seen", "count"]


@dataclass(frozen=True, slots=True)
class FailureFilter:
    """Which failures count. Times in µs: from `since`, and up to but not including `until`."""

    project_ids: tuple[int, ...] | None = None
    types: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    fingerprints: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class StoredFailureGroup:
    """The failures of one fingerprint that count."""

    fingerprint: str
    count: int
    failed_now: int
    """Jobs that are failed at this moment, and failed by one of these."""
    first_seen: int
    last_seen: int


@dataclass(slots=True)
class Details:
    """More about a group. `trend`: failures by number of bucket."""

    types: dict[str, int] = field(default_factory=dict)
    projects: dict[int, int] = field(default_factory=dict)
    trend: dict[int, int] = field(default_factory=dict)
    code: str = ""
    message: str = ""
    hint: str | None = None
    place: str = ""
    latest: list[int] = field(default_factory=list)


async def page(
    connection: AsyncConnection,
    where: FailureFilter,
    order: Order,
    after: tuple[int, str] | None,
    limit: int,
) -> list[StoredFailureGroup]:
    """Up to `limit` groups behind `after` (the value that is sorted by, and a fingerprint), the largest value first."""
    value = _ORDERS[order]
    query = (
        select(
            failures.c.fingerprint,
            func.count().label("count"),
            _STILL_FAILED.label("failed_now"),
            func.min(failures.c.at).label("first_seen"),
            func.max(failures.c.at).label("last_seen"),
        )
        .where(*_conditions(where))
        .group_by(failures.c.fingerprint)
        .order_by(value.desc(), failures.c.fingerprint.desc())
        .limit(limit)
    )
    if after is not None:
        place = tuple_(literal(after[0], BigInteger()), literal(after[1], Text()))
        query = query.having(tuple_(value, failures.c.fingerprint) < place)
    return [StoredFailureGroup(*row) for row in await connection.execute(query)]


_STILL_FAILED = func.count() - func.count(failures.c.left_at)
_ORDERS: dict[Order, ColumnElement[Any]] = {"last_seen": func.max(failures.c.at), "count": func.count()}


async def types(connection: AsyncConnection, where: FailureFilter) -> list[str]:
    """The types of jobs of which some failed, in order."""
    query = select(failures.c.type).where(*_conditions(where)).distinct()
    return sorted((await connection.execute(query)).scalars())


async def totals(connection: AsyncConnection, where: FailureFilter) -> tuple[int, int, int | None]:
    """Groups, failures, and the time of the first failure (µs)."""
    of_group = select(func.count().label("failures"), func.min(failures.c.at).label("first"))
    each = of_group.where(*_conditions(where)).group_by(failures.c.fingerprint).subquery()
    query = select(func.count(), func.coalesce(func.sum(each.c.failures), 0), func.min(each.c.first))
    groups, count, first = (await connection.execute(query.select_from(each))).one()
    return groups, int(count), first


async def details(
    connection: AsyncConnection, where: FailureFilter, fingerprints: Sequence[str], bucket: int
) -> dict[str, Details]:
    """More about the groups of `fingerprints`. Bucket n of the trend begins `n * bucket` µs after 1970."""
    found = {fingerprint: Details() for fingerprint in fingerprints}
    if not found:
        return found
    number = failures.c.at // literal(bucket, BigInteger())
    by = (failures.c.fingerprint, failures.c.type, failures.c.project_id)
    query = select(*by, number.label("bucket"), func.count().label("failures"))
    query = query.where(failures.c.fingerprint.in_(fingerprints), *_conditions(where)).group_by(*by, "bucket")
    for fingerprint, type_name, project_id, place, count in await connection.execute(query):
        group = found[fingerprint]
        _add(group.types, type_name, count)
        _add(group.projects, project_id, count)
        _add(group.trend, place, count)
    await _tell_latest(connection, where, found)
    return found


def _add(counts: dict[Any, int], key: Any, count: int) -> None:
    counts[key] = counts.get(key, 0) + count


async def _tell_latest(connection: AsyncConnection, where: FailureFilter, found: dict[str, Details]) -> None:
    columns = (failures.c.fingerprint, failures.c.id, failures.c.job_id, failures.c.at)
    each = [
        select(
            select(*columns)
            .where(failures.c.fingerprint == fingerprint, *_conditions(where))
            .order_by(failures.c.at.desc(), failures.c.id.desc())
            .limit(_LOOKED_AT)
            .subquery(f"g{number}")
        )
        for number, fingerprint in enumerate(found)
    ]
    newest: dict[int, Details] = {}
    seen: dict[str, list[int]] = {}
    for fingerprint, failure, job_id, _ in await connection.execute(union_all(*each)):
        jobs = seen.setdefault(fingerprint, [])
        if not jobs:
            newest[failure] = found[fingerprint]
        if job_id not in jobs:
            jobs.append(job_id)
    for fingerprint, jobs in seen.items():
        found[fingerprint].latest = jobs[:LATEST]
    await _tell_words(connection, newest)


async def _tell_words(connection: AsyncConnection, newest: dict[int, Details]) -> None:
    words = (failures.c.id, failures.c.code, failures.c.message, failures.c.hint, failures.c.place)
    query = select(*words).where(failures.c.id.in_(newest))
    for failure, code, message, hint, place in await connection.execute(query):
        group = newest[failure]
        group.code, group.message, group.hint, group.place = code, message, hint, place


def _conditions(where: FailureFilter) -> Iterable[ColumnElement[bool]]:
    if where.project_ids is not None:
        yield failures.c.project_id.in_(where.project_ids)
    if where.types:
        yield failures.c.type.in_(where.types)
    if where.since is not None:
        yield failures.c.at >= where.since
    if where.until is not None:
        yield failures.c.at < where.until
    if where.fingerprints is not None:
        yield failures.c.fingerprint.in_(where.fingerprints)


async def searched(connection: AsyncConnection, where: FailureFilter, text: str) -> tuple[str, ...]:
    """The fingerprints of groups whose latest failure that counts has `text` in its code, place or message."""
    newest = select(func.max(failures.c.id)).where(*_conditions(where)).group_by(failures.c.fingerprint)
    has = or_(*(c.icontains(text, autoescape=True) for c in (failures.c.code, failures.c.place, failures.c.message)))
    query = select(failures.c.fingerprint).where(failures.c.id.in_(newest), has)
    return tuple((await connection.execute(query)).scalars())
