"""How often a transaction waits for PostgreSQL: what travels together costs one answer."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from jobdeck.core.life.job import Job
from jobdeck.core.life.records import PlannedTask, StepOpened, TaskStarted
from jobdeck.store.running import attempt_writes, leases
from jobdeck.store.running.attempt_writes import AttemptWrite
from jobdeck.store.running.leases import RUN, Pick
from jobdeck.store.sql.database import Database, Tx
from jobdeck.store.sql.postgres_driver import below_of
from tests.store.desk import Desk, new_job


@pytest.fixture
async def database(postgres_desk: Desk) -> AsyncIterator[Database]:
    """With the clock that it has in life."""
    made = Database(postgres_desk.database.url)
    yield made
    await made.close()


async def _trips(database: Database, call: Callable[[], Awaitable[object]]) -> int:
    """How many answers `call` waits for on the session at hand, by what the driver sends."""

    async def session(tx: Tx) -> object:
        return (await below_of(tx.connection)).pgconn

    pgconn = await database.transact(session, by_key=True)
    with tempfile.TemporaryFile("w+") as file:
        pgconn.trace(file.fileno())  # type: ignore[attr-defined]
        try:
            await call()
        finally:
            pgconn.untrace()  # type: ignore[attr-defined]
        file.seek(0)
        sent = [line.rstrip("\n").split("\t") for line in file]
    return sum(words[1:2] == ["F"] and words[3] in ("Sync", "Query") for words in sent)


async def test_a_checkpoint_waits_twice(postgres_desk: Desk, database: Database) -> None:
    """For the job's lock and the time, and for the commit."""
    job = await postgres_desk.running()
    opened = StepOpened(0, "load", 1.0, (PlannedTask(0, "a"),))
    assert await _trips(database, lambda: _write(database, job, opened)) == 2
    assert await _trips(database, lambda: _write(database, job, TaskStarted(0, 0, "here"))) == 2


async def _write(database: Database, job: Job, record: StepOpened | TaskStarted) -> None:
    assert await attempt_writes.write(database, [AttemptWrite(job.id, job.epoch, (record,))]) == set()


async def test_an_assignment_waits_twice(postgres_desk: Desk, database: Database) -> None:
    """For all that the decision rests on, and for the commit."""
    desk = postgres_desk
    (job,) = await desk.submit(new_job())
    pick = Pick(job, "w1", "w1", "[]", RUN)
    assert await _trips(database, lambda: leases.assign(database, desk.leader, [pick], 3600.0 * 24 * 365 * 100)) == 2
    assert (await desk.job(job)).leased
