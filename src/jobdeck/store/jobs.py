"""Rows of jobs: new ones, and the part of a row that its life changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, RowMapping, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.errors import ErrorInfo
from jobdeck.core.job import ChildPolicy, Children, Job
from jobdeck.core.operations import Intent
from jobdeck.core.states import ENDED, State
from jobdeck.store.batch import BOOL, FLOAT, INT, TEXT, ids_of
from jobdeck.store.bulk import insert_rows, update_rows
from jobdeck.store.database import Tx
from jobdeck.store.schema import jobs

LIFE = {
    "state": TEXT, "attempt": INT, "epoch": INT, "leased": BOOL, "state_since": INT, "queued_at": INT,
    "order_key": INT, "priority": INT, "intent": TEXT, "last_operation": TEXT, "not_before": INT, "resume_at": INT,
    "waits_for_children": BOOL, "dirty_since": INT, "losses": INT, "started_at": INT, "ended_at": INT,
    "queued_us": INT, "running_us": INT, "paused_us": INT, "fraction": FLOAT, "warnings": INT, "cause": TEXT,
    "reason": TEXT, "result": TEXT, "worker": TEXT,
}  # fmt: skip
"""The columns that transitions write, besides those of the error."""

ERROR = {f"error_{part}": TEXT for part in ("code", "message", "hint", "place", "traceback", "fingerprint")}
_LOADED = [
    *(jobs.c[name if name != "error" else "error_code"] for name in Job._fields),
    *(jobs.c[name] for name in ERROR if name != "error_code"),
]
"""In the order of the fields of Job, with the code in the place of the error; then the rest of the error."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job as submit made it; JSON as text. `run_prefix` is the parent's run id, empty at the top."""

    project_id: int
    type: str
    category: str
    isolation: str
    description: str
    subject: str | None
    params: str
    tags: str
    claims: str
    priority: int
    parent_id: int | None
    run_prefix: str
    on_child_failure: str
    created_by: int
    token_id: int | None = None
    configuration_id: int | None = None
    configuration_version: int | None = None
    copied_from: int | None = None
    dedupe_key: str | None = None
    not_before: int | None = None


async def insert_many(tx: Tx, new: Sequence[NewJob], order_keys: Sequence[int]) -> list[int]:
    """Write the rows of `new`, pending; their ids, in order."""
    ids = await _next_ids(tx, len(new))
    rows = [_row(job, key, job_id, tx.now) for job, key, job_id in zip(new, order_keys, ids, strict=True)]
    await insert_rows(tx, jobs, rows, _INSERTED)
    return ids


async def _next_ids(tx: Tx, count: int) -> list[int]:
    """Ids that no other job ever had, in growing order; known before the insert because run ids contain them."""
    if tx.dialect == "postgresql":
        query = text("SELECT nextval(pg_get_serial_sequence('jobs', 'id')) FROM generate_series(1, :count)")
        return sorted((await tx.connection.execute(query, {"count": count})).scalars())
    query = text("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'")
    last = (await tx.connection.execute(query)).scalar() or 0
    return list(range(last + 1, last + 1 + count))


def _row(job: NewJob, order_key: int, job_id: int, now: int) -> dict[str, Any]:
    names = (n for n in NewJob.__slots__ if n != "run_prefix")
    return {
        **{name: getattr(job, name) for name in names},
        "id": job_id,
        "run_id": f"{job.run_prefix}.{job_id}" if job.run_prefix else str(job_id),
        "state": str(State.PENDING),
        "order_key": order_key,
        "created_at": now,
        "state_since": now,
        "queued_at": now,
        "attempt": 1,
        **_ZERO,
    }


