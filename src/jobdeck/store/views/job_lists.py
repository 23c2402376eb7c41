"""Lists of jobs: filters, keyset pages in any sort order, and counts by state."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    RowMapping,
    Select,
    Text,
    bindparam,
    case,
    false,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.states import State
from jobdeck.core.values import encode
from jobdeck.store.numbers import wide
from jobdeck.store.schema import jobs, principals, projects

CLOCK_SLACK = 60_000_000
"""µs by which the order of ids and that of the times of creation may differ: transactions overlap."""
MAX_LISTED_TEXT = 16 * 1024
"""Characters of parameters or result that a list shows; longer ones are left out of lists."""


@dataclass(frozen=True, slots=True)
class JobFilter:
    """What a list is narrowed to. Tuples mean any of them; None and empty tuples mean no narrowing. Times in µs."""

    project_ids: tuple[int, ...] | None = None
    states: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subject: str | None = None
    created_by: str | None = None
    token: int | None = None
    configuration: int | None = None
    parent: int | None = None
    run_id: str | None = None
    """A prefix, by whole numbers."""
    priorities: tuple[int, ...] = ()
    error: str | None = None
    """A code or a fingerprint."""
    tags: tuple[str, ...] = ()
    q: str | None = None
    created: tuple[int | None, int | None] = (None, None)
    """From, and up to but not including."""
    started: tuple[int | None, int | None] = (None, None)
    ended: tuple[int | None, int | None] = (None, None)
    top_level: bool = False


@dataclass(frozen=True, slots=True)
class Sort:
    """One of SORTS, and the direction."""

    by: str = "created_at"
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Position:
    """The last job of a page: the value it is sorted by, and its id."""

    value: int | str
    id: int


SORTS: dict[str, tuple[ColumnElement[Any], type]] = {
    "created_at": (jobs.c.id, int),
    "started_at": (func.coalesce(jobs.c.started_at, 0), int),
    "ended_at": (func.coalesce(jobs.c.ended_at, 0), int),
    "priority": (jobs.c.priority, int),
    "state": (jobs.c.state, str),
    "type": (jobs.c.type, str),
}
"""What lists can be sorted by, and the type of a position's value. Ids grow with the time of creation."""


_FINGERPRINT = re.compile(r"[0-9a-f]{12}")


def listed_columns(*, whole: bool) -> list[ColumnElement[Any]]:
    """The columns of jobs as views need them; with `whole`, long texts and the traceback too."""
    omitted = ("params", "result", "error_traceback", "dedupe_key")
    columns: list[ColumnElement[Any]] = [c for c in jobs.c if c.name not in omitted]
    columns += [projects.c.name.label("project"), principals.c.name.label("created_by_name")]
    if whole:
        return [*columns, jobs.c.params, jobs.c.result, jobs.c.error_traceback]
    return [*columns, _short(jobs.c.params, "params"), _short(jobs.c.result, "result")]


def _short(column: ColumnElement[Any], name: str) -> ColumnElement[Any]:
    """The text if it is short enough for a list, else an empty one, which no JSON is."""
    return func.substr(column, 1, _kept(column)).label(name)


