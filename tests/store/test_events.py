"""Events: true when what they tell is true, and readable in the order of commits without a gap that fills later."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from jobdeck.core.life.endings import Finished
from jobdeck.core.life.operations import Operation
from jobdeck.core.values import MAX_EVENT
from jobdeck.store.scheduling import queue
from jobdeck.store.sql import events
from jobdeck.store.sql.database import Database, Tx
from jobdeck.store.sql.events import NewEvent
from tests.store.desk import Desk, new_job


async def test_a_transition_and_its_event_are_there_together_or_not_at_all(desk: Desk) -> None:
    class Broken(Exception):
        pass

    job_id = await desk.one()
    before = await desk.dump()

    async def work(tx: Tx) -> None:
        from jobdeck.core.life.transitions import operate
        from jobdeck.store.jobs import jobs

        job = (await jobs.lock(tx, [job_id]))[job_id]
        canceled = operate(job, Operation.CANCEL, tx.now)
        assert canceled is not None
        await jobs.apply(tx, [(job, canceled)])
        await events.append(tx.connection, tx.events, tx.now)
        raise Broken

    with pytest.raises(Broken):
        await desk.database.transact(work)
    assert await desk.dump() == before
    await desk.operate(Operation.CANCEL, job_id, reason="enough")
    last = (await desk.events())[-1]
    assert (last.kind, last.job_id, last.actor) == ("canceled", job_id, "ann")
    assert last.data == {"state": "canceled", "from": "pending", "reason": "enough", "cause": "user"}


async def test_every_change_of_state_has_its_event(desk: Desk) -> None:
    job = await desk.running()
    await desk.operate(Operation.PAUSE, job.id)
    await desk.expire()
    await desk.operate(Operation.RESUME, job.id)
    await desk.assign(job.id)
    await desk.operate(Operation.RESTART, job.id)
    await desk.expire()
    await desk.assign(job.id)
    await desk.leave(await desk.job(job.id), Finished())
    story = [e for e in await desk.events() if e.job_id == job.id]
    assert [(e.kind, e.data["state"]) for e in story] == [
        ("submitted", "pending"), ("started", "running"), ("pausing", "pausing"), ("paused", "paused"),
        ("resumed", "pending"), ("started", "running"), ("canceling", "canceling"), ("restarted", "pending"),
        ("started", "running"), ("succeeded", "succeeded"),
    ]  # fmt: skip
    assert all(e.data["from"] == before.data["state"] for before, e in pairwise(story))


async def test_events_of_one_transaction_keep_their_order(desk: Desk) -> None:
    wanted = [f"kind_{i}" for i in range(300)]

    async def work(tx: Tx) -> None:
        tx.emit(*(NewEvent(kind) for kind in wanted))

    await desk.database.transact(work)
    happened = await desk.events()
    assert [e.kind for e in happened][-300:] == wanted
    async with desk.database.read() as connection:
        assert await events.last_id(connection) == happened[-1].id


async def test_a_reader_never_meets_a_smaller_id_later(desk: Desk) -> None:
    """Many writers at once, some of which dawdle between their event and their commit."""
    seen: list[int] = []
    done = asyncio.Event()
    other = Database(desk.database.url, clock=desk.clock)

    async def write(database: Database, number: int) -> None:
        async def work(tx: Tx) -> None:
            tx.emit(*(NewEvent(f"w{number}") for _ in range(1 + number % 3)))
            await desk.database.clock.now(tx.connection)

        for _ in range(10):
            await database.transact(work)

    async def read() -> None:
        while True:
            last_look = done.is_set()
            async with desk.database.read() as connection:
                seen.extend(e.id for e in await events.read_after(connection, 0, 100_000) if e.id not in known)
            known.update(seen)
            if last_look:
                return
            await asyncio.sleep(0)

    known: set[int] = set()
    reader = asyncio.create_task(read())
    await asyncio.gather(*[write(desk.database if i % 2 else other, i) for i in range(6)])
    done.set()
    await reader
    await other.close()
    assert seen == sorted(seen)
    assert len(seen) == len(await desk.events()) > 100


async def test_a_writer_waits_for_the_one_whose_events_come_first(postgres_desk: Desk) -> None:
    """Without the lock the second one's ids would be seen before the first one's, which are smaller."""
    wrote, go_on = asyncio.Event(), asyncio.Event()

    async def slow(tx: Tx) -> None:
        await events.append(tx.connection, [NewEvent("slow")], tx.now)
        wrote.set()
        await go_on.wait()

    async def quick(tx: Tx) -> None:
        tx.emit(NewEvent("quick"))

    first = asyncio.create_task(postgres_desk.database.transact(slow))
    await wrote.wait()
    second = asyncio.create_task(postgres_desk.database.transact(quick))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(second), 0.2)
    assert "quick" not in [e.kind for e in await postgres_desk.events()]
    go_on.set()
    await asyncio.gather(first, second)
    assert [e.kind for e in await postgres_desk.events()][-2:] == ["slow", "quick"]


async def test_an_event_is_bounded_and_holds_any_text(desk: Desk) -> None:
    async def work(tx: Tx) -> None:
        tx.emit(NewEvent("long", data={"message": "ä" * MAX_EVENT, "n": 2**70}))
        tx.emit(NewEvent("strange", data={"message": 'a\0"\\u0000 😀', "n": 2**70}))

    await desk.database.transact(work)
    long, strange = (await desk.events())[-2:]
    assert len(long.data["message"]) < MAX_EVENT
    assert strange.data == {"message": 'a\0"\\u0000 😀', "n": 2**70}


async def test_readers_start_after_their_cursor(desk: Desk) -> None:
    await desk.submit(*[new_job() for _ in range(5)])
    everything = await desk.events()
    assert await desk.events(everything[3].id) == everything[4:]
    async with desk.database.read() as connection:
        happened = await queue.happened_after(connection, everything[3].id, 2)
    assert [(e.id, e.kind, e.job_id) for e in happened] == [(e.id, e.kind, e.job_id) for e in everything[4:6]]


async def test_a_new_job_is_read_with_its_event_as_it_is_by_now(desk: Desk) -> None:
    paused, gone, fresh = await desk.submit(new_job(), new_job(), new_job())
    await desk.operate(Operation.PAUSE, paused)
    await desk.sql("DELETE FROM jobs WHERE id = :id", id=gone)
    async with desk.database.read() as connection:
        happened = await queue.happened_after(connection, 0, 100)
    new = {e.job_id: e.job for e in happened if e.kind == events.SUBMITTED}
    assert {i: job and job.state for i, job in new.items()} == {paused: "paused", gone: None, fresh: "pending"}
    assert {e.job for e in happened if e.kind != events.SUBMITTED} == {None}
