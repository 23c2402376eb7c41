"""A filter of jobs as SQL over their rows, and the expressions that lists are sorted by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Text, bindparam, case, false, func, literal, or_, select

from jobdeck.core.filters import rules
from jobdeck.core.life.states import ALIVE
from jobdeck.core.values import encode
from jobdeck.store.schema import jobs, principals
from jobdeck.store.segments.job_filter import JobFilter, Search, is_fingerprint, words_of
from jobdeck.store.sql.numbers import wide
from jobdeck.store.views.searching import below, search

CLOCK_SLACK = 60_000_000
"""µs by which the order of ids and that of the times of creation may differ: transactions overlap."""
_ALIVE = sorted(str(state) for state in ALIVE)


def conditions(where: JobFilter) -> list[ColumnElement[bool]]:
    """The filter as SQL, for a look through all rows."""
    found = row_conditions(where)
    # What was created late has a late id: a look backward from the newest finds where to stop, without an index.
    since = where.values.get("created", (None, None))[0]
    if since is not None:
        older = jobs.alias("older")
        bound = select(older.c.id).where(older.c.created_at < since - CLOCK_SLACK)
        found.append(jobs.c.id > func.coalesce(bound.order_by(older.c.id.desc()).limit(1).scalar_subquery(), 0))
    return found


def row_conditions(where: JobFilter) -> list[ColumnElement[bool]]:
    """The filter as SQL over a row alone."""
    return [condition for rule, value in where.asked for condition in _condition(rule, value, where.at)]


def _condition(rule: rules.Rule, value: Any, at: int) -> Iterator[ColumnElement[bool]]:
    """A rule as SQL, with its value; store/segments/matching.py says the same of columns."""
    match rule:
        case rules.OneOf(column):
            yield _any_of(jobs.c[column], value)
        case rules.Between("duration"):
            yield from _between(duration(at), *value)
        case rules.Between(column):
            yield from _between(jobs.c[column], *value)
        case rules.IsMissing(column):
            yield jobs.c[column].is_(None)
        case rules.Holds():
            yield or_(*(_has_tag(tag) for tag in value))
        case rules.Named(column):
            yield jobs.c[column] == select(principals.c.id).where(principals.c.name == value).scalar_subquery()
        case rules.CodeOrFingerprint():
            yield (jobs.c.error_fingerprint if is_fingerprint(value) else jobs.c.error_code) == value
        case rules.Below():
            yield below(value)
        case rules.HasWords() if words_of(value):
            yield search(Search(value))


def _any_of(column: ColumnElement[Any], values: Sequence[Any]) -> ColumnElement[bool]:
    asked = [wide(value) if isinstance(value, int) else value for value in values]
    if len(asked) == 1:
        return column == asked[0]
    return column.in_(asked) if asked else false()


def _between(column: ColumnElement[Any], since: int | None, until: int | None) -> Iterator[ColumnElement[bool]]:
    if since is not None:
        yield column >= wide(since)
    if until is not None:
        yield column < wide(until)


def duration(at: int) -> ColumnElement[int]:
    """µs that a job has run at the time `at`."""
    present = case((jobs.c.state.in_(_ALIVE) & (jobs.c.state_since < at), wide(at) - jobs.c.state_since), else_=0)
    return jobs.c.running_us + present


def _has_tag(tag: str) -> ColumnElement[bool]:
    """Whether the JSON list of tags holds `tag`. A quote inside another tag is escaped there, so this cannot be fooled.

    Not LIKE, which on SQLite takes `A` for `a`."""
    text = encode(tag)
    first, later = bindparam(None, f"[{text}", Text()), bindparam(None, f",{text}", Text())
    empty = literal("", Text())
    return or_(
        func.replace(jobs.c.tags, first, empty) != jobs.c.tags, func.replace(jobs.c.tags, later, empty) != jobs.c.tags
    )
