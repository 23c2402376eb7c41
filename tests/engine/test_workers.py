"""What becomes of jobs when their worker, or their lease, is lost; and of workers when they leave."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from jobdeck.core.life.operations import Operation
from jobdeck.engine.duties.mark_dead import mark_dead_workers
from jobdeck.engine.worker.stop_control import HAND_BACK_GRACE
from jobdeck.store.running.leases import expire as expire_leases
from jobdeck.store.running.workers import StoredWorker, join
from jobdeck.store.schema import jobs, leases, workers
from jobdeck.store.sql.database import Tx
from tests.engine.harness import Engine, asked, at_gate, reached, running, script


@pytest.fixture
async def brisk(url: str, home: Path) -> AsyncIterator[Engine]:
    """An engine whose leases are short."""
    async with running(url, home, lease_seconds=2.0) as engine:
        yield engine


async def expire(engine: Engine, job: int) -> None:
    """The lease has run out, as after a silence of its worker, which may have renewed it just now."""
    lease = await engine.lease(job)
    assert lease is not None
    query = update(leases).where(leases.c.job_id == job, leases.c.epoch == lease["epoch"]).values(expires_at=1)
    while await _lease_of_epoch(engine, job, lease["epoch"]):
        leader = engine.leadership.current
        assert leader is not None
        await engine.database.transact(lambda tx: tx.connection.execute(query))
        await expire_leases(engine.database, leader)


async def test_an_expired_lease_kills_and_nothing_lands(engine: Engine) -> None:
    job, gate, plot = await at_gate(engine, "s0/0/1", heeds_stop=False, units=3)
    await engine.true(partial(_checkpointed, engine, job))
    await expire(engine, job)
    lost = await engine.until_event("worker_lost")
    assert lost.data["losses"] == 1
    second = await engine.true(lambda: _lease_of_epoch(engine, job, 2))
    assert second["worker_id"] == engine.hands[0].id
    gate.opened.set()  # the first stay's task says that it went on; nobody hears it
    await engine.until(job, "succeeded")
    assert plot.did == ["s0/0/0", "s0/0/1", "s0/0/1", "s0/0/2"]
    (task,) = await engine.tasks(job)
    assert task["attempts"] == 2


async def _checkpointed(engine: Engine, job: int) -> bool:
    """What the task said before it came to the gate has been recorded, too."""
    return any(task["cursor"] for task in await engine.tasks(job))


async def _lease_of_epoch(engine: Engine, job: int, epoch: int) -> object:
    lease = await engine.lease(job)
    return lease if lease is not None and lease["epoch"] == epoch else None


async def test_a_lease_that_is_gone_stops_the_work(engine: Engine) -> None:
    """Somebody else took it away: the worker stops the work, and nothing that it says of it lands."""
    job, _, plot = await at_gate(engine, "s0/0/1", units=3)

    await engine.true(partial(_checkpointed, engine, job))

    async def take_away(tx: Tx) -> None:
        await tx.connection.execute(delete(leases).where(leases.c.job_id == job))
        await tx.connection.execute(update(jobs).where(jobs.c.id == job).values(leased=False, state="paused"))

    await engine.database.transact(take_away)
    engine.database.wakeups.call()

    async def stopped() -> bool:
        return not engine.hands[0].service._job_runs

    await engine.true(stopped)
    assert plot.did == ["s0/0/0", "s0/0/1"]
    assert (await engine.tasks(job))[0]["state"] == "running"


async def test_too_many_losses_without_progress(engine: Engine) -> None:
    plot = script()
    plot.hold("s0/0/0")
    job = await engine.submit(key=plot.key)
    for epoch in (1, 2, 3):
        await engine.true(partial(_lease_of_epoch, engine, job, epoch))
        await expire(engine, job)
    row = await engine.until(job, "failed")
    assert row["error_code"] == "worker_lost"
    assert (await engine.kinds(job)).count("worker_lost") == 2


async def test_the_poison_is_blamed_alone(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker dies whenever one of its jobs runs; those that ran beside it go on when that one has failed."""
    monkeypatch.setattr("jobdeck.core.life.waiting.SETTLED", 1.0)
    plots = [script() for _ in range(4)]
    gates = [plot.hold("s0/0/0") for plot in plots]
    ids = [await engine.submit(key=plot.key) for plot in plots]
    poison, innocent = ids[1], [i for i in ids if i != ids[1]]
    for losses in (1, 2, 3):
        await engine.true(lambda: engine.lease(poison))
        if losses == 1:
            await engine.true(partial(_all_leased, engine, ids))
        await _die_with_all(engine, poison)
    row = await engine.until(poison, "failed")
    assert row["error_code"] == "worker_lost"
    for gate in gates:
        gate.opened.set()
    for job in innocent:
        await engine.until(job, "succeeded")


