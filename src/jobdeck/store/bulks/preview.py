"""How many jobs of a selection allow the operation, and why the others do not, without loading them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import CTE, ColumnElement, FromClause, RowMapping, and_, false, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.life.bulk import (
    EXAMPLES,
    NOT_FOUND,
    TAKES_CHILDREN,
    BulkOperation,
    Outcome,
    TreatedGroup,
    Why,
    left_out,
    merged,
)
from jobdeck.core.life.operations import Subject
from jobdeck.core.life.states import State
from jobdeck.store.bulks import families
from jobdeck.store.bulks.families import Along
from jobdeck.store.bulks.records import StoredBulk
from jobdeck.store.schema import bulk_items, jobs

NOBODY = Along((), {})


@dataclass(frozen=True, slots=True)
class SelectionPreview:
    """How many jobs allow the operation, and why the others do not; `along`: children that a delete would take along,
    or takes along where that was chosen."""

    allowed: int
    refused: list[TreatedGroup]
    along: Along = NOBODY


async def preview(connection: AsyncConnection, bulk: StoredBulk) -> SelectionPreview:
    """Judge all jobs of the bulk: the database counts those that are alike, the core says what holds for each kind."""
    standing = _standing(bulk)
    kinds = _kinds(bulk, standing)
    source = _WITH_JOBS if standing is None else _WITH_JOBS.outerjoin(standing, standing.c.root == bulk_items.c.job_id)
    mine = (bulk_items.c.bulk_id == bulk.id, bulk_items.c.outcome.is_(None))
    ends = (func.min(bulk_items.c.job_id).label("first"), func.max(bulk_items.c.job_id).label("last"))
    query = select(*(k.label(name) for name, k in kinds.items()), func.count().label("jobs"), *ends)
    query = query.select_from(source).where(*mine).group_by(*kinds)
    allowed, refused = 0, await _missing(connection, bulk.id)
    for kind in (await connection.execute(query)).mappings().all():
        why = _judged(bulk, kind)
        if why is None:
            allowed += kind["jobs"]
        else:
            alike = and_(*mine, *(k.is_not_distinct_from(kind[name]) for name, k in kinds.items()))
            examples = await _examples(connection, kind, source, alike)
            refused.append(TreatedGroup(Outcome.SKIPPED, why, kind["jobs"], examples))
    along = await families.along(connection, bulk.id) if standing is not None else NOBODY
    return SelectionPreview(allowed, merged(refused), along)


_WITH_JOBS = bulk_items.outerjoin(jobs, jobs.c.id == bulk_items.c.job_id)


def _standing(bulk: StoredBulk) -> CTE | None:
    """How the families of its jobs stand, where that matters."""
    if bulk.operation is not BulkOperation.DELETE:
        return None
    return families.standing(bulk.id, families.below(bulk.id))


def _kinds(bulk: StoredBulk, standing: CTE | None) -> dict[str, ColumnElement[Any]]:
    """All that a verdict depends on."""
    same = jobs.c.priority == bulk.priority if bulk.priority is not None else false()
    return {
        "state": jobs.c.state, "last_operation": jobs.c.last_operation, "same": same,
        "children": false() if standing is None else func.coalesce(standing.c.unended, 0) > 0,
        "takes": false() if standing is None else func.coalesce(standing.c.outside, 0) > 0,
    }  # fmt: skip


def _judged(bulk: StoredBulk, kind: RowMapping) -> Why | None:
    if kind["state"] is None:
        return NOT_FOUND
    subject = Subject(0, State(kind["state"]), False, False, int(kind["children"] or 0), kind["last_operation"])
    why = left_out(bulk.operation, subject, same_priority=bool(kind["same"]))
    if why is None and kind["takes"] and not bulk.with_children:
        return TAKES_CHILDREN
    return why


async def _examples(
    connection: AsyncConnection, kind: RowMapping, source: FromClause, alike: ColumnElement[bool]
) -> tuple[int, ...]:
    if kind["jobs"] <= 2:  # the look for more may be long
        return tuple(dict.fromkeys((kind["first"], kind["last"])))
    between = bulk_items.c.job_id.between(kind["first"], kind["last"])
    query = select(bulk_items.c.job_id).select_from(source).where(alike, between)
    return tuple((await connection.execute(query.order_by(bulk_items.c.job_id).limit(EXAMPLES))).scalars())


async def _missing(connection: AsyncConnection, bulk_id: int) -> list[TreatedGroup]:
    """Ids that name no job."""
    lost = (bulk_items.c.bulk_id == bulk_id, bulk_items.c.outcome.is_not(None))
    count = (await connection.execute(select(func.count()).where(*lost))).scalar_one()
    query = select(bulk_items.c.job_id).where(*lost).order_by(bulk_items.c.job_id).limit(EXAMPLES)
    examples = tuple((await connection.execute(query)).scalars())
    return [TreatedGroup(Outcome.SKIPPED, NOT_FOUND, count, examples)] if count else []