def _kept(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((func.length(column) <= MAX_LISTED_TEXT, MAX_LISTED_TEXT), else_=0)


def joined(*columns: ColumnElement[Any]) -> Select[Any]:
    """A query of jobs with the names of their project and creator at hand."""
    return (
        select(*columns)
        .select_from(jobs)
        .join(projects, projects.c.id == jobs.c.project_id)
        .outerjoin(principals, principals.c.id == jobs.c.created_by)
    )


async def page(
    connection: AsyncConnection, where: JobFilter, sort: Sort, after: Position | None, limit: int
) -> Sequence[RowMapping]:
    """Up to `limit` rows behind `after`; rows that arrive meanwhile never move those of later pages."""
    column, kind = SORTS[sort.by]
    query = joined(*listed_columns(whole=False)).where(*conditions(where))
    if after is not None:
        query = query.where(_behind(column, kind, after, sort.descending))
    keys = [jobs.c.id] if column is jobs.c.id else [column, jobs.c.id]
    query = query.order_by(*(k.desc() if sort.descending else k.asc() for k in keys)).limit(limit)
    return list((await connection.execute(query)).mappings())


def _behind(column: ColumnElement[Any], kind: type, after: Position, descending: bool) -> ColumnElement[bool]:
    if column is jobs.c.id:
        return jobs.c.id < after.id if descending else jobs.c.id > after.id
    value = literal(after.value, Text() if kind is str else BigInteger())
    here = tuple_(column, jobs.c.id)
    there = tuple_(value, literal(after.id, BigInteger()))
    return here < there if descending else here > there


def position_of(row: RowMapping, sort: Sort) -> Position:
    """Where `row` stands in a list of this order."""
    if sort.by == "created_at":
        return Position(row["id"], row["id"])
    return Position(row[sort.by] if row[sort.by] is not None else 0, row["id"])


async def counts(connection: AsyncConnection, where: JobFilter) -> dict[str, int]:
    """How many jobs match, for every state."""
    query = select(jobs.c.state, func.count().label("jobs")).where(*conditions(where)).group_by(jobs.c.state)
    found = {row.state: row.jobs for row in await connection.execute(query)}
    return {str(state): found.get(str(state), 0) for state in State}


def conditions(where: JobFilter) -> list[ColumnElement[bool]]:
    """The filter as SQL."""
    found: list[ColumnElement[bool]] = []
    _any_of(found, jobs.c.project_id, where.project_ids)
    _any_of(found, jobs.c.state, where.states or None)
    _any_of(found, jobs.c.type, where.types or None)
    _any_of(found, jobs.c.category, where.categories or None)
    _any_of(found, jobs.c.priority, where.priorities or None)
    exact = (
        (jobs.c.token_id, where.token),
        (jobs.c.configuration_id, where.configuration),
        (jobs.c.parent_id, where.parent),
    )
    found += [column == wide(value) for column, value in exact if value is not None]
    if where.subject is not None:
        found.append(jobs.c.subject == where.subject)
    if where.created_by is not None:
        found.append(
            jobs.c.created_by == select(principals.c.id).where(principals.c.name == where.created_by).scalar_subquery()
        )
    return found + _times(where) + _texts(where)


def _times(where: JobFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    spans = ((jobs.c.created_at, where.created), (jobs.c.started_at, where.started), (jobs.c.ended_at, where.ended))
    for column, (since, until) in spans:
        found += [column >= since] if since is not None else []
        found += [column < until] if until is not None else []
    # What was created late has a late id: a look backward from the newest finds where to stop, without an index.
    if where.created[0] is not None:
        older = jobs.alias("older")
        bound = select(older.c.id).where(older.c.created_at < where.created[0] - CLOCK_SLACK)
        found.append(jobs.c.id > func.coalesce(bound.order_by(older.c.id.desc()).limit(1).scalar_subquery(), 0))
    return found


def _any_of(found: list[ColumnElement[bool]], column: ColumnElement[Any], values: Sequence[Any] | None) -> None:
    if values is None:
        return
    if len(values) == 1:
        found.append(column == values[0])
    else:
        found.append(column.in_(values) if values else false())


def _texts(where: JobFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if where.run_id is not None:
        found.append(or_(jobs.c.run_id == where.run_id, jobs.c.run_id.startswith(f"{where.run_id}.", autoescape=True)))
    if where.error is not None:
        fingerprint = jobs.c.error_fingerprint == where.error
        is_one = _FINGERPRINT.fullmatch(where.error) is not None  # no code looks like one
        found.append(fingerprint if is_one else jobs.c.error_code == where.error)
    if where.tags:
        found.append(or_(*(_has_tag(tag) for tag in where.tags)))
    if where.q:
        columns = (jobs.c.description, jobs.c.subject, jobs.c.type, jobs.c.run_id)
        found.append(or_(*(column.icontains(where.q, autoescape=True) for column in columns)))
    if where.top_level:
        found.append(jobs.c.parent_id.is_(None))
    return found


def _has_tag(tag: str) -> ColumnElement[bool]:
    """Whether the JSON list of tags holds `tag`. A quote inside another tag is escaped there, so this cannot be fooled.

    Not LIKE, which on SQLite takes `A` for `a`."""
    text = encode(tag)
    first, later = bindparam(None, f"[{text}", Text()), bindparam(None, f",{text}", Text())
    empty = literal("", Text())
    return or_(
        func.replace(jobs.c.tags, first, empty) != jobs.c.tags, func.replace(jobs.c.tags, later, empty) != jobs.c.tags
    )
