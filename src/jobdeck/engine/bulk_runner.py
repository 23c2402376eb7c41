"""Carries out operations on selections, a batch at a time, on the server that leads; after a restart it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from jobdeck.core.errors import JobdeckError, NotFound
from jobdeck.core.life.bulk import (
    NOT_FOUND,
    TAKES_CHILDREN,
    WENT_ALONG,
    BulkOperation,
    BulkState,
    Outcome,
    Treated,
    Why,
    left_out,
)
from jobdeck.core.life.family import HasChildren
from jobdeck.engine.control import Control, OperationCall, Result, delete_in, none_along, operate_in, prioritize_in
from jobdeck.engine.loops import Backoff, sleep_unless
from jobdeck.engine.scheduling.scheduler import Leadership
from jobdeck.store.bulks import items, records
from jobdeck.store.bulks.records import StoredBulk
from jobdeck.store.sql.database import Database, Tx

log = structlog.get_logger(__name__)

BATCH = 250
"""Jobs of one transaction: so few that nobody waits for it."""
IDLE = 0.25
"""Seconds between two looks for work."""


Lost = Callable[[Tx, StoredBulk], Awaitable[Why | None]]
"""Why the person who asked for it may not do it any more; None while that one may."""


class BulkRunner:
    """A loop: what a job became is written in the transaction that does it, so none is treated twice."""

    name = "bulk"

    def __init__(self, database: Database, leadership: Leadership, control: Control, lost: Lost) -> None:
        self._database = database
        self._leadership = leadership
        self._control = control
        self._lost = lost

    async def run(self, stop: asyncio.Event) -> None:
        backoff = Backoff(self.name)
        while not stop.is_set():
            try:
                busy = await self.turn(stop)
                backoff.succeeded()
                await sleep_unless(stop, 0.0 if busy else IDLE)
            except Exception as error:  # noqa: BLE001  (must outlive whatever goes wrong in one turn)
                await sleep_unless(stop, backoff.failed(error))

    async def turn(self, stop: asyncio.Event) -> bool:
        """A batch of each bulk that runs, if this process leads; whether there was any."""
        if self._leadership.known is None:
            return False
        async with self._database.read() as connection:
            ids = await records.running(connection)
        for bulk_id in ids:
            if stop.is_set():
                break
            await self.advance(bulk_id)
        return bool(ids)

    async def advance(self, bulk_id: int, size: int = BATCH) -> None:
        """Treat the next `size` jobs; where that cannot be done, each by itself, so that one stops no other."""
        try:
            doomed = await self._database.transact(partial(_step, bulk_id=bulk_id, size=size, lost=self._lost))
        except JobdeckError:
            raise
        except Exception as error:
            if size == 1:
                log.warning("bulk_job_failed", bulk=bulk_id, error=str(error))
                await self._database.transact(partial(_give_up, bulk_id=bulk_id, error=error))
                return
            log.exception("bulk_batch_failed", bulk=bulk_id)
            for _ in range(size):
                await self.advance(bulk_id, 1)
        else:
            await self._control.delete_content(doomed)


async def _step(tx: Tx, bulk_id: int, size: int, lost: Lost) -> list[int]:
    """The next `size` jobs of the bulk, in one transaction; the garbage that deleted ones leave."""
    bulk = await records.lock(tx, bulk_id)
    if bulk is None or bulk.state is not BulkState.RUNNING:
        return []
    ids = await items.following(tx, bulk, size)
    treated, removed, along = await _treat(tx, bulk, ids, await lost(tx, bulk)) if ids else ([], [], [])
    await items.record(tx, bulk.id, along)
    bulk = await _keep(tx, bulk, treated, len(along))
    if not (ids and bulk.left):
        await records.end(tx, bulk, BulkState.FINISHED, bulk.actor)
    return removed


async def _keep(tx: Tx, bulk: StoredBulk, treated: list[Treated], along: int = 0) -> StoredBulk:
    if not treated:
        return bulk
    await items.record(tx, bulk.id, treated)
    return await records.progress(tx, bulk, treated, treated[-1].job, along)


async def _treat(
    tx: Tx, bulk: StoredBulk, ids: list[int], lost: Why | None
) -> tuple[list[Treated], list[int], list[Treated]]:
    """Ask the operation of the jobs, in the name of the person, if that one still may; last, what went along."""
    if lost is not None:
        return [Treated(i, Outcome.SKIPPED, lost) for i in ids], [], []
    results, removed = await _operate(tx, bulk, ids)
    by_id = {result.id: result for result in results}
    along = [Treated(job.id, Outcome.DONE, WENT_ALONG) for r in results for job in r.along if r.changed]
    return [_treated(bulk, by_id[i]) for i in ids], removed, along


async def _operate(tx: Tx, bulk: StoredBulk, ids: list[int]) -> tuple[list[Result], list[int]]:
    operation = bulk.operation.operation
    if operation is None:
        return await prioritize_in(tx, ids, bulk.priority or 0, bulk.actor, bulk.id), []
    if bulk.operation is BulkOperation.DELETE:
        chosen = partial(items.may_go, bulk_id=bulk.id) if bulk.with_children else none_along
        return await delete_in(tx, ids, bulk.actor, chosen, bulk.id)
    request = OperationCall(operation, bulk.actor, bulk.reason, bulk.resume_at, bulk=bulk.id)
    return await operate_in(tx, ids, request), []


def _treated(bulk: StoredBulk, result: Result) -> Treated:
    if result.changed:
        return Treated(result.id, Outcome.DONE)
    if isinstance(result.error, NotFound) or result.before is None:
        return Treated(result.id, Outcome.SKIPPED, NOT_FOUND)
    if isinstance(result.error, HasChildren):
        came = Why(TAKES_CHILDREN.reason, "it has got children since the preview, which would be deleted with it")
        return Treated(result.id, Outcome.SKIPPED, came if bulk.with_children else TAKES_CHILDREN)
    # Refused or without effect: the rule that said so says why. Ended jobs that cannot be deleted have such children.
    subject = result.before.subject(unfinished_children=1)
    why = left_out(bulk.operation, subject, same_priority=True)
    return Treated(result.id, Outcome.SKIPPED, why or Why("state", f"it is {result.before.state}"))


async def _give_up(tx: Tx, bulk_id: int, error: Exception) -> None:
    """Note that the next job failed, and go on behind it."""
    bulk = await records.lock(tx, bulk_id)
    if bulk is None or bulk.state is not BulkState.RUNNING:
        return
    why = Why("error", f"the server met an unexpected {type(error).__name__}; its log tells more")
    treated = [Treated(i, Outcome.FAILED, why) for i in await items.following(tx, bulk, 1)]
    bulk = await _keep(tx, bulk, treated)
    if not bulk.left:
        await records.end(tx, bulk, BulkState.FINISHED, bulk.actor)
