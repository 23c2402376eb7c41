"""What tests of the store do to a database, in few words each; every call goes through the store's own functions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import insert, select, text

from jobdeck.core.claims import Claim, implicit_claims, merge, qualify
from jobdeck.core.life.endings import Ending
from jobdeck.core.life.job import ChildPolicy, Job
from jobdeck.core.life.operations import Operation
from jobdeck.core.life.records import JobLeft, Record
from jobdeck.core.life.states import State
from jobdeck.core.life.waiting import WaitingFor, order_key
from jobdeck.engine.control import Control, Result, all_along
from jobdeck.engine.scheduling.world import explain
from jobdeck.store.jobs import jobs, submissions
from jobdeck.store.jobs.submissions import NewJob
from jobdeck.store.running import attempt_writes, leases, workers
from jobdeck.store.running.attempt_writes import AttemptWrite
from jobdeck.store.running.leases import RUN, Pick
from jobdeck.store.running.workers import StoredWorker
from jobdeck.store.scheduling import leadership
from jobdeck.store.scheduling.leadership import Leader
from jobdeck.store.schema import jobs as jobs_table
from jobdeck.store.schema import metadata, principals, projects
from jobdeck.store.sql.clock import SetClock
from jobdeck.store.sql.database import Database, Tx
from jobdeck.store.sql.events import NewEvent, StoredEvent, read_after
from jobdeck.store.views import job_views

LEASE = 10.0
WORKERS = (
    StoredWorker("w1", "one", "host", 1, 4, 4, ("a", "b"), "1"),
    StoredWorker("w2", "two", "host", 2, 4, 4, ("a", "b"), "1"),
)


async def furnished(database: Database) -> None:
    async def work(tx: Tx) -> None:
        row = {"id": 1, "name": "p", "title": "p", "created_at": tx.now}
        await tx.connection.execute(insert(projects).values(row))
        row = {"id": 1, "name": "ann", "kind": "person", "created_at": tx.now}
        await tx.connection.execute(insert(principals).values(row))

    await database.transact(work)
    for worker in WORKERS:
        await workers.join(database, worker)


class NoContent:
    """Control also deletes a job's content; here there is none."""

    async def collect(self, ids: Sequence[int]) -> None: ...


def new_job(
    *claims: Claim, type: str = "a", parent: int | None = None, policy: ChildPolicy = ChildPolicy.FAIL,
    priority: int = 5, not_before: int | None = None, dedupe: str | None = None, project: tuple[int, str] = (1, "p"),
    isolation: str = "process",
) -> NewJob:  # fmt: skip
    project_id, name = project
    wanted = merge([
        *implicit_claims(name, type, parent, None), *(replace(c, resource=qualify(name, c.resource)) for c in claims)
    ])  # fmt: skip
    return NewJob(
        project_id=project_id, type=type, category="data", isolation=isolation, description="d", subject=None,
        params="{}", tags="[]", claims=json.dumps([c.to_json() for c in wanted]), priority=priority, parent_id=parent,
        run_prefix=str(parent) if parent else "", on_child_failure=str(policy), created_by=1, not_before=not_before,
        dedupe_key=dedupe,
    )  # fmt: skip


