"""What the scheduler decides by the clock, with a clock that stands where it is put."""

from __future__ import annotations

import asyncio

import pytest

from jobdeck.core.life.endings import Finished
from jobdeck.core.life.waiting import WaitingFor
from jobdeck.engine.scheduling.scheduler import Leadership, Scheduler
from jobdeck.engine.scheduling.world import explain
from jobdeck.store import limits
from jobdeck.store.running import workers
from jobdeck.store.running.workers import StoredWorker
from jobdeck.store.scheduling import leadership
from jobdeck.store.sql.database import Tx
from jobdeck.store.views import job_views
from tests.store.desk import Desk, new_job

HOUR = 3600.0
LEASE = 4.0


class Decider:
    """A scheduler that leads for hours, and decides when it is told to."""

    def __init__(self, desk: Desk, project_limit: int | None = None) -> None:
        self._desk = desk
        self._leadership = Leadership(desk.database, desk.leader.holder)
        self._scheduler = Scheduler(desk.database, self._leadership, project_limit=project_limit, lease_seconds=LEASE)

    async def turn(self) -> list[int]:
        """The jobs that start, in the order of their ids."""
        leader = await leadership.try_lead(self._desk.database, self._leadership.holder, 24 * HOUR)
        self._leadership._take(leader, asyncio.get_running_loop().time())
        before = {row["job_id"] for row in await self._desk.rows("leases")}
        await self._scheduler.turn()
        return [row["job_id"] for row in await self._desk.rows("leases") if row["job_id"] not in before]


async def beat(desk: Desk, *ids: str) -> None:
    async def work(tx: Tx) -> None:
        for worker in ids:
            assert await workers.beat(tx, worker) == "active"

    await desk.database.transact(work)


async def end(desk: Desk, job: int) -> None:
    await desk.leave(await desk.job(job), Finished())


async def hours_until_it_starts(desk: Desk, old: int, *, priority: int) -> float:
    """One job runs at a time, and one with `priority` comes whenever a place is free: every five minutes."""
    decider, began = Decider(desk, project_limit=1), desk.clock.time
    while desk.clock.time < began + 12 * HOUR * 1_000_000:
        new = await desk.one(priority=priority)
        await beat(desk, "w1", "w2")
        (started,) = await decider.turn()
        if started == old:
            return (desk.clock.time - began) / (HOUR * 1_000_000)
        assert started == new
        await end(desk, started)
        desk.clock.advance(5 * 60)
    raise AssertionError("others overtook it for half a day")


@pytest.mark.parametrize(("mine", "theirs", "hours"), [(0, 9, 0.75), (3, 9, 0.5), (5, 6, 1 / 12)])
async def test_an_old_job_is_overtaken_for_so_many_hours_and_no_longer(
    desk: Desk, mine: int, theirs: int, hours: float
) -> None:
    """Five minutes of waiting weigh as much as one step of priority, so the lowest waits for 45 minutes at most."""
    old = await desk.one(priority=mine)
    assert await hours_until_it_starts(desk, old, priority=theirs) == hours


async def reasons(desk: Desk, job: int) -> list[WaitingFor]:
    async with desk.database.read() as connection:
        rows = await job_views.many(connection, [job])
        return (await explain(connection, list(rows.values()), desk.clock.time, None, LEASE * 0.75))[job]


async def look_again(desk: Desk) -> None:
    """Something happens for which a scheduler looks at its workers anew, which it else does every second."""
    await desk.database.transact(lambda tx: limits.put(tx, "instance", None, 100, "ann"))


async def test_a_worker_that_is_nearly_silent_is_given_nothing_more(desk: Desk) -> None:
    """It loses its leases at four seconds of silence; after three it gets nothing, until it is heard of again."""
    await workers.join(desk.database, StoredWorker("w3", "three", "host", 3, 4, 4, ("rare",), "1"))
    decider = Decider(desk)
    desk.clock.advance(3.0)
    await beat(desk, "w1", "w2")
    just = await desk.one(type="rare")
    assert await decider.turn() == [just]
    desk.clock.time += 1
    await look_again(desk)
    waiting, common = await desk.one(type="rare"), await desk.one(type="a")
    assert await decider.turn() == [common]
    (reason,) = await reasons(desk, waiting)
    text = "No worker takes jobs of type 'rare' now; start one, or undrain one that drains."
    assert (reason.reason, reason.text) == ("no_worker", text)
    await beat(desk, "w3")
    await look_again(desk)
    assert await decider.turn() == [waiting]
    assert {row["job_id"]: row["worker_id"] for row in await desk.rows("leases")}[waiting] == "w3"


async def test_a_worker_that_fell_silent_does_not_count_for_types_that_others_know(desk: Desk) -> None:
    """All goes to the one that is heard of, and what it has no place for waits for its turn."""
    desk.clock.advance(3.1)
    await beat(desk, "w2")
    decider = Decider(desk)
    jobs = await desk.submit(*[new_job() for _ in range(6)])
    started = await decider.turn() + await decider.turn()
    assert started == jobs[:4]
    assert {row["worker_id"] for row in await desk.rows("leases")} == {"w2"}
    assert [r.reason for r in await reasons(desk, jobs[4])] == ["turn"]
