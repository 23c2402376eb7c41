"""Repeats: the same key, or the same open job, at one moment or later, makes one job."""

from __future__ import annotations

import asyncio

import pytest

from jobdeck.core.errors import Conflict, ErrorInfo
from jobdeck.core.life.endings import Broke
from jobdeck.core.life.operations import Operation
from jobdeck.core.life.states import State
from jobdeck.core.life.waiting import order_key
from jobdeck.store.jobs import submissions
from jobdeck.store.jobs.submissions import NewJob
from jobdeck.store.sql.database import Tx
from tests.store.desk import Desk, new_job


async def insert(tx: Tx, job: NewJob) -> list[int]:
    ids = await submissions.next_ids(tx, 1)
    await submissions.insert_many(tx, [job], [order_key(tx.now, 5)], ids)
    return ids


async def submit_once(desk: Desk, key: str, request: str = "r", principal: int = 1) -> list[int]:
    async def work(tx: Tx) -> list[int]:
        earlier = await submissions.remembered(tx, principal, key, request)
        if earlier is not None:
            return earlier
        ids = await insert(tx, new_job())
        await submissions.remember(tx, principal, key, request, ids)
        return ids

    return await submissions.settle_races(desk.database, work)


async def submit_unless_open(desk: Desk, dedupe: str) -> list[int]:
    async def work(tx: Tx) -> list[int]:
        known = await submissions.open_duplicates(tx, [dedupe])
        return list(known.values()) or await insert(tx, new_job(dedupe=dedupe))

    return await submissions.settle_races(desk.database, work)


async def test_equal_keys_at_one_moment_make_one_job(desk: Desk) -> None:
    found = await asyncio.gather(*[submit_once(desk, "k") for _ in range(8)])
    assert len({tuple(f) for f in found}) == 1
    assert len(await desk.rows("jobs")) == 1


async def test_a_key_is_its_principals_and_its_requests(desk: Desk) -> None:
    first = await submit_once(desk, "k")
    assert await submit_once(desk, "k", principal=2) != first
    assert await submit_once(desk, "k2") != first
    with pytest.raises(Conflict, match="'k' was used before"):
        await submit_once(desk, "k", request="other")
    assert await submit_once(desk, "k") == first


async def test_equal_jobs_at_one_moment_are_one_while_it_is_open(desk: Desk) -> None:
    found = await asyncio.gather(*[submit_unless_open(desk, "d") for _ in range(8)])
    assert len({tuple(f) for f in found}) == 1
    await desk.operate(Operation.CANCEL, found[0][0])
    assert await submit_unless_open(desk, "d") != found[0]
    assert len(await desk.rows("jobs")) == 2


async def test_failed_jobs_that_were_equal_can_be_resumed_together(desk: Desk) -> None:
    """Each failed, so an equal one was accepted after it; resuming all of them must not stumble over that."""
    ids = []
    for _ in range(3):
        ids += await submit_unless_open(desk, "d")
        if len(ids) < 3:
            await desk.assign(ids[-1])
            await desk.leave(await desk.job(ids[-1]), Broke(ErrorInfo("x", "x")))
    assert len(set(ids)) == 3
    results = await desk.operate(Operation.RESUME, ids[0], ids[1])
    assert [r.changed for r in results] == [True, True]
    assert [(await desk.job(i)).state for i in ids] == [State.PENDING] * 3
    assert await submit_unless_open(desk, "d") == [ids[2]]


async def test_ids_grow_in_order_and_are_never_used_again(desk: Desk) -> None:
    first = await desk.submit(*[new_job() for _ in range(5)])
    assert first == sorted(first)
    await desk.operate(Operation.CANCEL, *first)
    await desk.operate(Operation.DELETE, *first)
    assert min(await desk.submit(new_job())) > max(first)


async def test_a_run_id_says_whose_child_it_is(desk: Desk) -> None:
    parent = await desk.one()
    child = await desk.one(parent=parent)
    told = await desk.database.transact(lambda tx: submissions.run_ids(tx, [parent, child]))
    assert told == {parent: str(parent), child: f"{parent}.{child}"}
