"""Every cell of the table of operations, on live jobs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jobdeck.core.errors import NotFound, OperationRefused
from jobdeck.core.life.operations import ALLOWED, Operation
from jobdeck.core.life.states import State
from tests.engine.harness import Engine, asked, at_gate, reached, script
from tests.engine.scripted import Script, Told, ToldForGood

FAR = 4_000_000_000_000_000
"""A time (µs) that does not come."""


async def job_in(engine: Engine, state: State) -> tuple[int, Script]:
    """A job that is, and for now stays, in `state`."""
    plot = script()
    if state is State.PENDING:
        return await engine.submit_with("scripted", {"key": plot.key}, not_before=FAR), plot
    if state is State.FAILED:
        plot.fail("s0/0/0", ToldForGood("no"))
    elif state is not State.SUCCEEDED:
        plot.hold("s0/0/0", heeds_stop=state not in (State.PAUSING, State.CANCELING))
    job = await engine.submit(key=plot.key)
    if state in (State.SUCCEEDED, State.FAILED):
        await engine.until(job, state)
        return job, plot
    await reached(plot.gates["s0/0/0"])
    if state in (State.PAUSING, State.PAUSED):
        await engine.done(Operation.PAUSE, job)
    if state in (State.CANCELING, State.CANCELED):
        await engine.done(Operation.CANCEL, job)
    await engine.until(job, state)
    if state in (State.PAUSING, State.CANCELING):
        await asked(plot.gates["s0/0/0"])
    return job, plot


TO = {
    (State.PENDING, Operation.CANCEL): "canceled",
    (State.PENDING, Operation.PAUSE): "paused",
    (State.RUNNING, Operation.CANCEL): "canceled",
    (State.RUNNING, Operation.PAUSE): "paused",
    (State.RUNNING, Operation.RESTART): "succeeded",
    (State.PAUSING, Operation.CANCEL): "canceled",
    (State.PAUSED, Operation.CANCEL): "canceled",
    (State.PAUSED, Operation.RESUME): "succeeded",
    (State.PAUSED, Operation.RESTART): "succeeded",
    (State.FAILED, Operation.CANCEL): "canceled",
    (State.FAILED, Operation.RESUME): "succeeded",
    (State.FAILED, Operation.RESTART): "succeeded",
    (State.FAILED, Operation.DELETE): None,
    (State.SUCCEEDED, Operation.DELETE): None,
    (State.CANCELED, Operation.DELETE): None,
}
ALREADY = {
    (State.PAUSING, Operation.PAUSE), (State.PAUSED, Operation.PAUSE), (State.CANCELING, Operation.CANCEL),
    (State.CANCELED, Operation.CANCEL),
}  # fmt: skip


def test_the_table_here_is_the_table_there() -> None:
    assert set(TO) == {(state, operation) for state, operations in ALLOWED.items() for operation in operations}


@pytest.mark.parametrize("state", State)
async def test_cells(engine: Engine, state: State) -> None:
    await asyncio.gather(*(_check_cell(engine, state, operation) for operation in Operation))


async def _check_cell(engine: Engine, state: State, operation: Operation) -> None:
    job, plot = await job_in(engine, state)
    (result,) = await engine.operate(operation, job)
    if (state, operation) in TO:
        assert result.error is None
        assert result.changed
        if operation is Operation.RESTART:
            await engine.true(lambda: _attempt_is(engine, job, 2))
        if operation in (Operation.RESUME, Operation.RESTART) or state is State.PAUSING:
            for gate in plot.gates.values():
                gate.opened.set()
        end = TO[state, operation]
        if end is None:
            return await _is_gone(engine, job)
        row = await engine.until(job, end)
        assert row["attempt"] == (2 if operation is Operation.RESTART else 1)
    elif (state, operation) in ALREADY:
        assert result.error is None
        assert not result.changed
        assert await engine.state(job) == state
    else:
        assert isinstance(result.error, OperationRefused)
        assert result.error.facts["state"] == state
        assert await engine.state(job) == state
    return None


async def _is_gone(engine: Engine, job: int) -> None:
    with pytest.raises(Exception, match="No row"):
        await engine.job(job)
    (again,) = await engine.operate(Operation.DELETE, job)
    assert isinstance(again.error, NotFound)


async def test_cancel_while_a_retry_is_due(engine: Engine) -> None:
    plot = script()
    plot.fail("s0/0/0", Told("once"))
    job = await engine.submit(key=plot.key, retries=3, backoff=1000)
    await engine.until_event("retrying", lambda e: e.job_id == job)
    (reason,) = await engine.reasons(job)
    assert reason.reason == "not_before"
    await engine.done(Operation.CANCEL, job)
    assert await engine.state(job) == "canceled"


async def test_pause_until_a_time(engine: Engine) -> None:
    job, gate, _ = await at_gate(engine, "s0/0/0")
    now = await engine.database.now()
    await engine.done(Operation.PAUSE, job, resume_at=now + 700_000, reason="lunch")
    row = await engine.until(job, "paused")
    assert row["resume_at"] == now + 700_000
    assert row["reason"] == "lunch"
    gate.opened.set()
    row = await engine.until(job, "succeeded")
    resumed = await engine.until_event("resumed")
    assert resumed.actor == "jobdeck"
    assert resumed.at >= now + 700_000


async def test_resume_after_a_failure_goes_on_inside_the_step(engine: Engine) -> None:
    """Steps and tasks that succeeded are kept; the failed task goes on from its last checkpoint."""
    plot = script()
    plot.fail("s1/1/2", ToldForGood("there"))
    job = await engine.submit(key=plot.key, steps=3, tasks=2, units=4, parallel=1)
    row = await engine.until(job, "failed")
    assert row["error_code"] == "told_to_fail"
    before = list(plot.did)
    assert before == [
        *(f"s0/{t}/{u}" for t in range(2) for u in range(4)),
        *(f"s1/0/{u}" for u in range(4)), "s1/1/0", "s1/1/1", "s1/1/2",
    ]  # fmt: skip
    await engine.done(Operation.RESUME, job)
    await engine.until(job, "succeeded")
    assert plot.did[len(before) :] == ["s1/1/2", "s1/1/3", *(f"s2/{t}/{u}" for t in range(2) for u in range(4))]


async def test_each_task_tells_why_it_failed_itself(engine: Engine) -> None:
    plot = script()
    for task in range(2):
        plot.fail(f"s0/{task}/0", Told(f"trouble of {task}"), ToldForGood(f"the end of {task}"))
    job = await engine.submit(key=plot.key, tasks=2, retries=1)
    await engine.until(job, "failed")
    failed = [row for row in await engine.tasks(job) if row["state"] == "failed"]
    assert failed
    for row in failed:
        assert row["error_traceback"].startswith("Traceback")
        assert row["error_message"] in row["error_traceback"]
        assert str(row["index"]) in row["error_message"]


async def test_restart_begins_from_nothing(engine: Engine) -> None:
    job, gate, plot = await at_gate(engine, "s1/0/1", "undoable", steps=2, units=2)
    await engine.done(Operation.RESTART, job)
    await engine.true(lambda: _attempt_is(engine, job, 2))
    gate.opened.set()
    row = await engine.until(job, "succeeded")
    assert row["attempt"] == 2
    assert plot.did == ["s0/0/0", "s0/0/1", "s1/0/0", "s1/0/1", "undo/1", "s0/0/0", "s0/0/1", "s1/0/0", "s1/0/1"]
    assert [s["attempt"] for s in await engine.steps(job)] == [1, 1, 2, 2]


async def _attempt_is(engine: Engine, job: int, attempt: int) -> bool:
    return bool((await engine.job(job))["attempt"] == attempt)


async def test_cancel_undoes(engine: Engine) -> None:
    job, _, plot = await at_gate(engine, "s0/0/0", "undoable")
    await engine.done(Operation.CANCEL, job)
    row = await engine.until(job, "canceled")
    assert plot.did == ["s0/0/0", "undo/1"]
    assert (row["warnings"], row["dirty_since"], row["cause"]) == (0, 0, "user")


@pytest.mark.parametrize("state", ["paused", "failed"])
async def test_cancel_of_a_job_that_rests_undoes_on_a_worker(engine: Engine, state: str) -> None:
    plot = script()
    if state == "failed":
        plot.fail("s0/0/0", ToldForGood("no"))
    else:
        plot.hold("s0/0/0")
    job = await engine.submit("undoable", key=plot.key)
    if state == "paused":
        await reached(plot.gates["s0/0/0"])
        await engine.done(Operation.PAUSE, job)
    await engine.until(job, state)
    await engine.done(Operation.CANCEL, job)
    await engine.until(job, "canceled")
    assert plot.did == ["s0/0/0", "undo/1"]
    assert await engine.leased() == set()


async def test_a_cancel_that_comes_too_late(engine: Engine) -> None:
    """The last task does not heed the stop and succeeds: the result is there, so the job succeeded."""
    job, gate, _ = await at_gate(engine, "s0/0/0", "finisher", heeds_stop=False)
    await engine.done(Operation.CANCEL, job)
    await engine.until(job, "canceling")
    gate.opened.set()
    row = await engine.until(job, "succeeded")
    assert row["fraction"] == 1.0


async def test_pause_then_cancel(engine: Engine) -> None:
    job, gate, plot = await at_gate(engine, "s0/0/0", heeds_stop=False, units=2)
    await engine.done(Operation.PAUSE, job)
    await engine.done(Operation.CANCEL, job)
    assert await engine.state(job) == "canceling"
    (refused,) = await engine.operate(Operation.PAUSE, job)
    assert isinstance(refused.error, OperationRefused)
    await asked(gate)
    gate.opened.set()
    await engine.until(job, "canceled")
    assert plot.did == ["s0/0/0"]


async def test_restart_then_cancel(engine: Engine) -> None:
    job, gate, plot = await at_gate(engine, "s0/0/0", "undoable", heeds_stop=False, units=2)
    await engine.done(Operation.RESTART, job)
    await engine.done(Operation.CANCEL, job)
    await asked(gate)
    gate.opened.set()
    row = await engine.until(job, "canceled")
    assert row["attempt"] == 1
    assert plot.did == ["s0/0/0", "undo/1"]


async def test_bulk_tells_each_its_own(engine: Engine) -> None:
    waiting = [await engine.submit_with("scripted", {}, not_before=FAR) for _ in range(3)]
    ended = await engine.submit()
    await engine.until(ended, "succeeded")
    ids = [waiting[0], ended, 999_999, waiting[1], waiting[0]]
    results = await engine.operate(Operation.CANCEL, *ids)
    assert [r.id for r in results] == ids
    outcomes: list[Any] = [type(r.error) if r.error else r.changed for r in results]
    assert outcomes == [True, OperationRefused, NotFound, True, True]
    assert await engine.state(waiting[2]) == "pending"
