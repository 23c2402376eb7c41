"""One leads: taken over when its lease ran out or it steps down, each time with a new epoch."""

from __future__ import annotations

import asyncio

import pytest

from jobdeck.core.errors import NotLeader
from jobdeck.store.scheduling import leadership
from jobdeck.store.scheduling.leadership import Leader
from tests.store.desk import Desk


async def take(desk: Desk, holder: str) -> Leader | None:
    return await leadership.try_lead(desk.database, holder, 6.0)


async def leads(desk: Desk, leader: Leader) -> bool:
    try:
        await desk.database.transact(lambda tx: leadership.require(tx, leader))
    except NotLeader:
        return False
    return True


async def test_the_first_leads_and_stays_while_it_renews(desk: Desk) -> None:
    assert desk.leader == Leader("s1", 1)
    for _ in range(5):
        desk.clock.advance(5)
        assert await take(desk, "s2") is None
        assert await take(desk, "s1") == desk.leader
    assert await leads(desk, desk.leader)
    assert not await leads(desk, Leader("s2", 1))


async def test_another_takes_over_when_the_lease_ran_out(desk: Desk) -> None:
    desk.clock.advance(6)
    successor = await take(desk, "s2")
    assert successor == Leader("s2", 2)
    assert not await leads(desk, desk.leader)
    assert await take(desk, "s1") is None
    assert await leads(desk, successor)


async def test_who_comes_back_late_leads_anew(desk: Desk) -> None:
    """Its own lease had run out: what it knew may be old, so it gets another epoch."""
    desk.clock.advance(6)
    assert await take(desk, "s1") == Leader("s1", 2)
    assert not await leads(desk, desk.leader)


async def test_stepping_down_lets_another_lead_at_once(desk: Desk) -> None:
    await leadership.step_down(desk.database, desk.leader)
    assert await take(desk, "s2") == Leader("s2", 2)
    await leadership.step_down(desk.database, desk.leader)
    assert await take(desk, "s3") is None


async def test_a_clock_that_goes_back_makes_no_second_leader(desk: Desk) -> None:
    desk.clock.advance(-3600)
    assert await take(desk, "s2") is None
    assert await leads(desk, desk.leader)
    assert await take(desk, "s1") == desk.leader
    desk.clock.advance(6)
    assert await take(desk, "s2") == Leader("s2", 2)


async def test_of_many_at_once_one_leads(desk: Desk) -> None:
    desk.clock.advance(6)
    found = await asyncio.gather(*[take(desk, f"t{i}") for i in range(8)])
    (winner,) = [f for f in found if f is not None]
    assert winner.epoch == 2


async def test_a_successor_waits_for_what_the_leader_is_writing(postgres_desk: Desk) -> None:
    """Between `require` and the commit nobody takes over, so a successor sees all that was decided before it."""
    desk = postgres_desk
    deciding, go_on = asyncio.Event(), asyncio.Event()
    order = []

    async def decide() -> None:
        async def work(tx: object) -> None:
            await leadership.require(tx, desk.leader)  # type: ignore[arg-type]
            deciding.set()
            await go_on.wait()
            order.append("decided")

        await desk.database.transact(work)

    async def succeed() -> None:
        assert await take(desk, "s2") == Leader("s2", 2)
        order.append("taken over")

    first = asyncio.create_task(decide())
    await deciding.wait()
    desk.clock.advance(6)
    second = asyncio.create_task(succeed())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(second), 0.2)
    go_on.set()
    await asyncio.gather(first, second)
    assert order == ["decided", "taken over"]
