"""The jobs of a bulk: named once and for all, judged together for the preview, treated batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    RowMapping,
    Select,
    and_,
    exists,
    false,
    func,
    insert,
    literal,
    not_,
    null,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.bulk import EXAMPLES, NOT_FOUND, BulkOperation, Group, Outcome, Treated, Why, left_out, merged
from jobdeck.core.operations import Subject
from jobdeck.core.states import ENDED, State
from jobdeck.store.batch import INT, TEXT, ids_of
from jobdeck.store.bulk import update_rows
from jobdeck.store.bulks import Bulk
from jobdeck.store.database import Tx
from jobdeck.store.schema import bulk_items, bulks, jobs
from jobdeck.store.views.job_lists import JobFilter, conditions

_COLUMNS = {"bulk_id": INT, "job_id": INT, "outcome": TEXT, "reason": TEXT, "text": TEXT}


async def freeze_filter(tx: Tx, bulk_id: int, where: JobFilter) -> None:
    """Name the jobs that match now; later ones are never touched."""
    found = select(literal(bulk_id, BigInteger()), jobs.c.id).where(*conditions(where))
    total = await _insert(tx, ["bulk_id", "job_id"], found)
    await tx.connection.execute(update(bulks).where(bulks.c.id == bulk_id).values(total=total))


async def freeze_ids(tx: Tx, bulk_id: int, ids: Sequence[int], project_id: int | None) -> None:
    """Name the jobs with these ids. Those that are not there, or not in `project_id` (None: in any), are skipped."""
    wanted = ids_of(dict.fromkeys(ids), tx.dialect)
    here = exists().where(jobs.c.id == wanted.c.id)
    if project_id is not None:
        here = here.where(jobs.c.project_id == project_id)
    bulk = literal(bulk_id, BigInteger())
    there = select(bulk, wanted.c.id, null(), null(), null()).where(here)
    missing = [literal(word, TEXT) for word in (str(Outcome.SKIPPED), NOT_FOUND.reason, NOT_FOUND.text)]
    found = await _insert(tx, list(_COLUMNS), there)
    lost = await _insert(tx, list(_COLUMNS), select(bulk, wanted.c.id, *missing).where(not_(here)))
    values = {"total": found + lost, "skipped": lost}
    await tx.connection.execute(update(bulks).where(bulks.c.id == bulk_id).values(values))


async def _insert(tx: Tx, columns: Sequence[str], rows: Select[Any]) -> int:
    statement = insert(bulk_items).from_select(columns, rows).execution_options(preserve_rowcount=True)
    return (await tx.connection.execute(statement)).rowcount


@dataclass(frozen=True, slots=True)
class Preview:
    """How many jobs allow the operation, and why the others do not."""

    allowed: int
    refused: list[Group]


async def preview(connection: AsyncConnection, bulk: Bulk) -> Preview:
    """Judge all jobs of the bulk: the database counts those that are alike, the core says what holds for each kind."""
    kinds = _kinds(bulk)
    mine = (bulk_items.c.bulk_id == bulk.id, bulk_items.c.outcome.is_(None))
    ends = (func.min(bulk_items.c.job_id).label("first"), func.max(bulk_items.c.job_id).label("last"))
    query = select(*(k.label(name) for name, k in kinds.items()), func.count().label("jobs"), *ends)
    query = query.select_from(_WITH_JOBS).where(*mine).group_by(*kinds)
    allowed, refused = 0, await _missing(connection, bulk.id)
    for kind in (await connection.execute(query)).mappings().all():
        why = _judged(bulk.operation, kind)
        if why is None:
            allowed += kind["jobs"]
        else:
            alike = and_(*mine, *(k.is_not_distinct_from(kind[name]) for name, k in kinds.items()))
            examples = await _examples(connection, kind, alike)
            refused.append(Group(Outcome.SKIPPED, why, kind["jobs"], examples))
    return Preview(allowed, merged(refused))


_WITH_JOBS = bulk_items.outerjoin(jobs, jobs.c.id == bulk_items.c.job_id)


def _kinds(bulk: Bulk) -> dict[str, ColumnElement[Any]]:
    """All that a verdict depends on."""
    same = jobs.c.priority == bulk.priority if bulk.priority is not None else false()
    child = jobs.alias("child")
    open_child = exists().where(child.c.parent_id == jobs.c.id, child.c.state.not_in([str(s) for s in ENDED]))
    family = bulk.operation is BulkOperation.DELETE
    return {
        "state": jobs.c.state, "last_operation": jobs.c.last_operation, "same": same,
        "children": and_(jobs.c.has_children, open_child) if family else false(),
    }  # fmt: skip


def _judged(operation: BulkOperation, kind: RowMapping) -> Why | None:
    if kind["state"] is None:
        return NOT_FOUND
    subject = Subject(0, State(kind["state"]), False, False, int(kind["children"] or 0), kind["last_operation"])
    return left_out(operation, subject, same_priority=bool(kind["same"]))


async def _examples(connection: AsyncConnection, kind: RowMapping, alike: ColumnElement[bool]) -> tuple[int, ...]:
    if kind["jobs"] <= 2:  # the look for more may be long
        return tuple(dict.fromkeys((kind["first"], kind["last"])))
    between = bulk_items.c.job_id.between(kind["first"], kind["last"])
    query = select(bulk_items.c.job_id).select_from(_WITH_JOBS).where(alike, between)
    return tuple((await connection.execute(query.order_by(bulk_items.c.job_id).limit(EXAMPLES))).scalars())


async def _missing(connection: AsyncConnection, bulk_id: int) -> list[Group]:
    """Ids that name no job."""
    lost = (bulk_items.c.bulk_id == bulk_id, bulk_items.c.outcome.is_not(None))
    count = (await connection.execute(select(func.count()).where(*lost))).scalar_one()
    query = select(bulk_items.c.job_id).where(*lost).order_by(bulk_items.c.job_id).limit(EXAMPLES)
    examples = tuple((await connection.execute(query)).scalars())
    return [Group(Outcome.SKIPPED, NOT_FOUND, count, examples)] if count else []


async def following(tx: Tx, bulk: Bulk, limit: int) -> list[int]:
    """The next jobs to be treated, in the order in which they are."""
    item = bulk_items.c
    query = select(item.job_id).where(item.bulk_id == bulk.id, item.outcome.is_(None)).limit(limit)
    if bulk.position is not None:
        query = query.where(item.job_id < bulk.position if bulk.backwards else item.job_id > bulk.position)
    query = query.order_by(item.job_id.desc() if bulk.backwards else item.job_id)
    return list((await tx.connection.execute(query)).scalars())


async def record(tx: Tx, bulk_id: int, treated: Sequence[Treated]) -> None:
    """Write what became of jobs."""
    rows = [
        {
            "bulk_id": bulk_id, "job_id": t.job, "outcome": str(t.outcome), "reason": t.why.reason if t.why else None,
            "text": t.why.text if t.why else None,
        }
        for t in treated
    ]  # fmt: skip
    await update_rows(tx, bulk_items, rows, _COLUMNS, ["bulk_id", "job_id"])


async def page(
    connection: AsyncConnection, bulk_id: int, outcome: Outcome | None, after: int, limit: int, *, untreated: bool
) -> list[RowMapping]:
    """Items behind job `after`: of one outcome, or with `untreated` those without one, or all."""
    item = bulk_items.c
    query = select(bulk_items).where(item.bulk_id == bulk_id, item.job_id > after).order_by(item.job_id).limit(limit)
    if untreated:
        query = query.where(item.outcome.is_(None))
    elif outcome is not None:
        query = query.where(item.outcome == str(outcome))
    return list((await connection.execute(query)).mappings())
