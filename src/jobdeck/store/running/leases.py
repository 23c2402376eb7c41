"""Leases: which worker holds which job, until when, in which epoch, and what it claims. No lease, nothing held."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Select, Subquery, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.claims import Claim
from jobdeck.core.life import transitions
from jobdeck.core.life.endings import WorkerLost
from jobdeck.core.life.job import NO_CHILDREN, Job
from jobdeck.core.life.states import State
from jobdeck.store.jobs import jobs
from jobdeck.store.running import workers
from jobdeck.store.scheduling import leadership
from jobdeck.store.scheduling.leadership import Leader
from jobdeck.store.schema import jobs as jobs_table
from jobdeck.store.schema import leases, projects
from jobdeck.store.sql.among import among, ids_of
from jobdeck.store.sql.database import Database, Tx
from jobdeck.store.sql.statements import INT, TEXT, Prepared, insert_cells, run_batch

RUN, UNDO = "run", "undo"
EXPIRY_BATCH = 500


@dataclass(frozen=True, slots=True)
class Pick:
    """A decision of the scheduler: this job to that worker, to be run or to be undone."""

    job: int
    worker_id: str
    worker_name: str
    """For people; may be empty."""
    claims: str
    """JSON text of the claims that it holds while the lease lives."""
    purpose: str = RUN


class Lease(NamedTuple):
    """A live lease as its worker sees it. `ask` is what was asked of the job: `pause`, `cancel` or None."""

    job: int
    epoch: int
    purpose: str
    ask: str | None


async def assign(database: Database, leader: Leader, picks: Sequence[Pick], lease_seconds: float) -> set[int]:
    """Start the picked jobs: state, epoch, attempt, lease and claims at once. The jobs that were still to be had.

    Raises NotLeader, and then nothing was assigned."""

    async def work(tx: Tx) -> set[int]:
        leading, found, active = tx.answers
        leadership.confirm(leading, leader)
        locked = jobs.locked(found)
        takers = {worker for (worker,) in active}
        changes: list[jobs.Change] = []
        rows = []
        for pick in picks:
            job = locked.get(pick.job)
            if job is None or pick.worker_id not in takers or not _can_start(job, pick.purpose):
                continue
            start = (
                transitions.start(job, pick.worker_name, tx.now)
                if pick.purpose == RUN
                else transitions.start_undo(job, pick.worker_name)
            )
            changes.append((job, start))
            rows.append(_lease_row(pick, start.job.epoch, tx.now, lease_seconds))
        if not rows:
            return set()
        tx.called = takers
        async with tx.last_writes():
            await jobs.apply(tx, changes)
            cells = dict(zip(_COLUMNS, zip(*rows, strict=True), strict=True))
            await insert_cells(tx.connection, leases, cells, _COLUMNS)
        return {job.id for job, _ in changes}

    opening = (
        leadership.requiring(),
        jobs.locking(p.job for p in picks),
        workers.locking_active({p.worker_id for p in picks}),
    )
    return await database.transact(work, *opening, often=True, by_key=len(picks) == 1)


_COLUMNS = {
    "job_id": INT,
    "worker_id": TEXT,
    "epoch": INT,
    "purpose": TEXT,
    "ask": TEXT,
    "claims": TEXT,
    "acquired_at": INT,
    "expires_at": INT,
}


def _can_start(job: Job, purpose: str) -> bool:
    wanted = State.PENDING if purpose == RUN else State.CANCELING
    return job.state is wanted and not job.leased and not (purpose == RUN and job.waits_for_children)


def _lease_row(pick: Pick, epoch: int, now: int, lease_seconds: float) -> tuple[Any, ...]:
    """In the order of _COLUMNS."""
    ask = None if pick.purpose == RUN else "cancel"
    until = now + int(lease_seconds * 1_000_000)
    return pick.job, pick.worker_id, epoch, pick.purpose, ask, pick.claims, now, until


async def renew(tx: Tx, worker_id: str, lease_seconds: float, *, steady: bool = False) -> list[Lease]:
    """Extend all leases of a worker; what it holds now. A lease that already ran out is not revived.

    `steady`: by the worker's own steady clock none did, whatever the database's says, which may have leapt."""
    alive_at = 0 if steady else tx.now  # at the beginning of time none had run out
    until = tx.now + int(lease_seconds * 1_000_000)
    rows = await _RENEW.run(tx.connection, worker=worker_id, alive_at=alive_at, until=until)
    return [Lease._make(row) for row in rows]


_WORKER = bindparam("worker", type_=TEXT)
_LIVE = select(leases.c.job_id).where(
    leases.c.worker_id == _WORKER, leases.c.expires_at > bindparam("alive_at", type_=INT)
)
_RENEW = Prepared(
    update(leases)
    .where(among(leases.c.job_id, _LIVE.order_by(leases.c.job_id).with_for_update()))
    .values(expires_at=bindparam("until", type_=INT))
    .returning(leases.c.job_id, leases.c.epoch, leases.c.purpose, leases.c.ask)
)


async def of_worker(connection: AsyncConnection, worker_id: str) -> list[Lease]:
    """What a worker holds."""
    return [Lease._make(row) for row in await _OF_WORKER.run(connection, worker=worker_id)]


_OF_WORKER = Prepared(
    select(leases.c.job_id, leases.c.epoch, leases.c.purpose, leases.c.ask).where(leases.c.worker_id == _WORKER)
)


async def ask(tx: Tx, ids: Sequence[int], what: str) -> None:
    """Leave word at the leases of `ids` for their workers."""
    if ids:
        wanted = select(ids_of(ids).c.id)
        await tx.connection.execute(update(leases).where(among(leases.c.job_id, wanted)).values(ask=what))


async def held(connection: AsyncConnection) -> dict[int, tuple[str, tuple[Claim, ...]]]:
    """All live leases: job → worker and the claims it holds."""
    return {job: (worker, claims_of(text)) for job, worker, text in await _HELD.run(connection)}


_HELD = Prepared(select(leases.c.job_id, leases.c.worker_id, leases.c.claims))


async def taken(connection: AsyncConnection) -> list[tuple[int, str, str, int]]:
    """The places that jobs take on workers: job, worker, the isolation that says which kind of place it is, and how
    often in a row the job lost its worker."""
    return [(job, worker, isolation, losses) for job, worker, isolation, losses in await _TAKEN.run(connection)]


_TAKEN = Prepared(
    select(leases.c.job_id, leases.c.worker_id, jobs_table.c.isolation, jobs_table.c.losses).join(
        jobs_table, jobs_table.c.id == leases.c.job_id
    )
)


@lru_cache(maxsize=10_000)
def claims_of(text: str) -> tuple[Claim, ...]:
    """Claims from their JSON text."""
    return tuple(Claim.from_json(value) for value in json.loads(text))


async def expire(database: Database, leader: Leader, *, until: int | None = None) -> list[int]:
    """End the leases that ran out: each of their jobs goes where losing its worker sends it. The jobs' ids.

    `until`: the database's time (µs) at a look at which it could be trusted; by default, as it is now."""
    async with database.read() as connection:
        now = until if until is not None else await database.clock.now(connection)
        ids = await _run_out(connection, now)
    if not ids:
        return []

    async def work(tx: Tx) -> list[int]:
        await leadership.require(tx, leader)
        locked = await jobs.lock(tx, ids)
        # A renewal may have come between the look above and the lock.
        dead = [locked[i] for i in await _run_out(tx.connection, min(now, tx.now), lock=True) if i in locked]
        children = await jobs.children_of(tx.connection, (j.id for j in dead if j.has_children))
        last = await _last_begun(tx.connection, [j.id for j in dead])
        changes = [
            (j, transitions.settle(j, WorkerLost(j.id in last), tx.now, children.get(j.id, NO_CHILDREN))) for j in dead
        ]
        await jobs.apply(tx, changes)
        return [job.id for job in dead]

    return await database.transact(work, often=True)


