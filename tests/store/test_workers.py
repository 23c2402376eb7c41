"""Workers: each joins once, and gets nothing once it goes."""

from __future__ import annotations

import asyncio

import pytest

from jobdeck.core.life.states import State
from jobdeck.store.running import workers
from jobdeck.store.running.workers import DRAINING, GONE, StoredWorker
from jobdeck.store.sql.database import Tx
from tests.store.desk import Desk

NEW = StoredWorker("w3", "three", "host", 3, 4, 4, ("a",), "1")


async def test_joining_again_changes_nothing(desk: Desk) -> None:
    """The answer to the first request may have been lost; a worker that asks again is the same one."""
    await workers.join(desk.database, NEW)
    before = await desk.dump()
    desk.clock.advance(1)
    await workers.join(desk.database, NEW)
    assert await desk.dump() == before
    assert [e.data["worker"] for e in await desk.events() if e.kind == "worker.joined"] == ["w1", "w2", "w3"]


@pytest.mark.parametrize("state", [DRAINING, GONE])
async def test_one_that_goes_is_assigned_nothing(desk: Desk, state: str) -> None:
    """Even by a scheduler that has not heard of it yet."""
    first, second = await desk.one(), await desk.one()
    await workers.set_state(desk.database, "w1", state)
    assert await desk.assign(first, worker="w1") == set()
    assert (await desk.job(first)).state is State.PENDING
    assert await desk.assign(second, worker="w2") == {second}


async def test_one_that_goes_waits_for_what_is_just_being_assigned(postgres_desk: Desk) -> None:
    """So once it has said that it takes nothing more, it sees all that it ever gets, and can hand that back."""
    desk = postgres_desk
    assigning, go_on = asyncio.Event(), asyncio.Event()
    order = []

    async def assign(tx: Tx) -> None:
        assert [tuple(row) for row in tx.answers[0]] == [("w1",)]
        assigning.set()
        await go_on.wait()
        order.append("assigned")

    async def go() -> None:
        await workers.set_state(desk.database, "w1", DRAINING)
        order.append("gone")

    first = asyncio.create_task(desk.database.transact(assign, workers.locking_active(["w1"])))
    await assigning.wait()
    second = asyncio.create_task(go())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(second), 0.2)
    go_on.set()
    await asyncio.gather(first, second)
    assert order == ["assigned", "gone"]
