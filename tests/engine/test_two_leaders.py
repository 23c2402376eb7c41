"""Two schedulers that believe they lead: what the old one decided lands before its successor looks, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from jobdeck.core.errors import NotLeader, Unavailable
from jobdeck.engine.duties.mark_dead import mark_dead_workers
from jobdeck.engine.loops import Loops
from jobdeck.engine.scheduling.scheduler import LEAD_SECONDS, Leadership, Scheduler
from jobdeck.store.running import workers
from jobdeck.store.scheduling.leadership import Leader, try_lead
from jobdeck.store.sql.clock import SetClock
from jobdeck.store.sql.database import Database
from tests.engine.test_outages import _Hesitant
from tests.store.desk import WORKERS, Desk, furnished, new_job

LIMIT = 3


class Convinced(Leadership):
    """It leads, whatever anybody says."""

    def __init__(self, database: Database, leader: Leader) -> None:
        super().__init__(database, leader.holder)
        self._conviction = leader

    @property
    def current(self) -> Leader:
        return self._conviction


def scheduler(database: Database, leader: Leader) -> Scheduler:
    return Scheduler(database, Convinced(database, leader), project_limit=LIMIT)


@pytest.fixture
async def desk(url: str) -> AsyncIterator[Desk]:
    database = Database(url, clock=SetClock())
    await furnished(database)
    await database.close()
    async with Desk.at(url) as desk:
        yield desk


@pytest.mark.parametrize("first", ["the old one", "the new one"])
async def test_an_old_and_a_new_leader_assign_at_once(desk: Desk, first: str) -> None:
    """The old one hesitates between deciding and assigning; meanwhile more urgent jobs come, and its lead runs out."""
    for number in range(8):
        jobs = await desk.submit(*[new_job(priority=5) for _ in range(LIMIT)])
        hesitant = _Hesitant(desk.database.url, clock=desk.clock)
        old = asyncio.create_task(scheduler(hesitant, desk.leader).turn())
        await asyncio.wait_for(hesitant.looked.wait(), 60)
        urgent = await desk.submit(*[new_job(priority=9) for _ in range(LIMIT)])
        desk.clock.advance(LEAD_SECONDS + 1)
        await be_there(desk)
        if first == "the old one":
            hesitant.go_on.set()
        await succeed(desk, number, hesitant)
        (told,) = await asyncio.gather(old, return_exceptions=True)
        held = {row["job_id"] for row in await desk.rows("leases")}
        assert held == set(urgent if isinstance(told, NotLeader) else jobs), told
        assert first == "the old one" or isinstance(told, NotLeader)
        await hesitant.close()
        await desk.sql("DELETE FROM leases")
        await desk.sql("UPDATE jobs SET state = 'paused', leased = false")


async def succeed(desk: Desk, number: int, hesitant: _Hesitant) -> None:
    """Another one leads and assigns, while the old one does."""
    desk.leader = await desk.lead(f"leader {number}")
    hesitant.go_on.set()
    await scheduler(desk.database, desk.leader).turn()


async def be_there(desk: Desk) -> None:
    """The workers were heard of just now."""
    for worker in WORKERS:
        await desk.database.transact(lambda tx, me=worker.id: workers.beat(tx, me))  # type: ignore[misc]


async def test_a_leader_forgets_its_lead_before_it_runs_out(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SetClock()
    database, loop = Database(url, clock=clock), asyncio.get_running_loop()
    mine, time = Leadership(database, "me"), loop.time

    def led_after(seconds: float) -> Leader | None:
        with monkeypatch.context() as patch:
            patch.setattr(loop, "time", lambda: time() + seconds)
            return mine.current

    services = Loops([mine])
    await services.start()
    try:
        await asyncio.wait_for(mine.changed.wait(), 60)
        assert led_after(0) == led_after(1) == Leader("me", 1)
        assert led_after(LEAD_SECONDS - 1) is None
        with monkeypatch.context() as patch:
            patch.setattr(loop, "time", lambda: time() + LEAD_SECONDS - 1)
            with pytest.raises(Unavailable, match="has not said who leads"):
                _ = mine.known
            with pytest.raises(Unavailable):
                await mark_dead_workers(database, mine)  # its loop must not tell that it recovered
        assert mine.known == Leader("me", 1)
        assert Leadership(database, "standing by").known is None
        clock.advance(LEAD_SECONDS - 1)
        assert await try_lead(database, "other", LEAD_SECONDS) is None, "nobody else leads yet"
        clock.advance(LEAD_SECONDS)
        assert await try_lead(database, "other", LEAD_SECONDS) == Leader("other", 2)
    finally:
        await services.stop()
        await database.close()
