"""Write transitions: the jobs' rows, their attempts, their leases and their events, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Delete, Insert, Subquery, Update, delete, exists, insert, select, update

from jobdeck.core.life.job import Job
from jobdeck.core.life.states import ENDED, State
from jobdeck.core.life.transitions import Transition
from jobdeck.store.failures import log
from jobdeck.store.jobs import jobs
from jobdeck.store.schema import attempts, leases
from jobdeck.store.sql.among import among
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.events import NewEvent
from jobdeck.store.sql.statements import INT, TEXT, insert_cells, run_batch, update_cells

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
    await _follow_attempts(tx, changes)
    await log.follow(tx, changes)
    tx.emit(*(_event(before, t, actor) for before, t in changes))


async def release(tx: Tx, ids: Sequence[int]) -> None:
    """Delete the leases of `ids`, and with them all that they hold. Releasing what is not held changes nothing."""
    await run_batch(tx.connection, _release, {"id": ids}, {"id": INT})


def _release(wanted: Subquery) -> Delete:
    in_order = select(leases.c.job_id).where(among(leases.c.job_id, select(wanted.c.id))).order_by(leases.c.job_id)
    return delete(leases).where(among(leases.c.job_id, in_order.with_for_update()))


def _event(before: Job, transition: Transition, actor: str | None) -> NewEvent:
    after = transition.job
    data = {"state": after.state.value, "from": before.state.value, **transition.data}
    return NewEvent(transition.kind, after.project_id, after.id, actor, data)


async def _follow_attempts(tx: Tx, changes: Sequence[Change]) -> None:
    """Keep the attempts' rows in step with their jobs: one that begins gets its row, one that a restart left while it
    was not over ended as canceled. One that has ended stays as it ended, unless its job is resumed."""
    begun = [t.job for before, t in changes if t.job.leased and not before.leased and t.job.state is State.RUNNING]
    known = [c for c in changes if c[0].epoch]  # the others have no row yet
    await _end_attempts(tx, known)
    await insert_cells(tx.connection, attempts, _attempt_cells([j for j in begun if j.epoch == 1], tx.now), _ATTEMPT)
    again = [j for j in begun if j.epoch > 1]
    if again:
        await run_batch(tx.connection, _insert_missing, _attempt_cells(again, tx.now), _ATTEMPT, _ATTEMPT_KEY)


def _insert_missing(batch: Subquery) -> Insert:
    there = exists().where(attempts.c.job_id == batch.c.job_id, attempts.c.attempt == batch.c.attempt)
    return insert(attempts).from_select(list(batch.c.keys()), select(*batch.c).where(~there))


_ATTEMPT_KEY = ("job_id", "attempt")
_ATTEMPT = {"job_id": INT, "attempt": INT, "state": TEXT, "worker": TEXT, "started_at": INT}
_ATTEMPT_END = {
    "job_id": INT,
    "attempt": INT,
    "state": TEXT,
    "ended_at": INT,
    "error_code": TEXT,
    "error_message": TEXT,
}


def _attempt_cells(started: Sequence[Job], now: int) -> dict[str, list[Any]]:
    return {
        "job_id": [j.id for j in started],
        "attempt": [j.attempt for j in started],
        "state": [State.RUNNING.value] * len(started),
        "worker": [j.worker for j in started],
        "started_at": [now] * len(started),
    }


async def _end_attempts(tx: Tx, changes: Sequence[Change]) -> None:
    rows: list[tuple[Any, ...]] = []
    perhaps: list[tuple[Any, ...]] = []
    for before, transition in changes:
        after = transition.job
        abandoned = after.attempt != before.attempt
        state = State.CANCELED if abandoned else after.state
        resumed = after.state is State.PENDING and not abandoned
        if (state is before.state and not abandoned) or (before.state in ENDED and not resumed):
            continue
        error = None if abandoned else after.error
        ended_at = tx.now if state in ENDED else None
        told = (error.code, error.message) if error else (None, None)
        # The attempt of a job that is being canceled may have failed before.
        of = perhaps if before.state is State.CANCELING else rows
        of.append((after.id, before.attempt, state.value, ended_at, *told))
    if rows:
        await update_cells(tx.connection, attempts, _ends(rows), _ATTEMPT_END, _ATTEMPT_KEY)
    if perhaps:
        await run_batch(tx.connection, _end_if_open, _ends(perhaps), _ATTEMPT_END, _ATTEMPT_KEY)


def _ends(rows: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    return {name: list(values) for name, values in zip(_ATTEMPT_END, zip(*rows, strict=True), strict=True)}


def _end_if_open(batch: Subquery) -> Update:
    mine = (attempts.c.job_id == batch.c.job_id, attempts.c.attempt == batch.c.attempt)
    names = ("state", "ended_at", "error_code", "error_message")
    written = {attempts.c[name]: batch.c[name] for name in names}
    return update(attempts).where(*mine, attempts.c.ended_at.is_(None)).values(written)
