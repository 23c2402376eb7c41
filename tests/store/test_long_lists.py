"""Lists of ids of any length: a statement has its parameters counted (PostgreSQL: 65,535), so a list travels as one."""

from __future__ import annotations

import pytest

from jobdeck.core.life.operations import Operation
from jobdeck.store.jobs import jobs, removal
from jobdeck.store.running import leases, steps, workers
from jobdeck.store.scheduling import queue
from jobdeck.store.sql.database import Tx
from tests.store.desk import Desk

LONG = range(1, 70_001)


async def test_a_selection_of_any_length_is_operated_on(desk: Desk) -> None:
    running = [(await desk.running()).id for _ in range(3)]
    results = await desk.operate(Operation.PAUSE, *LONG)
    assert [r.id for r in results] == list(LONG)
    assert [r.id for r in results if r.changed] == running
    assert {row["ask"] for row in await desk.rows("leases")} == {"pause"}
    results = await desk.operate(Operation.DELETE, *LONG)
    assert len(results) == len(LONG)
    assert not any(r.changed for r in results)


async def _answer(tx: Tx) -> set[str]:
    return {name for (name,) in tx.answers[0]}


@pytest.mark.parametrize("what", ["ask", "forget", "lock", "look", "children"])
async def test_a_list_of_any_length_is_one_parameter(desk: Desk, what: str) -> None:
    job = await desk.running()
    many = list(LONG)
    match what:
        case "ask":
            await desk.database.transact(lambda tx: leases.ask(tx, many, "cancel"))
            assert [row["ask"] for row in await desk.rows("leases")] == ["cancel"]
        case "forget":
            await desk.database.transact(lambda tx: steps.forget_tries(tx, many))
        case "lock":
            assert set(await desk.database.transact(lambda tx: jobs.lock(tx, many))) == {job.id}
            names = [f"w{n}" for n in many]
            assert await desk.database.transact(_answer, workers.locking_active(names)) == {"w1", "w2"}
        case "look":
            async with desk.database.read() as connection:
                assert [j.id for j in await queue.jobs_by_id(connection, many)] == [job.id]
        case "children":
            child = await desk.one(parent=job.id)
            async with desk.database.read() as connection:
                assert await removal.unended_children(connection, many) == [child]
