"""What was asked of a selection, by whom, and how far it is; each step of its life with its event."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import RowMapping, Select, delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.life.bulk import BulkOperation, BulkState, Outcome, Treated, TreatedGroup, account, merged
from jobdeck.store.schema import bulk_items, bulks, projects
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.events import Actor, NewEvent
from jobdeck.store.sql.numbers import wide

PRUNED_AT_ONCE = 5000
"""Items that are deleted in one transaction."""


@dataclass(frozen=True, slots=True)
class NewBulk:
    """What is asked, by whom. `project_id`: the one that the asker is bound to; `selection`: JSON, for people."""

    operation: BulkOperation
    priority: int | None
    reason: str | None
    resume_at: int | None
    selection: str
    with_children: bool
    project_id: int | None
    principal_id: int
    token_id: int
    actor: str
    plan_hash: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class StoredBulk:
    """An operation on a selection. Times in µs; `refused` is of the preview, the rest of the counts of the run."""

    id: int
    operation: BulkOperation
    priority: int | None
    reason: str | None
    resume_at: int | None
    selection: dict[str, Any]
    state: BulkState
    project_id: int | None
    project: str | None
    principal_id: int
    token_id: int
    actor: str
    plan_hash: str
    created_at: int
    expires_at: int
    started_at: int | None
    ended_at: int | None
    total: int
    allowed: int
    refused: list[TreatedGroup]
    done: int
    skipped: int
    failed: int
    account: list[TreatedGroup]
    position: int | None
    with_children: bool
    children: dict[str, int]
    children_done: int

    @property
    def left(self) -> int:
        """Jobs that nothing was done to yet."""
        return self.total - self.done - self.skipped - self.failed

    @property
    def backwards(self) -> bool:
        """Whether the highest ids go first: children are deleted before the parents that would take them along."""
        return self.operation is BulkOperation.DELETE


async def make(tx: Tx, new: NewBulk) -> int:
    """Write it as a plan without jobs; its id."""
    values = {name: getattr(new, name) for name in NewBulk.__slots__}
    values |= {"operation": str(new.operation), "state": str(BulkState.PLANNED), "created_at": tx.now}
    return int((await tx.connection.execute(insert(bulks).values(values).returning(bulks.c.id))).scalar_one())


async def plan(
    tx: Tx, bulk: StoredBulk, allowed: int, refused: Sequence[TreatedGroup], children: Mapping[str, int]
) -> None:
    """Keep what the preview found; `children`: those that a delete would take along, by state."""
    values = {"allowed": allowed, "refused": _text(refused), "children": json.dumps(dict(children))}
    await tx.connection.execute(update(bulks).where(bulks.c.id == bulk.id).values(values))
    data = {"bulk": bulk.id, "operation": str(bulk.operation), "total": bulk.total, "allowed": allowed}
    if bulk.with_children:
        data["children"] = sum(children.values())
    tx.emit(NewEvent("bulk.made", bulk.project_id, None, bulk.actor, data))


async def start(tx: Tx, bulk: StoredBulk, token_id: int) -> None:
    """Let it run, as the holder of this token; a server takes it up."""
    values = {"state": str(BulkState.RUNNING), "started_at": tx.now, "token_id": token_id}
    await tx.connection.execute(update(bulks).where(bulks.c.id == bulk.id).values(values))
    data = {"bulk": bulk.id, "operation": str(bulk.operation)}
    tx.emit(NewEvent("bulk.started", bulk.project_id, None, bulk.actor, data))


async def progress(tx: Tx, bulk: StoredBulk, treated: Sequence[Treated], position: int, along: int) -> StoredBulk:
    """Count what became of some more of its jobs, the last of them `position`; the bulk after it.

    `along`: children that were deleted with them."""
    counts = {str(o): getattr(bulk, o) + sum(t.outcome is o for t in treated) for o in Outcome}
    told = merged([*bulk.account, *account(treated)])
    children = bulk.children_done + along
    values = {**counts, "position": position, "account": _text(told), "children_done": children}
    await tx.connection.execute(update(bulks).where(bulks.c.id == bulk.id).values(values))
    return replace(bulk, **counts, position=position, account=told, children_done=children)


async def end(tx: Tx, bulk: StoredBulk, state: BulkState, actor: str) -> None:
    """Finished, or stopped by `actor`; what is left stays untouched."""
    values = {"state": str(state), "ended_at": tx.now}
    await tx.connection.execute(update(bulks).where(bulks.c.id == bulk.id).values(values))
    data = {
        "bulk": bulk.id, "operation": str(bulk.operation), "state": str(state), "done": bulk.done,
        "skipped": bulk.skipped, "failed": bulk.failed, "left": bulk.left,
        **({"children": bulk.children_done} if bulk.children_done else {}),
    }  # fmt: skip
    tx.emit(NewEvent("bulk.ended", bulk.project_id, None, actor, data))


async def get(connection: AsyncConnection, id: int) -> StoredBulk | None:
    """The bulk with this id."""
    row = (await connection.execute(_query().where(bulks.c.id == wide(id)))).mappings().first()
    return _bulk(row) if row is not None else None


async def lock(tx: Tx, id: int) -> StoredBulk | None:
    """The bulk, locked until the transaction ends: whoever starts, carries on or ends it holds its row."""
    query = _query().where(bulks.c.id == wide(id)).with_for_update(of=bulks)
    row = (await tx.connection.execute(query)).mappings().first()
    return _bulk(row) if row is not None else None


async def page(
    connection: AsyncConnection,
    principal_id: int | None,
    project_id: int | None,
    before: int | None,
    limit: int,
    begun: bool = False,
) -> list[StoredBulk]:
    """Those that the principal (None: anybody) asked for, newest first; `project_id`: only those of this project.

    Plans that were discarded are left out: nothing was done by them. `begun`: all that were never run are."""
    query = _query().order_by(bulks.c.id.desc()).limit(limit)
    query = query.where(bulks.c.started_at.is_not(None) | (bulks.c.state == str(BulkState.PLANNED)))
    if principal_id is not None:
        query = query.where(bulks.c.principal_id == principal_id)
    if project_id is not None:
        query = query.where(bulks.c.project_id == project_id)
    if before is not None:
        query = query.where(bulks.c.id < wide(before))
    if begun:
        query = query.where(bulks.c.started_at.is_not(None))
    return [_bulk(row) for row in (await connection.execute(query)).mappings()]


async def running(connection: AsyncConnection) -> list[int]:
    """Those to be carried on, oldest first. In the words of the partial index: a parameter could not use it."""
    query = select(bulks.c.id).where(text("state = 'running'")).order_by(bulks.c.id)
    return list((await connection.execute(query)).scalars())


async def count_running(connection: AsyncConnection, principal_id: int, project_id: int | None) -> int:
    """How many of the principal's are being carried out; `project_id`: only those made in this project."""
    query = select(func.count()).select_from(bulks).where(text("bulks.state = 'running'"))
    query = query.where(bulks.c.principal_id == principal_id)
    if project_id is not None:
        query = query.where(bulks.c.project_id == project_id)
    return int((await connection.execute(query)).scalar_one())


