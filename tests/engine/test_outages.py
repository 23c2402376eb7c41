"""The database goes away and comes back: everything goes on; one record that it refuses hurts nobody else."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest
from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.errors import LeaseLost, NotLeader, Unavailable
from jobdeck.core.life.endings import Finished
from jobdeck.core.life.operations import Operation
from jobdeck.core.life.records import JobLeft, StepOpened, TaskAdvanced
from jobdeck.engine.worker.recorder import JobCheckpoints, Recorder
from jobdeck.store.running import leases
from jobdeck.store.sql.clock import Clock
from jobdeck.store.sql.database import Database, Tx
from jobdeck.store.sql.statements import BatchQuery
from tests.engine.harness import Ahead, Engine, at_gate, reached, running, script
from tests.engine.scripted import LONG, ToldForGood

T = TypeVar("T")


@contextmanager
def away(postgres_url: str, database: str) -> Iterator[None]:
    """PostgreSQL refuses all connections to the database and has ended those there were."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{database}" WITH ALLOW_CONNECTIONS false')
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
        try:
            yield
        finally:
            connection.execute(f'ALTER DATABASE "{database}" WITH ALLOW_CONNECTIONS true')


@asynccontextmanager
async def unwritable(url: str, request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Nobody can write to the database: PostgreSQL is away, in SQLite somebody else does not end what he began."""
    name = make_url(url).database
    assert name is not None
    if not url.startswith("sqlite"):
        with away(request.getfixturevalue("postgres_url"), name):
            yield
        return
    other = sqlite3.connect(name, isolation_level=None, timeout=LONG, check_same_thread=False)
    with closing(other) as connection:
        await asyncio.to_thread(connection.execute, "BEGIN EXCLUSIVE")  # as soon as what was begun here has ended
        try:
            yield
        finally:
            connection.execute("ROLLBACK")


async def test_a_short_outage_costs_nothing(url: str, home: Path, request: pytest.FixtureRequest) -> None:
    async with running(url, home) as engine:
        plots = [script() for _ in range(8)]
        gates = [plot.hold("s0/0/2") for plot in plots]
        ids = [await engine.submit(key=plot.key, units=5, steps=2) for plot in plots]
        told: list[str] = []
        listening = asyncio.create_task(_listen(engine, ids[0], told))
        for gate in gates:
            await reached(gate)
        async with unwritable(url, request):
            for gate in gates:
                gate.opened.set()  # their checkpoints cannot be recorded now
            await asyncio.sleep(1.5)  # how long the database is away, which is what is tested
        for job, plot in zip(ids, plots, strict=True):
            row = await engine.until(job, "succeeded")
            assert (row["losses"], row["epoch"]) == (0, 1)
            assert plot.did == [f"s{s}/0/{u}" for s in range(2) for u in range(5)]
        after = await engine.submit()
        await engine.until(after, "succeeded")
        await asyncio.wait_for(listening, 60)
        assert told == [kind for kind in await engine.kinds(ids[0]) if kind != "submitted"]


async def _listen(engine: Engine, job: int, told: list[str]) -> None:
    """What the feed tells of the job's events, from its start to its end."""
    submitted = next(e.id for e in await engine.events(job))
    async for item in engine.feed.subscribe(after=submitted, job=job):
        if item.id is not None:
            told.append(item.kind)
        if item.kind == "succeeded":
            return


async def test_an_outage_longer_than_the_leases(url: str, home: Path, request: pytest.FixtureRequest) -> None:
    async with running(url, home, lease_seconds=2.0) as engine:
        plot = script()
        gate = plot.hold("s0/0/2")
        job = await engine.submit(key=plot.key, units=4)
        await reached(gate)
        async with unwritable(url, request):
            await asyncio.sleep(2.5)
            gate.opened.set()
        await engine.until(job, "succeeded")
        assert plot.did[:3] == ["s0/0/0", "s0/0/1", "s0/0/2"]
        assert plot.did[-2:] == ["s0/0/2", "s0/0/3"]
        kinds = await engine.kinds(job)
        assert [kinds.count(kind) for kind in ("step.succeeded", "succeeded")] == [1, 1]
        assert await engine.leased() == set()
        await engine.until(await engine.submit(), "succeeded")


@contextmanager
def out_of_reach(url: str, request: pytest.FixtureRequest) -> Iterator[None]:
    """Nobody can connect to the database; a file cannot even be opened."""
    name = make_url(url).database
    assert name is not None
    if not url.startswith("sqlite"):
        with away(request.getfixturevalue("postgres_url"), name):
            yield
        return
    folder = Path(name).parent
    elsewhere = folder.rename(folder.with_name(folder.name + "_elsewhere"))
    try:
        yield
    finally:
        elsewhere.rename(folder)


async def test_checkpoints_are_read_as_soon_as_the_database_answers(
    url: str, home: Path, request: pytest.FixtureRequest
) -> None:
    """A job that is resumed during an outage goes on where it was; it neither fails nor begins from nothing."""
    async with running(url, home) as engine:
        plot = script()
        plot.fail("s1/0/1", ToldForGood("there"))
        job = await engine.submit(key=plot.key, steps=2, units=2)
        await engine.until(job, "failed")
    there = _Watched(make_url(url))
    saved, later = (JobCheckpoints(there, Recorder(there), job, attempt, 2) for attempt in (1, 2))
    with out_of_reach(url, request):
        reading = asyncio.gather(saved.load(), later.earlier_failures(1))
        for _ in range(2):
            await asyncio.wait_for(there.missed.acquire(), LONG)
    steps, failures = await asyncio.wait_for(reading, LONG)
    assert [(s.name, str(s.state)) for s in steps] == [("s0", "succeeded"), ("s1", "failed")]
    assert [t.cursor for t in steps[1].tasks] == ["1"]
    assert failures == {0: 1}
    await there.close()


async def test_one_poisoned_record_hurts_no_other(engine: Engine) -> None:
    plots = [script(), script()]
    gates = [plot.hold("s0/0/0") for plot in plots]
    bad, good = [await engine.submit(key=plot.key) for plot in plots]
    for gate in gates:
        await reached(gate)
    await engine.true(lambda: _has_tasks(engine, bad, good))
    write = engine.hands[0].recorder.write
    poison = TaskAdvanced(0, 0, None, done=2**70)
    refused, fine = await asyncio.gather(
        write(bad, 1, (poison,)), write(good, 1, (TaskAdvanced(0, 0, None, done=7),)), return_exceptions=True
    )
    assert isinstance(refused, Exception)
    assert fine is None
    assert (await engine.tasks(good))[0]["done"] == 7
    for gate, job in zip(gates, (bad, good), strict=True):
        gate.opened.set()
        await engine.until(job, "succeeded")


async def _has_tasks(engine: Engine, *jobs: int) -> bool:
    return all([await engine.tasks(job) for job in jobs])


async def test_an_old_epoch_changes_nothing(engine: Engine) -> None:
    job, gate, _ = await at_gate(engine, "s0/0/0")
    await engine.true(lambda: _has_tasks(engine, job))
    write = engine.hands[0].recorder.write
    for epoch in (0, 2):
        with pytest.raises(LeaseLost):
            await write(job, epoch, (JobLeft(Finished('"never"')),))
        with pytest.raises(LeaseLost):
            await write(job, epoch, (StepOpened(5, "other", 1.0, ()),))
    assert await engine.state(job) == "running"
    assert [s["index"] for s in await engine.steps(job)] == [0]
    gate.opened.set()
    row = await engine.until(job, "succeeded")
    assert row["result"] == "[0]"
    with pytest.raises(LeaseLost):
        await write(job, 1, (JobLeft(Finished('"late"')),))


async def test_progress_beyond_what_a_column_holds(engine: Engine) -> None:
    """A job that says nonsense of its progress fails or succeeds by itself; its lease does not stay."""
    plot = script()
    job = await engine.submit("boaster", key=plot.key)
    beside = await engine.submit()
    await engine.until(beside, "succeeded")
    row = await engine.until(job, "failed", "succeeded")
    if row["state"] == "failed":
        assert row["error_code"] == "internal_error"
    assert await engine.leased() == set()


async def test_the_lead_is_lost_and_another_one_takes_over(engine: Engine) -> None:
    from sqlalchemy import update

    from jobdeck.engine.loops import Loops
    from jobdeck.engine.scheduling.scheduler import Leadership, Scheduler
    from jobdeck.store.schema import leadership

    other = Leadership(engine.database, "other")
    standby = Loops([other, Scheduler(engine.database, other, project_limit=10)])
    await standby.start()
    try:
        query = update(leadership).values(holder="other", epoch=leadership.c.epoch + 1)
        await engine.database.transact(lambda tx: tx.connection.execute(query))
        jobs = [await engine.submit() for _ in range(3)]  # the old leader decides on them in vain
        for job in jobs:
            row = await engine.until(job, "succeeded")
            assert row["epoch"] == 1
    finally:
        await standby.stop()


async def test_what_succeeded_is_not_begun_again(engine: Engine) -> None:
    """Not even to find that there is nothing left to do: beginning is what counts, as other systems would see it."""
    job, gate, _ = await at_gate(engine, "s1/1/0", steps=2, tasks=2, units=2, parallel=1)
    await engine.fire(engine.hands[0])
    gate.opened.set()
    await engine.hire()
    await engine.until(job, "succeeded")
    begun = {(t["step_index"], t["index"]): t["attempts"] for t in await engine.tasks(job)}
    assert begun == {(0, 0): 1, (0, 1): 1, (1, 0): 1, (1, 1): 2}
    assert [(s["index"], s["state"]) for s in await engine.steps(job)] == [(0, "succeeded"), (1, "succeeded")]
    kinds = await engine.kinds(job)
    assert kinds.count("step.succeeded") == 2


async def test_an_old_leader_expires_no_lease(engine: Engine) -> None:
    leader = engine.leadership.current
    assert leader is not None
    job, gate, _ = await at_gate(engine, "s0/0/0")
    later = Database(engine.database.url, clock=Ahead(3600))
    try:
        with pytest.raises(NotLeader):
            await leases.expire(later, replace(leader, epoch=leader.epoch - 1))
        assert await engine.leased() == {job}
    finally:
        await later.close()
        gate.opened.set()
    row = await engine.until(job, "succeeded")
    assert row["losses"] == 0


async def test_a_lease_renewed_between_look_and_lock_is_not_expired(engine: Engine) -> None:
    leader = engine.leadership.current
    assert leader is not None
    job, gate, _ = await at_gate(engine, "s0/0/0")
    clock = Ahead(3600)
    hesitant = _Hesitant(engine.database.url, clock=clock)
    try:
        expiring = asyncio.create_task(leases.expire(hesitant, leader))
        await asyncio.wait_for(hesitant.looked.wait(), 60)
        clock.seconds = 0  # as after a renewal: what had run out has not
        hesitant.go_on.set()
        assert await expiring == []
        assert await engine.leased() == {job}
    finally:
        await hesitant.close()
        gate.opened.set()
    row = await engine.until(job, "succeeded")
    assert row["losses"] == 0


async def test_what_an_attempt_left_is_removed_before_the_next_one(engine: Engine) -> None:
    plot = script()
    plot.fail("s0/0/0", ToldForGood("no"))
    job = await engine.submit("undoable", key=plot.key)
    await engine.until(job, "failed")
    await engine.done(Operation.RESTART, job)
    await engine.until(job, "succeeded")
    assert [place.partition("/")[0] for place in plot.did] == ["s0", "undo", "s0"]


class _Watched(Database):
    """A database that tells when it did not answer somebody who wanted to read."""

    def __init__(self, url: URL) -> None:
        super().__init__(url)
        self.missed = asyncio.Semaphore(0)

    @asynccontextmanager
    async def read(self, *, often: bool = False) -> AsyncIterator[AsyncConnection]:
        try:
            async with super().read(often=often) as connection:
                yield connection
        except Unavailable:
            self.missed.release()
            raise


class _Hesitant(Database):
    """A database whose transactions begin when they are let."""

    def __init__(self, url: URL, *, clock: Clock) -> None:
        super().__init__(url, clock=clock)
        self.looked, self.go_on = asyncio.Event(), asyncio.Event()

    async def transact(
        self, work: Callable[[Tx], Awaitable[T]], *opening: BatchQuery, often: bool = False, by_key: bool = False
    ) -> T:
        self.looked.set()
        await self.go_on.wait()
        return await super().transact(work, *opening, often=often, by_key=by_key)
