"""Leases: assigned once, by who leads, renewed while they live, ended when they ran out."""

from __future__ import annotations

import asyncio

import pytest

from jobdeck.core.claims import Claim
from jobdeck.core.errors import NotLeader
from jobdeck.core.life.endings import Halted
from jobdeck.core.life.operations import Intent, Operation
from jobdeck.core.life.records import StepOpened
from jobdeck.core.life.states import State
from jobdeck.store.running import leases, workers
from jobdeck.store.running.leases import UNDO, Lease
from tests.store.desk import LEASE, Desk, new_job

DIRTY = StepOpened(0, "load", 1.0, (), dirties=True)


async def renew(desk: Desk, worker: str = "w1") -> list[Lease]:
    return await desk.database.transact(lambda tx: leases.renew(tx, worker, LEASE))


async def test_an_assignment_makes_state_epoch_attempt_lease_and_event_at_once(desk: Desk) -> None:
    ids = await desk.submit(new_job(Claim("x")), new_job())
    desk.clock.advance(3)
    assert await desk.assign(*ids) == set(ids)
    for job_id in ids:
        job = await desk.job(job_id)
        assert (job.state, job.leased, job.epoch, job.worker) == (State.RUNNING, True, 1, "w1")
        assert job.queued_us == 3_000_000
    attempts = [(a["job_id"], a["attempt"], a["state"]) for a in await desk.rows("attempts")]
    assert attempts == [(i, 1, "running") for i in ids]
    row = (await desk.rows("leases"))[0]
    assert row["expires_at"] == desk.clock.time + 10_000_000
    assert (row["epoch"], row["purpose"], row["ask"]) == (1, "run", None)
    started = [e for e in await desk.events() if e.kind == "started"]
    assert [(e.job_id, e.data["state"], e.data["from"]) for e in started] == [(i, "running", "pending") for i in ids]


@pytest.mark.parametrize("operation", [Operation.PAUSE, Operation.CANCEL])
async def test_only_what_is_pending_is_assigned(desk: Desk, operation: Operation) -> None:
    kept, taken = await desk.submit(new_job(), new_job())
    await desk.operate(operation, kept)
    assert await desk.assign(kept, taken, 999) == {taken}
    before = await desk.dump()
    assert await desk.assign(kept, taken, 999) == set()
    assert await desk.dump() == before


async def test_a_job_that_waits_for_its_children_is_not_assigned(desk: Desk) -> None:
    job_id = await desk.one()
    await desk.sql("UPDATE jobs SET waits_for_children = :yes", yes=True)
    assert await desk.assign(job_id) == set()


async def test_an_old_leader_assigns_nothing(desk: Desk) -> None:
    job_id = await desk.one()
    old = desk.leader
    desk.clock.advance(7)
    new = await desk.lead("s2")
    before = await desk.dump()
    with pytest.raises(NotLeader):
        await desk.assign(job_id, leader=old)
    with pytest.raises(NotLeader):
        await leases.expire(desk.database, old) or await desk.assign(job_id, leader=old)
    assert await desk.dump() == before
    assert await desk.assign(job_id, leader=new) == {job_id}


async def test_a_job_goes_to_one_of_two_at_the_same_moment(desk: Desk) -> None:
    """Two tasks, and two leaders of which one is old, want the same jobs at once."""
    ids = await desk.submit(*[new_job() for _ in range(20)])
    got = await asyncio.gather(*[desk.assign(*ids, worker=w) for w in ("w1", "w2", "w1", "w2")])
    assert sorted(i for part in got for i in part) == sorted(ids)
    assert len(await desk.rows("leases")) == 20
    assert {(await desk.job(i)).epoch for i in ids} == {1}


async def test_renewing_extends_and_tells_what_is_held_and_asked(desk: Desk) -> None:
    one, other = await desk.running(), await desk.running()
    await desk.operate(Operation.PAUSE, other.id)
    desk.clock.advance(9)
    assert sorted(await renew(desk), key=lambda h: h.job) == [
        Lease(one.id, 1, "run", None),
        Lease(other.id, 1, "run", "pause"),
    ]
    assert await renew(desk, "w2") == []
    assert await desk.expire(9) == []
    assert await desk.expire(2) == [one.id, other.id]


