"""Operations on selections of jobs: look first, then run exactly what was looked at."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from typing import TypeAlias

from jobdeck.access.caller import PERMISSION_OF_OPERATION, Caller, Permission, Role
from jobdeck.core.errors import Conflict, Forbidden, InvalidInput, NotFound
from jobdeck.core.life.bulk import BulkOperation, BulkState, Outcome, TreatedGroup
from jobdeck.services import cursors
from jobdeck.services.core import Core
from jobdeck.services.jobs.queries import JobConditions, to_filter
from jobdeck.store.bulks import items, preview, records
from jobdeck.store.bulks.records import NewBulk
from jobdeck.store.bulks.records import StoredBulk as Stored
from jobdeck.store.sql.database import Row, Tx
from jobdeck.wire.base import Page, instant, micros
from jobdeck.wire.bulk import Bulk, BulkAccount, BulkGroup, BulkItem, BulkOutcome, BulkPlan, BulkRequest

PLAN_LASTS = 15 * 60 * 1_000_000
"""µs in which a plan can be run."""

BulkAsked: TypeAlias = BulkRequest[JobConditions]


class PlanExpired(Conflict, code="plan_expired"):
    """The plan was not run in time; the jobs may be in other states by now, so it has to be looked at again."""


class Bulks:
    """The use cases of operations on selections."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._database = core.database

    async def preview(self, caller: Caller, asked: BulkAsked) -> BulkPlan:
        """Name the jobs, and say how many of them allow the operation and why the others do not.

        Raises NotFound for a project in the filter that the caller cannot see."""
        caller.require(permission_of(asked.operation))
        token = secrets.token_urlsafe(32)
        bulk = await self._frozen(caller, asked, token)
        await self._database.transact(lambda tx: items.measure(tx, bulk.total))
        async with self._database.read() as connection:
            found = await preview.preview(connection, bulk)

        async def keep(tx: Tx) -> Stored:
            if bulk.with_children:
                await items.add_children(tx, bulk.id, found.along.ids)
            await records.plan(tx, bulk, found.allowed, found.refused, found.along.states)
            return _there(await records.get(tx.connection, bulk.id), bulk.id)

        kept = await self._database.transact(keep)
        return BulkPlan(**_view(kept, kept.created_at).model_dump(), token=token)

    async def _frozen(self, caller: Caller, asked: BulkAsked, token: str) -> Stored:
        """The bulk with its jobs, which from here on are these and no others."""
        chosen = asked.select
        _refuse_empty(chosen.filter)
        async with self._database.read() as connection:
            now = await self._database.clock.now(connection)
            where = await to_filter(connection, caller, chosen.filter, now) if chosen.filter is not None else None

        async def freeze(tx: Tx) -> Stored:
            bulk_id = await records.make(tx, _new(caller, asked, token, tx.now))
            if where is not None:
                await items.freeze_filter(tx, bulk_id, where)
            else:
                await items.freeze_ids(tx, bulk_id, chosen.ids or (), caller.project_id)
            return _there(await records.get(tx.connection, bulk_id), bulk_id)

        return await self._database.transact(freeze)

    async def run(self, caller: Caller, id: int, token: str) -> Bulk:
        """Let a server carry it out; with the same token again, nothing happens. Raises NotFound, PlanExpired."""
        caller.require(Permission.JOB_OPERATE)

        async def work(tx: Tx) -> Bulk:
            bulk = _visible(caller, await records.lock(tx, id), id)
            _require_plan(caller, bulk, token)
            if bulk.state is BulkState.PLANNED:
                if bulk.expires_at <= tx.now:
                    raise PlanExpired(f"The plan {id} has expired.", hint="Make a new one, and look at it again.")
                await records.start(tx, bulk, caller.token_id)
            elif bulk.started_at is None:
                raise Conflict(f"The plan {id} was discarded.", hint="Make a new one.")
            return _view(_there(await records.get(tx.connection, id), id), tx.now)

        return await self._database.transact(work)

    async def get(self, caller: Caller, id: int) -> Bulk:
        """How far it is; raises NotFound."""
        caller.require(Permission.JOB_READ)
        async with self._database.read() as connection:
            bulk = _visible(caller, await records.get(connection, id), id)
            return _view(bulk, await self._database.clock.now(connection))

    async def page(
        self, caller: Caller, cursor: str | None, limit: int, *, everyone: bool = False, unused: bool = True
    ) -> Page[Bulk]:
        """Those that the caller asked for, newest first; with `everyone`, for administrators, all that it may see.

        Without `unused`, previews that nobody has run are left out."""
        caller.require(Permission.JOB_READ)
        if everyone and caller.role is not Role.ADMIN:
            raise Forbidden("Only administrators see the operations of others.", field="everyone")
        before = cursors.number(cursor, "bulk")
        async with self._database.read() as connection:
            whose = None if everyone else caller.principal_id
            now = await self._database.clock.now(connection)
            found = await records.page(connection, whose, caller.project_id, before, limit + 1, begun=not unused)
        last = cursors.following("bulk", found, limit, lambda one: one.id)
        return Page[Bulk](items=[_view(bulk, now) for bulk in found[:limit]], next=last)

    async def under_way(self, caller: Caller) -> int:
        """How many that the caller asked for are being carried out."""
        async with self._database.read() as connection:
            return await records.count_running(connection, caller.principal_id, caller.project_id)

    async def items(
        self, caller: Caller, id: int, outcome: BulkOutcome | None, cursor: str | None, limit: int
    ) -> Page[BulkItem]:
        """Its jobs by id, and what became of each; of one outcome, or all."""
        caller.require(Permission.JOB_READ)
        after = cursors.number(cursor, f"bulk:{id}:{outcome or ''}") or 0
        async with self._database.read() as connection:
            bulk = _visible(caller, await records.get(connection, id), id)
            now = await self._database.clock.now(connection)
            pending: BulkOutcome = "waiting" if _may_go_on(bulk, now) else "untouched"
            if outcome in ("waiting", "untouched") and outcome != pending:
                return Page[BulkItem](items=[])
            wanted = Outcome(outcome) if outcome in set(Outcome) else None
            found = await items.page(connection, id, wanted, after, limit + 1, untreated=outcome == pending)
        last = cursors.following(f"bulk:{id}:{outcome or ''}", found, limit, lambda one: one["job_id"])
        return Page[BulkItem](items=[_item(row, pending) for row in found[:limit]], next=last)

    async def stop(self, caller: Caller, id: int) -> Bulk:
        """Touch no more jobs; what was done stays done. Of a plan: it cannot be run any more. Raises NotFound."""
        caller.require(Permission.JOB_OPERATE)

        async def work(tx: Tx) -> Bulk:
            bulk = _visible(caller, await records.lock(tx, id), id)
            if bulk.state in (BulkState.PLANNED, BulkState.RUNNING):
                await records.end(tx, bulk, BulkState.STOPPED, caller.name)
            return _view(_there(await records.get(tx.connection, id), id), tx.now)

        return await self._database.transact(work)


