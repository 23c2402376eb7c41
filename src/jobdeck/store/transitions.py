"""Write transitions: the jobs' rows, their attempts, their leases and their events, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, exists, insert, select

from jobdeck.core.job import Job
from jobdeck.core.states import ENDED, State
from jobdeck.core.transitions import Transition
from jobdeck.store import jobs
from jobdeck.store.batch import INT, TEXT, ids_of, table_of
from jobdeck.store.bulk import update_rows
from jobdeck.store.database import Tx
from jobdeck.store.events import NewEvent
from jobdeck.store.schema import attempts, leases

Change = tuple[Job, Transition]
"""A job as it was locked, and what becomes of it."""


async def apply(tx: Tx, changes: Sequence[Change], *, actor: str | None = None) -> None:
    """Write `changes`; the jobs must have been locked in this transaction and be changed once each."""
    if not changes:
        return
    await jobs.save(tx, [(before, t.job) for before, t in changes])
    released = [before.id for before, t in changes if before.leased and not t.job.leased]
    if released:
        await release(tx, released)
    await _end_attempts(tx, changes)
    tx.emit(*(_event(before, t, actor) for before, t in changes))


async def release(tx: Tx, ids: Sequence[int]) -> None:
    """Delete the leases of `ids`, and with them all that they hold. Releasing what is not held changes nothing."""
    wanted = ids_of(ids, tx.dialect)
    in_order = select(leases.c.job_id).join(wanted, wanted.c.id == leases.c.job_id).order_by(leases.c.job_id)
    await tx.connection.execute(delete(leases).where(leases.c.job_id.in_(in_order.with_for_update(of=leases))))


def _event(before: Job, transition: Transition, actor: str | None) -> NewEvent:
    after = transition.job
    data = {"state": str(after.state), "from": str(before.state), **transition.data}
    return NewEvent(transition.kind, after.project_id, after.id, actor, data)


async def open_attempts(tx: Tx, started: Sequence[Job]) -> None:
    """A row for the attempt of each started job; one that a resumed job already has stays as it is."""
    columns = {"job_id": INT, "attempt": INT, "state": TEXT, "worker": TEXT, "started_at": INT}
    rows = [
        {"job_id": j.id, "attempt": j.attempt, "state": str(State.RUNNING), "worker": j.worker, "started_at": tx.now}
        for j in started
    ]
    batch = table_of(rows, columns, tx.dialect)
    there = exists().where(attempts.c.job_id == batch.c.job_id, attempts.c.attempt == batch.c.attempt)
    await tx.connection.execute(insert(attempts).from_select(list(columns), select(*batch.c).where(~there)))


async def _end_attempts(tx: Tx, changes: Sequence[Change]) -> None:
    """Keep the attempts' rows in step with their jobs; an attempt that a restart left ended as canceled."""
    rows = []
    for before, transition in changes:
        after = transition.job
        abandoned = after.attempt != before.attempt
        state = State.CANCELED if abandoned else after.state
        if state is before.state and not abandoned:
            continue
        rows.append({
            "job_id": after.id, "attempt": before.attempt, "state": str(state),
            "ended_at": tx.now if state in ENDED else None,
            "error_code": after.error.code if after.error and not abandoned else None,
            "error_message": after.error.message if after.error and not abandoned else None,
        })  # fmt: skip
    columns = {"job_id": INT, "attempt": INT, "state": TEXT, "ended_at": INT, "error_code": TEXT, "error_message": TEXT}
    await update_rows(tx, attempts, rows, columns, ["job_id", "attempt"])