_ZERO = dict.fromkeys(
    ("epoch", "dirty_since", "losses", "queued_us", "running_us", "paused_us", "fraction", "warnings"), 0
) | {"leased": False}
_INSERTED = {
    "id": INT, "run_id": TEXT, "project_id": INT, "type": TEXT, "category": TEXT, "isolation": TEXT, "state": TEXT,
    "description": TEXT, "subject": TEXT, "params": TEXT, "tags": TEXT, "claims": TEXT, "priority": INT,
    "order_key": INT, "parent_id": INT, "on_child_failure": TEXT, "configuration_id": INT,
    "configuration_version": INT, "copied_from": INT, "dedupe_key": TEXT, "created_by": INT, "token_id": INT,
    "created_at": INT, "attempt": INT, "epoch": INT, "leased": BOOL, "state_since": INT, "queued_at": INT,
    "not_before": INT, "dirty_since": INT, "losses": INT, "queued_us": INT, "running_us": INT, "paused_us": INT,
    "fraction": FLOAT, "warnings": INT,
}  # fmt: skip


async def lock(tx: Tx, ids: Iterable[int]) -> dict[int, Job]:
    """The jobs among `ids` that exist, locked in the order of their ids until the transaction ends.

    The row of a job is the lock for everything about it; whoever changes lease, steps or tasks holds it."""
    wanted = ids_of(ids, tx.dialect)
    query = select(*_LOADED).join(wanted, wanted.c.id == jobs.c.id).order_by(jobs.c.id).with_for_update(of=jobs)
    found = [to_job(row) for row in await tx.connection.execute(query)]
    return {job.id: job for job in found}


def to_job(row: Row[Any]) -> Job:
    """The life of a job from a row of `_LOADED`."""
    values = list(row)
    state, intent, policy, error = (values[i] for i in _CONVERTED)
    values[_STATE] = State(state)
    values[_INTENT] = Intent(intent) if intent else None
    values[_POLICY] = ChildPolicy(policy)
    if error is not None:
        values[_ERROR] = error_of(row._mapping)  # noqa: SLF001  (SQLAlchemy's public name)
    return Job._make(values[: len(Job._fields)])


_CONVERTED = _STATE, _INTENT, _POLICY, _ERROR = tuple(
    Job._fields.index(name) for name in ("state", "intent", "on_child_failure", "error")
)


def error_of(row: RowMapping) -> ErrorInfo | None:
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
    names = _changed_fields(changed)
    if not names:
        return
    columns = {"id": INT} | {name: LIFE[name] for name in LIFE if name in names} | (ERROR if "error" in names else {})
    await update_rows(tx, jobs, [_life(after) for _, after in changed], columns, ["id"])
    # A job that ended is nobody's duplicate, also when it is resumed: an equal one may have come after it.
    ended = [after.id for before, after in changed if after.state in ENDED and before.state not in ENDED]
    if ended:
        deduplicated = jobs.c.id.in_(select(ids_of(ended, tx.dialect).c.id)) & jobs.c.dedupe_key.is_not(None)
        await tx.connection.execute(update(jobs).where(deduplicated).values(dedupe_key=None))


def _changed_fields(changed: Sequence[tuple[Job, Job]]) -> set[str]:
    """The fields that differ for any of the jobs."""
    found: set[int] = set()
    for before, after in changed:
        found.update(i for i, (old, new) in enumerate(zip(before, after, strict=True)) if old is not new and old != new)
    return {Job._fields[i] for i in found}


def _life(job: Job) -> dict[str, Any]:
    life = job._asdict()
    error = life.pop("error")
    if error is not None:
        life |= {
            f"error_{part}": getattr(error, part)
            for part in ("code", "message", "hint", "place", "traceback", "fingerprint")
        }
    return life


async def children_of(connection: AsyncConnection, parents: Iterable[int]) -> dict[int, Children]:
    """How the children of each of `parents` stand; a parent without children is left out."""
    ids = list(parents)
    if not ids:
        return {}
    wanted = ids_of(ids, connection.dialect.name, "parents")
    query = (
        select(jobs.c.parent_id, jobs.c.id, jobs.c.state)
        .join(wanted, wanted.c.id == jobs.c.parent_id)
        .order_by(jobs.c.id)
    )
    unfinished: dict[int, int] = {}
    failed: dict[int, list[int]] = {}
    for parent, child, state in await connection.execute(query):
        unfinished[parent] = unfinished.get(parent, 0) + (State(state) not in ENDED)
        failed.setdefault(parent, []).extend([child] if state in (State.FAILED, State.CANCELED) else [])
    return {parent: Children(count, tuple(failed[parent])) for parent, count in unfinished.items()}