async def _all_leased(engine: Engine, ids: list[int]) -> bool:
    return all([await engine.lease(i) is not None for i in ids])


async def _die_with_all(engine: Engine, job: int) -> None:
    """All leases that there are run out at once, until that of the job is gone."""
    lease = await engine.lease(job)
    assert lease is not None
    while await _lease_of_epoch(engine, job, lease["epoch"]):
        leader = engine.leadership.current
        assert leader is not None
        await engine.database.transact(lambda tx: tx.connection.execute(update(leases).values(expires_at=1)))
        await expire_leases(engine.database, leader)


async def test_progress_between_losses_starts_the_count_again(engine: Engine) -> None:
    plot = script()
    gates = [plot.hold(f"s0/0/{unit}") for unit in range(5)]
    job = await engine.submit(key=plot.key, units=5)
    for gate in gates:
        await reached(gate)
        await expire(engine, job)
        await engine.true(lambda: _losses(engine, job))
        gate.opened.set()

        async def forgotten() -> bool:
            row = await engine.job(job)
            return bool(row["losses"] == 0)

        await engine.true(forgotten)
    await engine.until(job, "succeeded")


async def _losses(engine: Engine, job: int) -> bool:
    return bool((await engine.job(job))["losses"] == 1)


async def test_leases_that_ran_out_on_the_worker_close_no_step(brisk: Engine) -> None:
    """The executor stops what runs when the lease seems over; if it was not, the work goes on, none of it skipped."""
    plot = script()
    gate = plot.hold("s0/0/1")
    job = await brisk.submit(key=plot.key, units=3, steps=2)
    await reached(gate)
    brisk.hands[0].executor.extend(time.monotonic() - 1)
    await brisk.until_event("handed_back")
    gate.opened.set()
    await brisk.until(job, "succeeded")
    assert plot.did == ["s0/0/0", "s0/0/1", "s0/0/1", "s0/0/2", "s1/0/0", "s1/0/1", "s1/0/2"]
    assert [t["state"] for t in await brisk.tasks(job)] == ["succeeded"] * 2


async def test_a_worker_that_leaves_hands_back(engine: Engine) -> None:
    job, gate, plot = await at_gate(engine, "s0/1/1", units=3, tasks=2, parallel=1)
    first = engine.hands[0]
    began = time.monotonic()
    await engine.fire(first)
    assert time.monotonic() - began < HAND_BACK_GRACE, "it stopped by itself"
    row = await engine.job(job)
    assert (row["state"], row["losses"]) == ("pending", 0)
    assert (await engine.waits_for(job, "no_worker")).holders == ()
    gate.opened.set()
    await engine.hire()
    await engine.until(job, "succeeded")
    assert plot.did == ["s0/0/0", "s0/0/1", "s0/0/2", "s0/1/0", "s0/1/1", "s0/1/1", "s0/1/2"]


async def test_rolling_restart(url: str, home: Path) -> None:
    """Workers come and go under load; every unit of every job is done once, and no lease has to run out for that."""
    async with running(url, home, lease_seconds=60.0) as engine:
        plots = [script() for _ in range(12)]
        ids = [await engine.submit(key=plot.key, units=20, steps=2) for plot in plots]
        for _ in range(3):
            await engine.hire()
            await engine.fire(engine.hands[0])
        for job, plot in zip(ids, plots, strict=True):
            await engine.until(job, "succeeded")
            assert sorted(set(plot.did)) == sorted(plot.did), "a unit was done twice"
            assert len(plot.did) == 40