async def test_a_lease_that_ran_out_is_not_revived(desk: Desk) -> None:
    job = await desk.running()
    desk.clock.advance(LEASE)
    before = await desk.rows("leases")
    assert await renew(desk) == []
    assert await desk.rows("leases") == before
    assert await desk.expire(0) == [job.id]
    assert await desk.rows("leases") == []


async def test_expiry_sends_each_job_where_it_was_asked_to_go(desk: Desk) -> None:
    running, pausing, dirty, clean, restarting = [await desk.running() for _ in range(5)]
    await desk.write(dirty, DIRTY)
    await desk.operate(Operation.PAUSE, pausing.id)
    await desk.operate(Operation.CANCEL, dirty.id, clean.id)
    await desk.operate(Operation.RESTART, restarting.id)
    assert len(await desk.expire()) == 5
    states = [(j.state, j.leased) for j in [await desk.job(i.id) for i in (running, pausing, dirty, clean, restarting)]]
    assert states == [
        (State.PENDING, False), (State.PAUSED, False), (State.CANCELING, False), (State.CANCELED, False),
        (State.PENDING, False),
    ]  # fmt: skip
    again = await desk.job(restarting.id)
    assert (again.attempt, again.intent) == (2, None)
    assert (await desk.job(dirty.id)).intent is Intent.CANCEL
    assert await desk.expire() == []


async def test_leftovers_are_removed_under_a_lease_of_their_own(desk: Desk) -> None:
    job = await desk.running()
    await desk.write(job, DIRTY)
    await desk.operate(Operation.CANCEL, job.id)
    await desk.expire()
    assert await desk.assign(job.id) == set()
    assert await desk.assign(job.id, purpose=UNDO) == {job.id}
    assert await desk.assign(job.id, purpose=UNDO) == set()
    undoing = await desk.job(job.id)
    assert (undoing.state, undoing.epoch) == (State.CANCELING, 2)
    assert await renew(desk) == [Lease(job.id, 2, "undo", "cancel")]
    assert (await desk.leave(undoing, Halted(undone=True))).state is State.CANCELED


async def test_three_workers_lost_in_a_row_fail_a_job(desk: Desk) -> None:
    job = await desk.running()
    for _ in range(2):
        await desk.expire()
        assert (await desk.job(job.id)).state is State.PENDING
        await desk.assign(job.id)
    await desk.expire()
    failed = await desk.job(job.id)
    assert failed.state is State.FAILED
    assert failed.error is not None
    assert failed.error.code == "worker_lost"
    assert failed.epoch == 3


async def test_held_is_told_with_claims(desk: Desk) -> None:
    job = await desk.running()
    async with desk.database.read() as connection:
        held = await leases.held(connection)
        mine = await leases.of_worker(connection, "w1")
    worker, claims = held[job.id]
    assert worker == "w1"
    assert Claim("instance") in claims
    assert mine == [Lease(job.id, 1, "run", None)]


async def test_only_silent_workers_without_leases_are_gone(desk: Desk) -> None:
    job = await desk.running(type="a")
    desk.clock.advance(60)

    async def mark_dead() -> list[str]:
        return sorted(await desk.database.transact(lambda tx: workers.mark_dead(tx, tx.now - 30_000_000)))

    assert await mark_dead() == ["w2"]
    assert await mark_dead() == []
    assert await desk.database.transact(lambda tx: workers.beat(tx, "w2")) is None
    assert await desk.database.transact(lambda tx: workers.beat(tx, "w1")) == "active"
    await desk.expire()
    assert (await desk.job(job.id)).state is State.PENDING
    assert await mark_dead() == []
    desk.clock.advance(60)
    assert await mark_dead() == ["w1"]
    async with desk.database.read() as connection:
        assert await workers.alive(connection, 0) == []
    assert [e.kind for e in await desk.events()].count("worker.gone") == 2
