"""Sessions at hand: used again at once, tried when they rested, and never given on with anything open."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import psycopg
import pytest
from sqlalchemy import text

from jobdeck.core.errors import Unavailable
from jobdeck.core.life.endings import Finished
from jobdeck.core.life.records import JobLeft, PlannedTask, StepClosed, StepOpened, TaskEnded
from jobdeck.core.life.states import State, StepState
from jobdeck.store.jobs import jobs
from jobdeck.store.sql import sessions
from jobdeck.store.sql.database import Connection, Tx
from jobdeck.store.sql.postgres_driver import below_of
from jobdeck.store.sql.statements import Prepared
from jobdeck.store.sql.wakeups import SCHEDULER
from tests.store.desk import Desk, new_job


async def _pid(tx: Tx) -> int:
    return int((await below_of(tx.connection)).info.backend_pid)


async def _open(desk: Desk) -> list[str]:
    """What sessions other than the one that asks have open."""
    query = "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    async with desk.database.read() as connection:
        return [state for (state,) in await connection.exec_driver_sql(query) if state and state != "idle"]


async def test_the_one_used_last_is_used_again(postgres_desk: Desk) -> None:
    desk = postgres_desk
    assert len({await desk.database.transact(_pid, by_key=True) for _ in range(5)}) == 1


async def test_two_at_once_have_one_each(postgres_desk: Desk) -> None:
    desk = postgres_desk

    async def outer(tx: Tx) -> bool:
        return await _pid(tx) != await asyncio.create_task(desk.database.transact(_pid, by_key=True))

    assert await desk.database.transact(outer, by_key=True)


@pytest.mark.parametrize("through_sqlalchemy", [True, False])
async def test_what_is_written_without_an_event_is_committed(postgres_desk: Desk, through_sqlalchemy: bool) -> None:
    desk = postgres_desk
    statement = text("UPDATE projects SET title = 'Other' WHERE id = 1")

    async def work(tx: Tx) -> None:
        if through_sqlalchemy:
            await tx.connection.execute(statement)
        else:
            await Prepared(statement).run(tx.connection)

    await desk.database.transact(work, by_key=True)
    assert not await _open(desk)
    assert [row["title"] for row in await desk.rows("projects") if row["id"] == 1] == ["Other"]


async def test_what_fails_is_undone_and_its_session_goes_on(postgres_desk: Desk) -> None:
    desk = postgres_desk
    job = await desk.one()
    before = await desk.job(job)

    async def fail(tx: Tx) -> None:
        await jobs.save(tx, [(before, before._replace(priority=9))])
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        await desk.database.transact(fail, by_key=True)
    assert not await _open(desk)
    assert (await desk.job(job)).priority != 9
    await desk.submit(new_job())


async def test_one_that_rested_and_is_gone_is_replaced(
    postgres_desk: Desk, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = postgres_desk
    pid = await desk.database.transact(_pid, by_key=True)
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    monkeypatch.setattr(sessions, "IDLE_SECONDS", 0.0)
    again = await desk.database.transact(_pid, by_key=True)
    assert again != pid
    job = await desk.one()
    assert (await desk.job(job)).state is State.PENDING


async def test_one_that_rested_and_answers_is_used_again(postgres_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = postgres_desk
    running = await desk.running()
    monkeypatch.setattr(sessions, "IDLE_SECONDS", 0.0)
    pid = await desk.database.transact(_pid, by_key=True)
    assert await desk.write(running, StepOpened(0, "load", 1.0, (PlannedTask(0, "a"),)))
    assert await desk.database.transact(_pid, by_key=True) == pid
    assert not await _open(desk)


async def test_schedulers_sleep_through_what_changes_no_queue(desk: Desk) -> None:
    """A step that begins or ends concerns those who look on, and nobody else; a job that leaves, the scheduler."""
    running = await desk.running()
    scheduler = desk.database.wakeups.subscribe(SCHEDULER)
    onlooker = desk.database.wakeups.subscribe()
    await desk.write(running, StepOpened(0, "load", 1.0, (PlannedTask(0, "a"),)))
    await desk.write(running, TaskEnded(0, 0, StepState.SUCCEEDED), StepClosed(0, StepState.SUCCEEDED))
    assert await onlooker.wait(1)
    assert not await scheduler.wait(0.05)
    await desk.write(running, JobLeft(Finished()))
    assert await scheduler.wait(1)
    await desk.submit(new_job())
    assert await scheduler.wait(1)


async def test_one_that_was_broken_off_is_not_used_again(postgres_desk: Desk) -> None:
    """A task can be canceled at any await; a session that was among its statements then hears no answers any more."""
    desk = postgres_desk
    (waiting,) = await desk.submit(new_job())

    async def count(tx: Tx) -> int:
        return len(await jobs.lock(tx, [waiting]))

    for by_key in (True, False):
        steps = 0
        while True:
            steps += 1
            time.sleep(0.006)  # noqa: ASYNC251  (the driver gives way when the loop was busy: one more place to be canceled)
            counting = asyncio.create_task(desk.database.transact(count, jobs.locking({waiting}), by_key=by_key))
            for _ in range(steps):
                await asyncio.sleep(0)
            if counting.done():
                break
            counting.cancel()
            await asyncio.wait([counting])
            assert await desk.database.transact(count, by_key=by_key) == 1
        assert await counting == 1
        assert steps > 3


async def test_those_that_hang_are_not_waited_for_one_by_one(
    postgres_desk: Desk, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their servers are frozen; when the first gives no answer, the others are dropped with it."""
    database = postgres_desk.database.sibling(patience=0.5)

    async def three(tx: Tx) -> list[int]:
        async def two(other: Tx) -> list[int]:
            return [await _pid(other), await asyncio.create_task(database.transact(_pid, by_key=True))]

        return [await _pid(tx), *await asyncio.create_task(database.transact(two, by_key=True))]

    frozen = await database.transact(three, by_key=True)
    asked = 0
    plain = sessions._answers

    async def counted(connection: Connection) -> bool:
        nonlocal asked
        asked += 1
        return await plain(connection)

    monkeypatch.setattr(sessions, "_answers", counted)
    monkeypatch.setattr(sessions, "IDLE_SECONDS", 0.0)
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert await database.transact(_pid, by_key=True) not in frozen
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    assert len(set(frozen)) == 3
    assert asked == 1
    await database.close()


async def test_a_commit_on_a_session_that_is_gone_is_no_answer(postgres_desk: Desk, postgres_url: str) -> None:
    async def write_and_lose(tx: Tx) -> None:
        await Prepared(text("UPDATE projects SET title = 'Lost' WHERE id = 1")).run(tx.connection)
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [await _pid(tx)])

    with pytest.raises(Unavailable):
        await postgres_desk.database.transact(write_and_lose, by_key=True)
    assert [row["title"] for row in await postgres_desk.rows("projects") if row["id"] == 1] != ["Lost"]