async def outdated(connection: AsyncConnection, unused: int, ended: int | None) -> list[int]:
    """Plans that could not be run any more since `unused`, and those that ended before `ended` (µs; None: none)."""
    old = (bulks.c.state == str(BulkState.PLANNED)) & (bulks.c.expires_at < unused)
    if ended is not None:
        old |= bulks.c.ended_at < ended
    return list((await connection.execute(select(bulks.c.id).where(old).order_by(bulks.c.id))).scalars())


async def remove(tx: Tx, id: int) -> bool:
    """Delete a part of the items of an outdated bulk, and with the last of them the bulk; whether it is gone."""
    mine = select(bulk_items.c.job_id).where(bulk_items.c.bulk_id == id).order_by(bulk_items.c.job_id)
    part = bulk_items.c.job_id.in_(mine.limit(PRUNED_AT_ONCE))
    gone = await tx.connection.execute(delete(bulk_items).where(bulk_items.c.bulk_id == id, part))
    if gone.rowcount == PRUNED_AT_ONCE:
        return False
    await tx.connection.execute(delete(bulks).where(bulks.c.id == id))
    return True


def _query() -> Select[Any]:
    return select(bulks, projects.c.name.label("project")).outerjoin(projects, projects.c.id == bulks.c.project_id)


def _bulk(row: RowMapping) -> StoredBulk:
    values = {name: row[name] for name in StoredBulk.__slots__}
    return StoredBulk(**values | {
        "operation": BulkOperation(row["operation"]), "state": BulkState(row["state"]),
        "actor": Actor(row["actor"], row["principal_id"], row["token_id"]),
        "selection": json.loads(row["selection"]), "refused": _groups(row["refused"]),
        "account": _groups(row["account"]), "children": json.loads(row["children"]),
    })  # fmt: skip


def _groups(told: str) -> list[TreatedGroup]:
    return [TreatedGroup.from_json(value) for value in json.loads(told)]


def _text(groups: Sequence[TreatedGroup]) -> str:
    return json.dumps([group.to_json() for group in groups])
