"""A lease runs out while its worker says that the job has ended, or two leaders end it at once: it is released once.

Whatever the order: one ending, one loss at most, and what the job held is free once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

import pytest

from jobdeck.core.errors import NotLeader
from jobdeck.core.life.endings import Finished
from jobdeck.core.life.job import Job
from jobdeck.core.life.records import JobLeft
from jobdeck.core.life.states import State
from jobdeck.core.life.waiting import is_suspect
from jobdeck.store.jobs import jobs
from jobdeck.store.jobs.jobs import Change
from jobdeck.store.running import attempt_writes, leases
from jobdeck.store.running.attempt_writes import AttemptWrite
from jobdeck.store.sql.database import Database, Tx
from jobdeck.store.sql.statements import BatchQuery
from tests.store.desk import LEASE, Desk, new_job
from tests.store.test_decisions import Decider, beat

T = TypeVar("T")
ENDINGS = ("succeeded", "worker_lost")
LONG = 30.0


class Gate:
    """The first who comes waits here until it is opened."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def somebody(self) -> None:
        await asyncio.wait_for(self.reached.wait(), LONG)

    async def pass_through(self) -> None:
        if not self.reached.is_set():
            self.reached.set()
            await self.opened.wait()


class Slow(Database):
    """A handle on a database that stops before its first transaction: what was read for it gets old."""

    gate: Gate

    async def transact(
        self, work: Callable[[Tx], Awaitable[T]], *opening: BatchQuery, often: bool = False, by_key: bool = False
    ) -> T:
        await self.gate.pass_through()
        return await super().transact(work, *opening, often=often, by_key=by_key)


@pytest.fixture
async def job(desk: Desk) -> Job:
    """A job that runs under a lease which has run out, and nobody has seen to it."""
    job = await desk.running()
    desk.clock.advance(LEASE + 1)
    desk.leader = await desk.lead(desk.leader.holder)
    return job


@pytest.fixture
async def slow(desk: Desk) -> AsyncIterator[Slow]:
    database = Slow(desk.database.url, clock=desk.clock)
    database.gate = Gate()
    yield database
    await database.close()