async def _last_begun(connection: AsyncConnection, ids: Sequence[int]) -> set[int]:
    """Those of the jobs after which no other one began on their worker, of those that it still has."""
    if not ids:
        return set()
    of_workers = select(leases.c.worker_id).where(leases.c.job_id.in_(ids))
    query = select(leases.c.worker_id, leases.c.acquired_at, leases.c.job_id).where(
        leases.c.worker_id.in_(of_workers), leases.c.purpose == RUN
    )
    latest: dict[str, list[tuple[int, int]]] = {}
    for worker_id, at, job in await connection.execute(query):
        latest.setdefault(worker_id, []).append((at, job))
    last = set()
    for begun in latest.values():
        top = max(at for at, _ in begun)
        among_last = [job for at, job in begun if at == top]
        last |= set(among_last) if len(among_last) == 1 else set()
    return last


async def _run_out(connection: AsyncConnection, now: int, *, lock: bool = False) -> list[int]:
    rows = await (_LOCK_RUN_OUT if lock else _RUN_OUT).run(connection, at=now, most=EXPIRY_BATCH)
    return [job for (job,) in rows]


_OVER = (
    select(leases.c.job_id)
    .where(leases.c.expires_at <= bindparam("at", type_=INT))
    .order_by(leases.c.job_id)
    .limit(bindparam("most", type_=INT))
)
_RUN_OUT, _LOCK_RUN_OUT = Prepared(_OVER), Prepared(_OVER.with_for_update())


class Assignment(NamedTuple):
    """A job under this worker's lease; `params` is JSON text, durations µs."""

    id: int
    project: str
    type: str
    params: str
    attempt: int
    epoch: int
    purpose: str
    dirty_since: int
    fraction: float
    running_us: int
    state_since: int
    project_id: int = 0
    secrets: str | None = None
    """What is masked in `params`, sealed."""
    last_operation: str | None = None
    """What a person, or a duty, last asked of the job."""
    code: str | None = None
    """The fingerprint of the code that the attempt began with."""


async def assignments(connection: AsyncConnection, worker_id: str, ids: Sequence[int]) -> list[Assignment]:
    """The jobs among `ids` that the worker holds now."""
    cells: dict[str, list[Any]] = {"id": list(ids), "worker": [worker_id] * len(ids)}
    found = await run_batch(connection, _assignments, cells, {"id": INT, "worker": TEXT}, ("id", "worker"))
    return [Assignment._make(row) for row in found]


def _assignments(wanted: Subquery) -> Select[Any]:
    columns = {"project": projects.c.name, "epoch": leases.c.epoch, "purpose": leases.c.purpose}
    return (
        select(*(columns[name] if name in columns else jobs_table.c[name] for name in Assignment._fields))
        .join(leases, leases.c.job_id == jobs_table.c.id)
        .join(projects, projects.c.id == jobs_table.c.project_id)
        .join(wanted, (wanted.c.id == jobs_table.c.id) & (wanted.c.worker == leases.c.worker_id))
    )