@dataclass
class Desk:
    database: Database
    clock: SetClock
    leader: Leader = field(default_factory=lambda: Leader("nobody", 0))
    newest: int = 0
    """The job that was submitted last."""

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str) -> AsyncIterator[Desk]:
        clock = SetClock()
        database = Database(url, clock=clock)
        try:
            desk = cls(database, clock)
            desk.leader = await desk.lead("s1")
            yield desk
        finally:
            await database.close()

    async def lead(self, holder: str) -> Leader:
        leader = await leadership.try_lead(self.database, holder, 6.0)
        assert leader is not None
        return leader

    async def submit(self, *new: NewJob) -> list[int]:
        async def work(tx: Tx) -> list[int]:
            parents = {n.parent_id for n in new if n.parent_id is not None}
            if parents:
                await jobs.lock(tx, parents)
            ids = await submissions.next_ids(tx, len(new))
            await submissions.insert_many(tx, new, [order_key(tx.now, n.priority) for n in new], ids)
            await submissions.mark_parents(tx, sorted(parents))
            told = ((n.project_id, i) for n, i in zip(new, ids, strict=True))
            tx.emit(*(NewEvent("submitted", project, i, "ann", {"state": "pending"}) for project, i in told))
            return ids

        ids = await self.database.transact(work, often=True, by_key=len(new) == 1)
        self.newest = ids[-1] if ids else self.newest
        return ids

    async def one(self, **more: Any) -> int:
        (job_id,) = await self.submit(new_job(**more))
        return job_id

    async def assign(self, *ids: int, worker: str = "w1", leader: Leader | None = None, purpose: str = RUN) -> set[int]:
        claims = {row["id"]: row["claims"] for row in await self.rows("jobs")}
        picks = [Pick(i, worker, worker, claims.get(i, "[]"), purpose) for i in ids]
        return await leases.assign(self.database, leader or self.leader, picks, LEASE)

    async def running(self, **more: Any) -> Job:
        job_id = await self.one(**more)
        assert await self.assign(job_id) == {job_id}
        return await self.job(job_id)

    async def write(self, job: Job, *records: Record) -> bool:
        """Whether the records landed."""
        return not await attempt_writes.write(self.database, [AttemptWrite(job.id, job.epoch, records)])

    async def leave(self, job: Job, ending: Ending) -> Job:
        assert await self.write(job, JobLeft(ending))
        return await self.job(job.id)

    async def operate(self, operation: Operation, *ids: int, **more: Any) -> list[Result]:
        control = Control(self.database, NoContent())  # type: ignore[arg-type]
        return await control.operate(list(ids), operation, actor="ann", **more)

    async def delete(self, *ids: int) -> list[Result]:
        """With all their children."""
        control = Control(self.database, NoContent())  # type: ignore[arg-type]
        return await control.delete(ids, actor="ann", chosen=all_along)

    async def expire(self, seconds: float = LEASE + 1) -> list[int]:
        self.clock.advance(seconds)
        self.leader = await self.lead(self.leader.holder)
        return await leases.expire(self.database, self.leader)

    async def job(self, job_id: int) -> Job:
        return (await self.jobs([job_id]))[job_id]

    async def jobs(self, ids: Iterable[int]) -> dict[int, Job]:
        async with self.database.read() as connection:
            return await jobs.lock(Tx(connection, self.clock.time, self.database.dialect), ids)

    async def told(self, silence: float, project_limit: int | None = None) -> dict[int, list[WaitingFor]]:
        """Why each pending job waits, as people are told; workers that were silent for so long count as gone."""
        async with self.database.read() as connection:
            pending = select(jobs_table.c.id).where(jobs_table.c.state == str(State.PENDING))
            ids = list((await connection.execute(pending)).scalars())
            found = await job_views.many(connection, ids)
            return await explain(connection, list(found.values()), self.clock.time, project_limit, silence)

    async def rows(self, table: str) -> list[dict[str, Any]]:
        async with self.database.read() as connection:
            of = metadata.tables[table]
            found = await connection.execute(select(of).order_by(*of.primary_key))
            return [dict(row) for row in found.mappings()]

    async def dump(self, *, without: Sequence[str] = ()) -> dict[str, list[dict[str, Any]]]:
        """Every row of every table."""
        return {name: await self.rows(name) for name in metadata.tables if name not in without}

    async def events(self, after: int = 0) -> list[StoredEvent]:
        async with self.database.read() as connection:
            return await read_after(connection, after, 100_000)

    async def sql(self, statement: str, **values: Any) -> None:
        async def work(tx: Tx) -> None:
            await tx.connection.execute(text(statement), values)

        await self.database.transact(work)
