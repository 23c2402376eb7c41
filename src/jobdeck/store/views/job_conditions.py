"""A filter of jobs as SQL over their rows, and the expressions that lists are sorted by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Text, bindparam, case, false, func, literal, or_, select

from jobdeck.core.life.states import ALIVE
from jobdeck.core.values import encode
from jobdeck.store.schema import jobs, principals
from jobdeck.store.segments.job_filter import JobFilter
from jobdeck.store.sql.numbers import wide
from jobdeck.store.views.searching import below, search

CLOCK_SLACK = 60_000_000
"""µs by which the order of ids and that of the times of creation may differ: transactions overlap."""
_ALIVE = sorted(str(state) for state in ALIVE)


def conditions(where: JobFilter) -> list[ColumnElement[bool]]:
    """The filter as SQL, for a look through all rows."""
    found = row_conditions(where)
    # What was created late has a late id: a look backward from the newest finds where to stop, without an index.
    if where.created[0] is not None:
        older = jobs.alias("older")
        bound = select(older.c.id).where(older.c.created_at < where.created[0] - CLOCK_SLACK)
        found.append(jobs.c.id > func.coalesce(bound.order_by(older.c.id.desc()).limit(1).scalar_subquery(), 0))
    return found


def row_conditions(where: JobFilter) -> list[ColumnElement[bool]]:
    """The filter as SQL over a row alone."""
    found: list[ColumnElement[bool]] = []
    _any_of(found, jobs.c.project_id, where.project_ids)
    _any_of(found, jobs.c.state, where.states or None)
    _any_of(found, jobs.c.type, where.types or None)
    _any_of(found, jobs.c.category, where.categories or None)
    _any_of(found, jobs.c.priority, where.priorities or None)
    _any_of(found, jobs.c.worker, where.workers)
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


def duration(at: int) -> ColumnElement[int]:
    """µs that a job has run at the time `at`."""
    present = case((jobs.c.state.in_(_ALIVE) & (jobs.c.state_since < at), wide(at) - jobs.c.state_since), else_=0)
    return jobs.c.running_us + present


def _times(where: JobFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    spans = (
        (jobs.c.created_at, where.created),
        (jobs.c.started_at, where.started),
        (jobs.c.ended_at, where.ended),
        (duration(where.at), where.duration),
    )
    for column, (since, until) in spans:
        found += [column >= wide(since)] if since is not None else []
        found += [column < wide(until)] if until is not None else []
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
        found.append(below(where.run_id))
    if where.error is not None:
        found.append((jobs.c.error_fingerprint if where.fingerprint else jobs.c.error_code) == where.error)
    if where.tags:
        found.append(or_(*(_has_tag(tag) for tag in where.tags)))
    if where.q_words:
        found.append(search(where))
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
