"""The plans of the hot queries: each uses its index, whatever has ended and piled up over the years."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event

from jobdeck.core.life.job import Job
from jobdeck.core.life.records import PlannedTask, Record, StepClosed, StepOpened, TaskEnded
from jobdeck.core.life.states import StepState
from jobdeck.store.jobs import jobs, submissions
from jobdeck.store.running import attempt_writes, leases, progress
from jobdeck.store.running.attempt_writes import AttemptWrite
from jobdeck.store.scheduling import due, families, queue
from jobdeck.store.segments import sealing
from jobdeck.store.segments.job_filter import JobFilter, Position, Sort
from jobdeck.store.sql import events
from jobdeck.store.sql.database import Connection, Tx
from jobdeck.store.sql.driver import Call, Driver, Rows
from jobdeck.store.sql.postgres_driver import PostgresDriver, below_of
from jobdeck.store.sql.sqlite_driver import SqliteDriver, placed
from jobdeck.store.views.job_lists import SORTS, JobLists
from tests.store.desk import Desk, new_job
from tests.store.test_segments import sealed_rows

ENDED = 3000
OPEN = 30

Query = Callable[[Desk], Awaitable[Any]]


async def filled(desk: Desk) -> None:
    ids = await desk.submit(*[new_job(dedupe=str(i)) for i in range(ENDED + OPEN)])
    await desk.sql("UPDATE jobs SET state = 'succeeded', ended_at = 1 WHERE id <= :last", last=ids[ENDED - 1])
    await desk.assign(*ids[ENDED : ENDED + 10])
    if desk.database.dialect == "postgresql":
        await desk.sql("ANALYZE")


def _engines(desk: Desk) -> set[Engine]:
    engines = {desk.database._writer.sync_engine, desk.database._reader.sync_engine}
    if (at_hand := desk.database._at_hand) is not None:
        engines |= {at_hand.many.sync_engine, at_hand.one.sync_engine}
    return engines


@asynccontextmanager
async def plans(desk: Desk) -> AsyncIterator[list[str]]:
    """The plans of the SELECTs, UPDATEs and DELETEs that run meanwhile, as the database itself explains them."""
    told: list[str] = []
    explain = "EXPLAIN QUERY PLAN " if desk.database.dialect == "sqlite" else "EXPLAIN "

    def listen(_c: Any, cursor: Any, statement: str, parameters: Any, _x: Any, many: bool) -> None:
        if statement.lstrip().split()[0] in ("SELECT", "UPDATE", "DELETE") and "pg_" not in statement:
            if desk.database.dialect == "postgresql":  # a scan may be cheaper at this size; there must be a way around
                cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(explain + statement, parameters[0] if many else parameters)
            told.append(statement + "\n" + "\n".join(str(row[-1]) for row in cursor.fetchall()))

    kind = PostgresDriver if desk.database.dialect == "postgresql" else SqliteDriver
    plainly: Callable[..., Awaitable[Rows]] = kind.run

    async def explained(self: Driver, connection: Connection, call: Call) -> Rows:
        """Prepared statements pass SQLAlchemy by."""
        text = call.statement.text
        if text.lstrip().split()[0] in ("SELECT", "UPDATE", "DELETE") and "pg_" not in text:
            below: Any = await below_of(connection)
            if kind is PostgresDriver:
                await below.execute("SET LOCAL enable_seqscan = off")
                cursor = await below.execute(explain + text, {**call.statement.own, **call.parameters})
                rows = await cursor.fetchall()
            else:
                rows = await below.execute_fetchall(explain + text, placed(call)[1])
            assert rows
            told.append(text + "\n" + "\n".join(str(row[-1]) for row in rows))
        return await plainly(self, connection, call)

    engines = _engines(desk)
    for engine in engines:
        event.listen(engine, "before_cursor_execute", listen)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "run", explained)
        yield told
    for engine in engines:
        event.remove(engine, "before_cursor_execute", listen)


def reading(function: Callable[..., Awaitable[Any]], *arguments: Any) -> Query:
    async def run(desk: Desk) -> None:
        async with desk.database.read() as connection:
            await function(connection, *arguments)

    return run


def writing(function: Callable[..., Awaitable[Any]], *arguments: Any) -> Query:
    async def run(desk: Desk) -> None:
        async def work(tx: Tx) -> None:
            await function(tx, *arguments)

        await desk.database.transact(work)

    return run


async def _assign(desk: Desk) -> None:
    """Of the last job, whichever id it has: ids that a transaction took that had to run again are used by none."""
    pick = leases.Pick(desk.newest, "w1", "w1", "[]")
    assert await leases.assign(desk.database, desk.leader, [pick], 10)


async def _settle(desk: Desk) -> None:
    await families.settle(desk.database, desk.leader, [5, ENDED + 5])


async def _expire(desk: Desk) -> None:
    assert await desk.expire()


HOT: dict[str, Query] = {
    "open jobs": reading(queue.open_jobs, None, 5000),
    "jobs by id": reading(queue.jobs_by_id, [1, 7, 3]),
    "leases of a worker": reading(leases.of_worker, "w1"),
    "renewal": writing(leases.renew, "w1", 10.0),
    "expiry": _expire,
    "assignment": _assign,
    "families": _settle,
    "events after": reading(events.read_after, 10, 100),
    "events and new jobs": reading(queue.happened_after, 10, 100),
    "events of a job": reading(lambda c: events.read_after(c, 10, 100, job=5)),
    "lock": writing(jobs.lock, [5, 6]),
    "due pauses": reading(due.to_resume, 10**18),
    "progress": reading(progress.of_running),
    "duplicates": writing(submissions.open_duplicates, ["3", "3010"]),
    "children": reading(jobs.children_of, [5, 6]),
    "unended children": reading(queue.unended_children, [5, 6]),
    "segments to seal": reading(sealing._nearly_ended, [0, 1], 5),
    "position": reading(queue.standings, [ENDED + 20], 10**18),
}


def _scans(plan: str, dialect: str) -> bool:
    """Whether it walks through all of the jobs or all of the events."""
    if dialect == "postgresql":
        return any(f"Seq Scan on {t}" in plan for t in ("jobs", "events"))
    return any(line in (f"SCAN {t}" for t in ("jobs", "events")) for line in plan.splitlines())


@pytest.fixture
async def full_desk(desk: Desk) -> Desk:
    await filled(desk)
    return desk


async def test_hot_queries_use_their_indexes(full_desk: Desk) -> None:
    dialect = full_desk.database.dialect
    bad: list[str] = []
    for name, query in HOT.items():
        async with plans(full_desk) as told:
            await query(full_desk)
        assert told, name
        bad += [f"{name}: {plan}" for plan in told if _scans(plan, dialect)]
    assert not bad, "\n\n".join(bad)


async def test_open_jobs_are_found_by_the_index_of_open_jobs(full_desk: Desk) -> None:
    """By the primary key it would walk over everything that ever ended."""
    for name in ("open jobs", "due pauses", "progress"):
        async with plans(full_desk) as told:
            await HOT[name](full_desk)
        # Both of these indexes hold open jobs only.
        assert all("ix_jobs_open" in plan or "uq_jobs_dedupe" in plan for plan in told), told


async def test_assignments_are_found_by_their_jobs(sqlite_desk: Desk) -> None:
    """By the worker, which is the same for all, it would compare each of its leases with each of the jobs."""
    desk = sqlite_desk
    await filled(desk)
    async with plans(desk) as told:
        await reading(leases.assignments, "w1", [1, 2, 3])(desk)
    assert told
    assert not [plan for plan in told if "ix_leases_worker" in plan], told


async def test_each_batch_of_open_jobs_is_read_from_where_the_last_ended(full_desk: Desk) -> None:
    """Without sorting all of them again for each batch, whatever their states; and none is left out."""
    found: list[queue.QueuedJob] = []
    async with full_desk.database.read() as connection:
        while batch := await queue.open_jobs(connection, found[-1] if found else None, 7):
            found += batch
    assert len(found) == OPEN
    async with plans(full_desk) as told:
        await reading(queue.open_jobs, found[12], 7)(full_desk)
    assert all("ix_jobs_open" in plan for plan in told), told
    assert not any("TEMP B-TREE" in plan or "Sort" in plan for plan in told), told


FILTERS: dict[str, JobFilter] = {
    "nothing": JobFilter(), "project": JobFilter(project=(1,)), "state": JobFilter(state=("failed",)),
    "waiting": JobFilter(state=("pending",)), "type": JobFilter(type=("a",)),
    "category": JobFilter(category=("x",)),
    "subject": JobFilter(subject="x"), "creator": JobFilter(created_by="ann"), "token": JobFilter(token=1),
    "configuration": JobFilter(configuration=1), "parent": JobFilter(parent=1), "run": JobFilter(run_id="1"),
    "priority": JobFilter(priority=(9,)), "code": JobFilter(error="boom"),
    "fingerprint": JobFilter(error="0123456789ab"), "tag": JobFilter(tag=("x",)), "text": JobFilter(q="x"),
    "id": JobFilter(q="7"), "created": JobFilter(created=(1, 2)), "started": JobFilter(started=(1, None)),
    "ended": JobFilter(ended=(None, 2)), "duration": JobFilter(duration=(1, 2), at=3), "top": JobFilter(top_level=True),
}  # fmt: skip


async def test_lists_and_counts_walk_through_no_table(desk: Desk) -> None:
    """Whatever is asked for: only ids that no segment has, and those that are loose, are asked of the rows."""
    await sealed_rows(desk, failed=5)
    await desk.sql("UPDATE jobs SET priority = 6 WHERE id = 3")
    if desk.database.dialect == "postgresql":
        await desk.sql("ANALYZE")
    lists = JobLists()
    asked = [(name, where, Sort()) for name, where in FILTERS.items()]
    asked += [(f"by {by}", JobFilter(), Sort(by, descending)) for by in SORTS for descending in (False, True)]
    for name, where, sort in asked:
        after = Position("a" if SORTS[sort.by] is str else 1, 5)
        for position in (None, after):
            async with plans(desk) as told:
                await reading(lists.page, where, sort, position, 50)(desk)
                await reading(lists.counts, where)(desk)
            assert told
            assert not [plan for plan in told if _scans(plan, desk.database.dialect)], name


async def test_a_query_without_index_is_told(full_desk: Desk) -> None:
    """The look at plans can fail."""
    async with plans(full_desk) as told:
        await full_desk.sql("UPDATE jobs SET tags = tags WHERE category = 'x'")
    assert _scans(told[0], full_desk.database.dialect)


async def test_steps_and_tasks_are_found_by_their_jobs(desk: Desk) -> None:
    """Many jobs at the same step: by the step's number alone, a write would walk through the steps of all jobs, as
    long as PostgreSQL has not counted them."""
    ids = await desk.submit(*[new_job() for _ in range(300)])
    await desk.assign(*ids)
    running = [await desk.job(i) for i in ids]
    opened, ended = StepOpened(0, "load", 1.0, (PlannedTask(0, "a"),)), TaskEnded(0, 0, StepState.SUCCEEDED)
    await _write_all(desk, running, opened)
    if desk.database.dialect == "postgresql":  # else it depends on what was counted when
        await desk.sql("UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE relname IN ('steps', 'tasks')")
        await desk.sql("DELETE FROM pg_statistic WHERE starelid IN ('steps'::regclass, 'tasks'::regclass)")
    async with plans(desk) as told:
        await _write_all(desk, running, ended, StepClosed(0, StepState.SUCCEEDED))
    looked = [plan for plan in told if plan.startswith(("UPDATE steps", "UPDATE tasks"))]
    assert len(looked) == 2
    by_job = "Index Cond: ((job_id = " if desk.database.dialect == "postgresql" else "(job_id=?"
    assert all(by_job in plan for plan in looked), "\n\n".join(looked)


async def _write_all(desk: Desk, running: list[Job], *records: Record) -> None:
    assert not await attempt_writes.write(desk.database, [AttemptWrite(j.id, j.epoch, records) for j in running])
