"""Rows of jobs: the part that their life changes, locked, read and written. What follows from a transition goes with it
in one transaction: attempts, leases and events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Delete, Insert, Select, Subquery, Update, delete, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.errors import ErrorInfo
from jobdeck.core.life.job import ChildPolicy, Children, Job
from jobdeck.core.life.operations import Intent
from jobdeck.core.life.states import ENDED, State
from jobdeck.core.life.transitions import Transition
from jobdeck.store.failures import log
from jobdeck.store.schema import attempts, jobs, leases
from jobdeck.store.sql.among import among, ids_of
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.driver import Rows
from jobdeck.store.sql.events import NewEvent
from jobdeck.store.sql.statements import BOOL, FLOAT, INT, TEXT, BatchQuery, insert_cells, run_batch, update_cells

LIFE = {
    "state": TEXT, "attempt": INT, "epoch": INT, "leased": BOOL, "state_since": INT, "queued_at": INT,
    "order_key": INT, "priority": INT, "intent": TEXT, "last_operation": TEXT, "not_before": INT, "resume_at": INT,
    "waits_for_children": BOOL, "dirty_since": INT, "losses": INT, "started_at": INT, "ended_at": INT,
    "queued_us": INT, "running_us": INT, "paused_us": INT, "fraction": FLOAT, "warnings": INT, "cause": TEXT,
    "reason": TEXT, "result": TEXT, "worker": TEXT, "code": TEXT, "retry": TEXT,
}  # fmt: skip
"""The columns that transitions write, besides those of the error."""

_ERROR_PARTS = ("code", "message", "hint", "place", "traceback", "fingerprint")
ERROR = {f"error_{part}": TEXT for part in _ERROR_PARTS}
_SAVED = {"id": INT} | LIFE | ERROR
_LOADED = [
    *(jobs.c[name if name != "error" else "error_code"] for name in Job._fields),
    *(jobs.c[name] for name in ERROR if name != "error_code"),
]
"""In the order of the fields of Job, with the code in the place of the error; then the rest of the error."""


async def lock(tx: Tx, ids: Iterable[int]) -> dict[int, Job]:
    """The jobs among `ids` that exist, locked in the order of their ids until the transaction ends.

    The row of a job is the lock for everything about it; whoever changes lease, steps or tasks holds it."""
    return locked(await run_batch(tx.connection, *locking(ids)))


def locking(ids: Iterable[int]) -> BatchQuery:
    """What `lock` asks, for opening a transaction with it; `locked` makes jobs of the answer."""
    return BatchQuery(_locking, {"id": list(ids)}, {"id": INT})


def locked(rows: Rows) -> dict[int, Job]:
    """The jobs by id, from the answer to `locking`."""
    found = [to_job(row) for row in rows]
    return {job.id: job for job in found}


def _locking(wanted: Subquery) -> Select[Any]:
    return select(*_LOADED).where(among(jobs.c.id, select(wanted.c.id))).order_by(jobs.c.id).with_for_update()


def to_job(row: Sequence[Any]) -> Job:
    """The life of a job from a row of `_LOADED`."""
    values = list(row[: len(Job._fields)])
    values[_STATE] = _STATES[values[_STATE]]
    values[_POLICY] = _POLICIES[values[_POLICY]]
    if values[_INTENT] is not None:
        values[_INTENT] = Intent(values[_INTENT])
    if values[_ERROR] is not None:
        error = dict(zip((c.name for c in _LOADED), row, strict=True))
        values[_ERROR] = error_of(error)
    return Job._make(values)


_STATE, _INTENT, _POLICY, _ERROR = (Job._fields.index(n) for n in ("state", "intent", "on_child_failure", "error"))
_STATES = {state.value: state for state in State}
_POLICIES = {policy.value: policy for policy in ChildPolicy}


def error_of(row: Mapping[str, Any]) -> ErrorInfo | None:
    """The error recorded in a row of jobs, if there is one."""
    if row["error_code"] is None:
        return None
    return ErrorInfo(
        row["error_code"],
        row["error_message"] or "",
        row["error_hint"],
        row["error_traceback"],
        True,
        row["error_place"] or "",
    )


async def save(tx: Tx, changed: Sequence[tuple[Job, Job]]) -> None:
    """Write what changed of jobs, given as locked and as they are to be. Their rows must be locked."""
    changed = [(before, after) for before, after in changed if before is not after]
    if not changed:
        return
    # A job that had ended is nobody's duplicate when it is resumed: an equal one may have come after it.
    reopened = [after.id for before, after in changed if before.state in ENDED and after.state not in ENDED]
    if reopened:
        wanted = select(ids_of(reopened).c.id)
        await tx.connection.execute(update(jobs).where(jobs.c.id.in_(wanted)).values(dedupe_key=None))
    await update_cells(tx.connection, jobs, _changed_cells(changed), _SAVED, ["id"])


def _changed_cells(changed: Sequence[tuple[Job, Job]]) -> dict[str, Sequence[Any]]:
    """By columns: the fields that differ for any of the jobs, as they are to be."""
    cells: dict[str, Sequence[Any]] = {}
    before = zip(*(old for old, _ in changed), strict=True)
    after = zip(*(new for _, new in changed), strict=True)
    for name, old, new in zip(Job._fields, before, after, strict=True):
        if name == "error" and old != new:
            cells |= _error_cells(new)
        elif name == "id" or old != new:
            cells[name] = new
    return cells


def _error_cells(errors: Sequence[ErrorInfo | None]) -> dict[str, Sequence[Any]]:
    return {f"error_{part}": [getattr(error, part, None) for error in errors] for part in _ERROR_PARTS}


async def children_of(connection: AsyncConnection, parents: Iterable[int]) -> dict[int, Children]:
    """How the children of each of `parents` stand; a parent without children is left out."""
    ids = list(parents)
    if not ids:
        return {}
    wanted = ids_of(ids, "parents")
    # Sorted here: for the order's sake a plan would walk through all jobs by their ids.
    query = select(jobs.c.id, jobs.c.parent_id, jobs.c.state).join(wanted, wanted.c.id == jobs.c.parent_id)
    unfinished: dict[int, int] = {}
    failed: dict[int, list[int]] = {}
    for child, parent, state in sorted(map(tuple, await connection.execute(query))):
        unfinished[parent] = unfinished.get(parent, 0) + (State(state) not in ENDED)
        failed.setdefault(parent, []).extend([child] if state in (State.FAILED, State.CANCELED) else [])
    return {parent: Children(count, tuple(failed[parent])) for parent, count in unfinished.items()}


Change = tuple[Job, Transition]
"""A job as it was locked, and what becomes of it."""


async def apply(tx: Tx, changes: Sequence[Change], *, actor: str | None = None) -> None:
    """Write `changes`; the jobs must have been locked in this transaction and be changed once each."""
    if not changes:
        return
    await save(tx, [(before, t.job) for before, t in changes])
    released = [before.id for before, t in changes if before.leased and not t.job.leased]
    if released:
        await release(tx, released)
    await _follow_attempts(tx, changes)
    failures = [c for c in changes if State.FAILED in (c[0].state, c[1].job.state)]
    if failures:
        await log.follow(tx, failures)
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