async def test_a_job_that_pauses_does_not_keep_its_worker(engine: Engine) -> None:
    """A pause may take a minute, a worker that leaves has less; nothing is assigned to it while it goes."""
    job, gate, _ = await at_gate(engine, "s0/0/0", heeds_stop=False, units=2)
    await engine.done(Operation.PAUSE, job)
    leaving = asyncio.create_task(engine.fire(engine.hands[0]))
    await engine.until_event("worker.draining")
    waiting = await engine.submit()
    await engine.waits_for(waiting, "no_worker")
    await asked(gate)
    gate.opened.set()
    await engine.until(job, "paused")
    await leaving
    assert await engine.state(waiting) == "pending"


async def test_a_worker_marked_dead_joins_again(brisk: Engine) -> None:
    hand = brisk.hands[0]
    plot = script()
    gate = plot.hold("s0/0/0")
    job = await brisk.submit(key=plot.key)
    await reached(gate)
    first = hand.id

    async def mark_dead(tx: Tx) -> None:
        await tx.connection.execute(delete(leases).where(leases.c.worker_id == first))
        await tx.connection.execute(update(jobs).where(jobs.c.id == job).values(leased=False, state="paused"))
        await tx.connection.execute(update(workers).where(workers.c.id == first).values(state="gone"))

    await brisk.database.transact(mark_dead)
    await brisk.until_event("worker.joined", lambda e: e.data["worker"] != first)
    assert hand.id != first
    gate.opened.set()
    await brisk.done(Operation.RESUME, job)
    await brisk.until(job, "succeeded")


async def test_silent_workers_are_marked_dead(engine: Engine) -> None:
    ghost = StoredWorker("ghost", "ghost", "gone", 1, 1, 1, (), "0")
    await join(engine.database, ghost)
    query = update(workers).where(workers.c.id == "ghost").values(heartbeat_at=1)
    await engine.database.transact(lambda tx: tx.connection.execute(query))
    for _ in range(2):
        await mark_dead_workers(engine.database, engine.leadership)
        assert [e.data["worker"] for e in await engine.events() if e.kind == "worker.gone"] == ["ghost"]


async def test_retries_hold_nothing_while_they_wait(engine: Engine) -> None:
    from tests.engine.scripted import Told

    plot = script()
    plot.fail("s0/0/1", Told("one"), Told("two"))
    await engine.set_limit("project:default", 1)
    await engine.settled()
    job = await engine.submit(key=plot.key, units=3, retries=2, backoff=0.3)
    first = await engine.until_event("retrying")
    assert await engine.leased() == set()
    between = await engine.submit()
    ended = await engine.until(between, "succeeded")
    row = await engine.until(job, "succeeded")
    assert ended["ended_at"] < row["ended_at"]
    assert plot.did == ["s0/0/0", "s0/0/1", "s0/0/1", "s0/0/1", "s0/0/2"]
    waits = [e for e in await engine.events(job) if e.kind in ("retrying", "started")]
    assert [e.kind for e in waits] == ["started", "retrying"] * 2 + ["started"]
    assert waits[2].at >= first.data["at"]
    assert waits[4].at - waits[3].at >= 550_000  # twice the first pause, about
    (task,) = await engine.tasks(job)
    assert (task["failures"], task["attempts"]) == (2, 3)


async def test_retries_end(engine: Engine) -> None:
    from tests.engine.scripted import Told

    plot = script()
    plot.fail("s0/0/0", *(Told("again") for _ in range(5)))
    job = await engine.submit(key=plot.key, retries=2)
    row = await engine.until(job, "failed")
    assert row["error_code"] == "told_to_fail"
    assert len(plot.did) == 3
    await engine.done(Operation.RESUME, job)  # a person's resume gives all tries back
    await engine.until(job, "succeeded")
    assert len(plot.did) == 6


async def test_one_failure_for_good_stops_the_others(engine: Engine) -> None:
    from tests.engine.scripted import ToldForGood

    plot = script()
    plot.hold("s0/0/1")
    plot.fail("s0/1/0", ToldForGood("no"))
    job = await engine.submit(key=plot.key, tasks=6, units=2, parallel=2)
    await engine.until(job, "failed")
    states = [t["state"] for t in await engine.tasks(job)]
    assert states[1] == "failed"
    assert "running" not in states
    assert "pending" in states
