"""What is searched of a job, in SQL over its row; store/segments/searched.py says the same of columns."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Text, and_, case, false, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.filters.rules import Named
from jobdeck.core.values import encode
from jobdeck.store.schema import jobs, lineage, principals
from jobdeck.store.segments.job_filter import JobFilter, Search, folded, is_fingerprint
from jobdeck.store.segments.searched import COMMAND_TYPE, ERROR, MOST_PARAMS
from jobdeck.store.sql.numbers import wide
from jobdeck.store.views.expressions import command_line, has_text, position, small

_EMPTY, _BETWEEN = literal("", Text()), literal("\x01", Text())


async def people(connection: AsyncConnection, where: JobFilter) -> dict[str, tuple[int, ...]]:
    """The principals whose names have the words of the search, by word."""
    found: dict[str, tuple[int, ...]] = {}
    for word in where.words:
        query = select(principals.c.id).where(_within(principals.c.name, word)).order_by(principals.c.id)
        found[word] = tuple((await connection.execute(query)).scalars())
    return found


async def named(connection: AsyncConnection, where: JobFilter) -> dict[str, int]:
    """The principals whose whole names are asked for, by name."""
    names = [value for rule, value in where.asked if isinstance(rule, Named)]
    if not names:
        return {}
    query = select(principals.c.name, principals.c.id).where(principals.c.name.in_(names))
    return {row.name: row.id for row in await connection.execute(query)}


def search(asked: Search) -> ColumnElement[bool]:
    """Whether a job has all words, wherever they are; or is one of those whose ids may be meant."""
    found = [and_(*(_having(word) for word in asked.words))]
    if asked.run is not None:
        found.append(below(asked.run))
    if asked.id is not None:
        found.append(jobs.c.id == wide(asked.id))
    return or_(*found)


def below(run_id: str) -> ColumnElement[bool]:
    """The job of a run id, and all that run below it."""
    return or_(jobs.c.run_id == run_id, jobs.c.run_id.startswith(f"{run_id}.", autoescape=True))


def _having(word: str) -> ColumnElement[bool]:
    """Whether one word is anywhere."""
    creators = select(principals.c.id).where(_within(principals.c.name, word))
    touched = select(lineage.c.id).where(
        lineage.c.job_id == jobs.c.id, or_(_within(lineage.c.object, word), _within(lineage.c.name, word))
    )
    kind = [jobs.c.error_fingerprint == word] if is_fingerprint(word) else []
    return or_(_in_row(word), *kind, jobs.c.created_by.in_(creators), touched.exists())


def _in_row(word: str) -> ColumnElement[bool]:
    """Whether a word is in the texts of the row. Most rows have it nowhere, which one look at all of them tells."""
    piece, escaped = literal(word, Text()), literal(folded(encode(word)[1:-1]), Text())
    params = case((func.length(jobs.c.params) <= MOST_PARAMS, jobs.c.params), else_=_EMPTY)
    has = or_(
        _within(_own(), word),
        has_text(jobs.c.tags, piece, escaped),
        case((params != _EMPTY, has_text(jobs.c.params, piece, escaped)), else_=false()),
    )
    if escaped.value != word:
        return has
    return case((_within(_joined([_own(), jobs.c.tags, params]), word), has), else_=false())


def _within(text: ColumnElement[str], word: str) -> ColumnElement[bool]:
    return position(small(text), literal(word, Text())) > 0


def _own() -> ColumnElement[str]:
    """The texts of the row as one: each function called costs more than the longer text."""
    command = case((jobs.c.type == COMMAND_TYPE, command_line(jobs.c.params)), else_=_EMPTY)
    error = case(
        (jobs.c.error_code.is_not(None), _joined([func.coalesce(jobs.c[n], _EMPTY) for n in ERROR])), else_=_EMPTY
    )
    return _joined(
        [jobs.c.description, func.coalesce(jobs.c.subject, _EMPTY), jobs.c.type, func.coalesce(command, _EMPTY), error]
    )


def _joined(texts: Sequence[ColumnElement[str]]) -> ColumnElement[str]:
    whole = texts[0]
    for text in texts[1:]:
        whole = whole + _BETWEEN + text
    return whole