def _refuse_empty(filter: JobConditions | None) -> None:
    """A list without values would narrow nothing, and who made it meant hardly all jobs."""
    for name in filter.model_fields_set if filter is not None else ():
        if getattr(filter, name) == []:
            raise InvalidInput(
                f"The filter '{name}' has no values.", field=f"select.filter.{name}", hint="Leave it out to mean any."
            )


def permission_of(operation: BulkOperation) -> Permission:
    """The same as for one job."""
    return PERMISSION_OF_OPERATION[operation.operation] if operation.operation else Permission.JOB_OPERATE


def _new(caller: Caller, asked: BulkAsked, token: str, now: int) -> NewBulk:
    chosen = asked.select
    shown = (
        {"filter": chosen.filter.model_dump(mode="json", exclude_unset=True)}
        if chosen.filter is not None
        else {"ids": len(set(chosen.ids or ()))}
    )
    return NewBulk(
        operation=asked.operation,
        priority=asked.priority,
        reason=asked.reason,
        resume_at=micros(asked.resume_at) if asked.resume_at else None,
        selection=json.dumps(shown),
        with_children=asked.children,
        project_id=caller.project_id,
        principal_id=caller.principal_id,
        token_id=caller.token_id,
        actor=caller.name,
        plan_hash=_hash(token),
        expires_at=now + PLAN_LASTS,
    )


def _hash(token: str) -> str:
    """Of a plan's token: a fast hash is right for 256 random bits."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _visible(caller: Caller, bulk: Stored | None, id: int) -> Stored:
    """A bulk is for the one who asked for it, and for administrators; to others it does not exist."""
    if bulk is None:
        raise _no_such(id)
    mine = bulk.principal_id == caller.principal_id and caller.project_id in (None, bulk.project_id)
    if not mine and not (caller.role is Role.ADMIN and caller.sees(bulk.project_id)):
        raise _no_such(id)
    return bulk


def _there(bulk: Stored | None, id: int) -> Stored:
    if bulk is None:
        raise _no_such(id)
    return bulk


def _no_such(id: int) -> NotFound:
    return NotFound(f"There is no bulk operation {id}.", field="id", hint="GET /api/v1/bulk lists them.")


def _require_plan(caller: Caller, bulk: Stored, token: str) -> None:
    if bulk.principal_id != caller.principal_id:
        raise Conflict(f"The plan {bulk.id} is somebody else's.", hint="Make your own.")
    caller.require(permission_of(bulk.operation))
    if not hmac.compare_digest(_hash(token), bulk.plan_hash):
        raise InvalidInput(
            f"This is not the token of the plan {bulk.id}.", field="token", hint="Send the one of its preview."
        )


def _may_go_on(bulk: Stored, now: int) -> bool:
    return bulk.state is BulkState.RUNNING or (bulk.state is BulkState.PLANNED and now < bulk.expires_at)


def _item(row: Row, pending: BulkOutcome) -> BulkItem:
    return BulkItem(job=row["job_id"], outcome=row["outcome"] or pending, reason=row["reason"], text=row["text"])


def _view(bulk: Stored, now: int) -> Bulk:
    times = {name: getattr(bulk, name) for name in ("created_at", "expires_at", "started_at", "ended_at", "resume_at")}
    expired = bulk.state is BulkState.PLANNED and not _may_go_on(bulk, now)
    return Bulk(
        **{name: getattr(bulk, name) for name in _AS_IT_IS},
        **{name: None if at is None else instant(at) for name, at in times.items()},
        state="expired" if expired else str(bulk.state),
        created_by=bulk.actor,
        refused=[BulkGroup(**_group(group)) for group in bulk.refused],
        account=[BulkAccount(**_group(group), outcome=group.outcome) for group in bulk.account],
    )


_AS_IT_IS = (
    "id", "operation", "priority", "reason", "selection", "project", "total", "allowed", "done", "skipped", "failed",
    "left", "with_children", "children", "children_done",
)  # fmt: skip


def _group(group: TreatedGroup) -> dict[str, object]:
    told = group.to_json()
    del told["outcome"]
    return told
