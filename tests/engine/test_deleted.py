"""Deleting meets something else: another operation at the same moment, leftovers that are removed, a running job."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import column, delete, func, select, table

from jobdeck.core.errors import NotFound, OperationRefused
from jobdeck.core.life.operations import Operation
from jobdeck.engine.control import Control
from jobdeck.store.jobs.removal import _ABOUT_JOBS
from jobdeck.store.schema import events, jobs
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.events import NewEvent
from tests.engine.harness import Engine, asked, reached, script
from tests.engine.scripted import ToldForGood

JOBS = 12
HELD = table("claims_held", column("job_id"))


async def failed(engine: Engine) -> int:
    """A job that failed, left something about and holds a thing for itself while it runs."""
    plot = script()
    plot.fail("s0/0/0", ToldForGood("no"))
    job = await engine.submit("undoable", key=plot.key, claims=[("thing", 1, "x")])
    await engine.until(job, "failed")
    return job


async def left_of(engine: Engine, job: int) -> dict[str, int]:
    """How many rows there are about the job, in which table; but for events."""
    found = {"jobs": jobs.c.id, **{t.name: t.c.job_id for t in (*_ABOUT_JOBS, HELD) if t is not events}}
    counts = {}
    for name, owner in found.items():
        (row,) = await engine.rows(select(func.count().label("n")).where(owner == job))
        counts[name] = row["n"]
    return {name: count for name, count in counts.items() if count}


@pytest.mark.parametrize("operation", [Operation.RESUME, Operation.RESTART])
async def test_of_delete_and_another_operation_at_one_moment_one_wins(engine: Engine, operation: Operation) -> None:
    """From two servers: each has its own way to the database. Nothing starts meanwhile: it might end again."""
    ids = [await failed(engine) for _ in range(JOBS)]
    await engine.pause_scope("instance")
    await engine.settled()
    elsewhere = engine.database.sibling()
    other = Control(elsewhere, engine.garbage)
    won = []
    try:
        for place, job in enumerate(ids):
            both = [
                engine.control.operate([job], Operation.DELETE, actor="me"),
                other.operate([job], operation, actor="you"),
            ]
            answers = await asyncio.gather(*(both if place % 2 else reversed(both)))
            deleted, done = [result for (result,) in (answers if place % 2 else reversed(answers))]
            won.append(deleted.changed)
            assert deleted.changed != done.changed
            if deleted.changed:
                assert isinstance(done.error, NotFound)
                assert await left_of(engine, job) == {}
            else:
                assert isinstance(deleted.error, OperationRefused)
                assert await engine.state(job) == "pending"
    finally:
        await elsewhere.close()
    await engine.resume_scope("instance")
    for job, deleted_it in zip(ids, won, strict=True):
        if not deleted_it:
            row = await engine.until(job, "succeeded")
            assert row["attempt"] == (2 if operation is Operation.RESTART else 1)
    assert await engine.leased() == set()
    assert await engine.rows(select(HELD)) == []
    deletions = {e.job_id for e in await engine.events() if e.kind == "deleted"}
    assert deletions == {job for job, deleted in zip(ids, won, strict=True) if deleted}


async def test_a_job_whose_leftovers_are_being_removed_is_not_deleted(engine: Engine) -> None:
    plot = script()
    plot.fail("s0/0/0", ToldForGood("no"))
    removing = plot.hold("undo/1")
    job = await engine.submit("undoable", key=plot.key)
    await engine.until(job, "failed")
    await engine.done(Operation.CANCEL, job)
    await reached(removing)
    (result,) = await engine.operate(Operation.DELETE, job)
    assert isinstance(result.error, OperationRefused)
    assert result.error.facts["state"] == "canceling"
    removing.opened.set()
    await engine.until(job, "canceled")
    await engine.done(Operation.DELETE, job)
    assert await left_of(engine, job) == {}


async def test_a_job_whose_rows_are_removed_under_its_worker_dies(engine: Engine) -> None:
    """By hand, past all rules; one event tells of it, so that the scheduler looks."""
    plot, next_in_line = script(), script()
    gate = plot.hold("s0/0/1", heeds_stop=False)
    thing: Any = {"claims": [("thing", 1, "x")]}
    job = await engine.submit(key=plot.key, units=3, **thing)
    await reached(gate)
    waiting = await engine.submit(key=next_in_line.key, **thing)
    await engine.waits_for(waiting, "claim")

    async def remove(tx: Tx) -> None:
        await tx.connection.execute(delete(jobs).where(jobs.c.id == job))
        for about in _ABOUT_JOBS:
            await tx.connection.execute(delete(about).where(about.c.job_id == job))
        tx.emit(NewEvent("deleted", engine.project_id, job, "hand"))

    await engine.database.transact(remove)
    await engine.until(waiting, "succeeded")
    await asked(gate)
    gate.opened.set()

    async def forgotten() -> bool:
        return job not in engine.hands[0].service._job_runs

    await engine.true(forgotten)
    assert plot.did == ["s0/0/0", "s0/0/1"]
    assert await left_of(engine, job) == {}
    assert await engine.kinds(job) == ["deleted"]
    await engine.until(await engine.submit(**thing), "succeeded")
    assert await engine.rows(select(HELD)) == []
