"""The jobs of a bulk: named once and for all, judged together for the preview, treated batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    RowMapping,
    Select,
    exists,
    insert,
    literal,
    not_,
    null,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.life.bulk import NOT_FOUND, Outcome, Treated, Why
from jobdeck.store.bulks.records import StoredBulk
from jobdeck.store.schema import bulk_items, bulks, jobs
from jobdeck.store.sql.among import ids_of
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.statements import TEXT
from jobdeck.store.views.job_lists import JobFilter, conditions

MANY = 20_000
"""Items of one bulk that are worth a second of the database's time."""
_COLUMNS = ("bulk_id", "job_id", "outcome", "reason", "text")


async def freeze_filter(tx: Tx, bulk_id: int, where: JobFilter) -> None:
    """Name the jobs that match now; later ones are never touched."""
    found = select(literal(bulk_id, BigInteger()), jobs.c.id).where(*conditions(where))
    total = await _insert(tx, ["bulk_id", "job_id"], found)
    await tx.connection.execute(update(bulks).where(bulks.c.id == bulk_id).values(total=total))


async def freeze_ids(tx: Tx, bulk_id: int, ids: Sequence[int], project_id: int | None) -> None:
    """Name the jobs with these ids. Those that are not there, or not in `project_id` (None: in any), are skipped."""
    wanted = ids_of(dict.fromkeys(ids))
    here = exists().where(jobs.c.id == wanted.c.id)
    if project_id is not None:
        here = here.where(jobs.c.project_id == project_id)
    bulk = literal(bulk_id, BigInteger())
    there = select(bulk, wanted.c.id, null(), null(), null()).where(here)
    missing = [literal(word, TEXT) for word in (str(Outcome.SKIPPED), NOT_FOUND.reason, NOT_FOUND.text)]
    found = await _insert(tx, _COLUMNS, there)
    lost = await _insert(tx, _COLUMNS, select(bulk, wanted.c.id, *missing).where(not_(here)))
    values = {"total": found + lost, "skipped": lost}
    await tx.connection.execute(update(bulks).where(bulks.c.id == bulk_id).values(values))


async def _insert(tx: Tx, columns: Sequence[str], rows: Select[Any]) -> int:
    statement = insert(bulk_items).from_select(columns, rows).execution_options(preserve_rowcount=True)
    return (await tx.connection.execute(statement)).rowcount


async def measure(tx: Tx, total: int) -> None:
    """Let PostgreSQL know of many new items at once: until it does it takes them for one, and reads them so."""
    if tx.connection.dialect.name == "postgresql" and total >= MANY:
        await tx.connection.execute(text("ANALYZE bulk_items"))


async def following(tx: Tx, bulk: StoredBulk, limit: int) -> list[int]:
    """The next jobs to be treated, in the order in which they are."""
    item = bulk_items.c
    untreated = (item.bulk_id == bulk.id, item.outcome.is_(None), item.along.is_(False))
    query = select(item.job_id).where(*untreated).limit(limit)
    if bulk.position is not None:
        query = query.where(item.job_id < bulk.position if bulk.backwards else item.job_id > bulk.position)
    query = query.order_by(item.job_id.desc() if bulk.backwards else item.job_id)
    return list((await tx.connection.execute(query)).scalars())


async def record(tx: Tx, bulk_id: int, treated: Sequence[Treated]) -> None:
    """Write what became of jobs, one statement for all with which the same happened.

    Their ids are bounded besides being named: so no plan can come to look through a selection of a million."""
    alike: dict[tuple[Outcome, Why | None], list[int]] = {}
    for one in treated:
        alike.setdefault((one.outcome, one.why), []).append(one.job)
    for (outcome, why), ids in alike.items():
        named = select(ids_of(ids).c.id)
        bounds = bulk_items.c.job_id.between(min(ids), max(ids))
        these = (bulk_items.c.bulk_id == bulk_id, bounds, bulk_items.c.job_id.in_(named))
        values = {"outcome": str(outcome), "reason": why.reason if why else None, "text": why.text if why else None}
        await tx.connection.execute(update(bulk_items).where(*these).values(values))


async def add_children(tx: Tx, bulk_id: int, ids: Sequence[int]) -> None:
    """Name the children that go with jobs of the bulk; those that come later are not among them."""
    wanted = ids_of(ids)
    found = select(literal(bulk_id, BigInteger()), wanted.c.id, literal(True))
    await _insert(tx, ["bulk_id", "job_id", "along"], found)


async def may_go(tx: Tx, ids: Sequence[int], bulk_id: int) -> list[int]:
    """Those of `ids` that were named as children that go along."""
    wanted = ids_of(ids)
    item = bulk_items.c
    query = select(item.job_id).join(wanted, wanted.c.id == item.job_id)
    return list((await tx.connection.execute(query.where(item.bulk_id == bulk_id, item.along))).scalars())


async def page(
    connection: AsyncConnection, bulk_id: int, outcome: Outcome | None, after: int, limit: int, *, untreated: bool
) -> list[RowMapping]:
    """Items behind job `after`: of one outcome, or with `untreated` those without one, or all."""
    item = bulk_items.c
    query = select(bulk_items).where(item.bulk_id == bulk_id, item.job_id > after).order_by(item.job_id).limit(limit)
    if untreated:
        query = query.where(item.outcome.is_(None), item.along.is_(False))
    elif outcome is not None:
        query = query.where(item.outcome == str(outcome))
    return list((await connection.execute(query)).mappings())