@pytest.fixture
def locked(job: Job, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Where the first transaction waits that has locked its jobs, and is about to change them."""
    gate, apply = Gate(), jobs.apply

    async def gated(tx: Tx, changes: Sequence[Change], **more: Any) -> None:
        await gate.pass_through()
        await apply(tx, changes, **more)

    monkeypatch.setattr(jobs, "apply", gated)
    return gate


async def endings(desk: Desk, job: int) -> list[str]:
    return [e.kind for e in await desk.events() if e.job_id == job and e.kind in ENDINGS]


async def check(desk: Desk, job: Job, *, landed: bool, expired: list[int]) -> None:
    """One of the two had the job, and all agree which."""
    assert (landed, job.id in expired) in ((True, False), (False, True))
    after = await desk.job(job.id)
    assert await endings(desk, job.id) == ["succeeded" if landed else "worker_lost"]
    assert (after.state, after.losses) == ((State.SUCCEEDED, 0) if landed else (State.PENDING, 1))
    assert (after.leased, after.epoch) == (False, job.epoch)


async def holds_nothing(desk: Desk) -> None:
    async with desk.database.read() as connection:
        assert await leases.held(connection) == {}


async def blocked(task: asyncio.Task[Any]) -> None:
    """Give it time to come as far as it can while another one has the lock."""
    await asyncio.wait({task}, timeout=0.2)


@pytest.mark.parametrize("first", ["worker", "leader"])
async def test_the_second_waits_for_the_first_and_finds_nothing(desk: Desk, job: Job, locked: Gate, first: str) -> None:
    """The second comes while the first has locked the job, with its lease, and not yet written what becomes of it."""
    coming: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
        "worker": lambda: desk.write(job, JobLeft(Finished())),
        "leader": lambda: leases.expire(desk.database, desk.leader),
    }
    one = asyncio.create_task(coming.pop(first)())
    await locked.somebody()
    ((second, come),) = coming.items()
    other = asyncio.create_task(come())
    await blocked(other)
    locked.opened.set()
    answers = {first: await one, second: await other}
    assert answers["worker"] == (first == "worker")
    await check(desk, job, landed=answers["worker"], expired=answers["leader"])
    await holds_nothing(desk)


async def test_what_ended_between_look_and_lock_is_not_lost(desk: Desk, job: Job, slow: Slow) -> None:
    expiring = asyncio.create_task(leases.expire(slow, desk.leader))
    await slow.gate.somebody()
    landed = await desk.write(job, JobLeft(Finished()))
    slow.gate.opened.set()
    await check(desk, job, landed=landed, expired=await expiring)
    assert landed
    await holds_nothing(desk)


async def test_what_was_given_on_between_look_and_lock_is_left_alone(desk: Desk, job: Job, slow: Slow) -> None:
    """The one who looked first comes when the job has been lost and runs again: its new lease is not its business."""
    expiring = asyncio.create_task(leases.expire(slow, desk.leader))
    await slow.gate.somebody()
    assert await leases.expire(desk.database, desk.leader) == [job.id]
    assert await desk.assign(job.id) == {job.id}
    slow.gate.opened.set()
    assert await expiring == []
    assert not await desk.write(job, JobLeft(Finished()))
    again = await desk.job(job.id)
    assert (again.state, again.losses, again.leased, again.epoch) == (State.RUNNING, 1, True, job.epoch + 1)
    assert await endings(desk, job.id) == ["worker_lost"]
    assert [row["epoch"] for row in await desk.rows("leases")] == [again.epoch]


async def test_of_two_leaders_only_the_new_one_ends_a_lease(desk: Desk, job: Job, slow: Slow, locked: Gate) -> None:
    """The old one has looked; both come for the job at the same moment."""
    old = asyncio.create_task(leases.expire(slow, desk.leader))
    await slow.gate.somebody()
    desk.clock.advance(7)
    new = await desk.lead("s2")
    taking = asyncio.create_task(leases.expire(desk.database, new))
    await locked.somebody()
    slow.gate.opened.set()
    await blocked(old)
    locked.opened.set()
    expired = await taking
    with pytest.raises(NotLeader):
        await old
    await check(desk, job, landed=False, expired=expired)
    await holds_nothing(desk)


async def test_two_that_lead_in_the_same_epoch_end_a_lease_once(desk: Desk, job: Job, locked: Gate) -> None:
    """As after an answer that got lost: the first try may still be at it."""
    one = asyncio.create_task(leases.expire(desk.database, desk.leader))
    await locked.somebody()
    other = asyncio.create_task(leases.expire(desk.database, desk.leader))
    await blocked(other)
    locked.opened.set()
    assert (await one, await other) == ([job.id], [])
    await check(desk, job, landed=False, expired=[job.id])
    await holds_nothing(desk)


ROUNDS, PLACES = 12, 5


@pytest.fixture
async def others(desk: Desk) -> AsyncIterator[list[Database]]:
    handles = [Database(desk.database.url, clock=desk.clock) for _ in range(3)]
    yield handles
    for database in handles:
        await database.close()


async def test_in_many_rounds_each_is_released_once(desk: Desk, others: list[Database]) -> None:
    """Workers' words and two expiries go off together, on handles of their own; a scheduler follows what comes of it.

    After each round as many run as before, but for those that must begin alone, so what was held came free once."""
    decider = Decider(desk, project_limit=PLACES)
    await desk.submit(*[new_job() for _ in range((ROUNDS + 1) * PLACES)])
    suspects: set[int] = set()
    for number in range(ROUNDS):
        await beat(desk, "w1", "w2")
        started = await decider.turn()
        jobs = list((await desk.jobs(started)).values())
        # One that lost its worker twice begins alone, so that fewer run then; never more than there are places.
        alone = any(is_suspect(job.losses) for job in jobs) or len(suspects) > 0
        assert len(started) == PLACES or (alone and 0 < len(started) < PLACES)
        desk.clock.advance(LEASE + 1)
        seen = (await desk.events())[-1].id
        words = [_leave(others[0], job) for job in jobs]
        place = number % (PLACES + 1)
        expiries = [leases.expire(database, desk.leader) for database in others[1:]]
        early, late = words[:place], words[place:]
        await asyncio.gather(*early, *expiries, *late)
        told = [(e.job_id, e.kind) for e in await desk.events(seen) if e.job_id is not None]
        assert sorted(job for job, _ in told) == started, "each has one event"
        assert {kind for _, kind in told} <= {"succeeded", "worker_lost", "failed"}
        after = await desk.jobs(started)
        for job in jobs:
            lost = (job.id, "succeeded") not in told
            assert after[job.id].losses == job.losses + lost
            if lost and is_suspect(after[job.id].losses):
                suspects.add(job.id)
            else:
                suspects.discard(job.id)
        await holds_nothing(desk)


async def _leave(database: Database, job: Job) -> None:
    await attempt_writes.write(database, [AttemptWrite(job.id, job.epoch, (JobLeft(Finished()),))])
