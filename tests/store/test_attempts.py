"""An attempt keeps how it ended, whatever becomes of its job; a task that failed keeps its own traceback."""

from __future__ import annotations

from typing import Any

import pytest

from jobdeck.core.errors import ErrorInfo
from jobdeck.core.life.endings import Broke, Halted
from jobdeck.core.life.operations import Operation
from jobdeck.core.life.records import PlannedTask, StepOpened, TaskEnded, TaskStarted
from jobdeck.core.life.states import StepState
from jobdeck.store.running.leases import UNDO
from jobdeck.store.running.step_writes import MOST_TRACEBACK
from tests.store.desk import Desk

ERROR = ErrorInfo("bad_row", "row 3 is bad", "mend it", "trace of the job")
DIRTY = StepOpened(0, "load", 1.0, (PlannedTask(0, "a"), PlannedTask(1, "b")), dirties=True)


async def attempts(desk: Desk) -> list[tuple[Any, ...]]:
    return [(a["attempt"], a["state"], a["error_code"], a["ended_at"]) for a in await desk.rows("attempts")]


async def test_one_that_failed_stays_failed_when_its_job_is_restarted(desk: Desk) -> None:
    job = await desk.running()
    await desk.leave(job, Broke(ERROR))
    ended = await attempts(desk)
    assert [(n, state, code) for n, state, code, _ in ended] == [(1, "failed", "bad_row")]
    desk.clock.advance(5)
    await desk.operate(Operation.RESTART, job.id)
    assert await attempts(desk) == ended
    assert await desk.assign(job.id) == {job.id}
    assert await attempts(desk) == [*ended, (2, "running", None, None)]


@pytest.mark.parametrize("leftovers", [False, True])
async def test_one_that_failed_stays_failed_when_its_job_is_canceled(desk: Desk, leftovers: bool) -> None:
    job = await desk.running()
    if leftovers:
        assert await desk.write(job, DIRTY)
    await desk.leave(job, Broke(ERROR))
    ended = await attempts(desk)
    desk.clock.advance(5)
    await desk.operate(Operation.CANCEL, job.id)
    if leftovers:
        assert await desk.assign(job.id, purpose=UNDO) == {job.id}
        await desk.leave(await desk.job(job.id), Halted(undone=True))
    assert str((await desk.job(job.id)).state) == "canceled"
    assert await attempts(desk) == ended


async def test_one_that_is_resumed_is_open_again_and_ends_anew(desk: Desk) -> None:
    job = await desk.running()
    await desk.leave(job, Broke(ERROR))
    await desk.operate(Operation.RESUME, job.id)
    assert await attempts(desk) == [(1, "pending", None, None)]
    await desk.operate(Operation.PAUSE, job.id)
    await desk.operate(Operation.RESTART, job.id)
    assert [row[:3] for row in await attempts(desk)] == [(1, "canceled", None)]


async def test_one_that_runs_is_canceled_with_its_job(desk: Desk) -> None:
    for operation in (Operation.CANCEL, Operation.RESTART):
        job = await desk.running()
        await desk.operate(operation, job.id)
        await desk.leave(job, Halted(undone=True))
    assert [row[:3] for row in await attempts(desk)] == [(1, "canceled", None)] * 2


async def test_each_task_that_failed_keeps_its_own_traceback(desk: Desk) -> None:
    job = await desk.running()
    errors = [ErrorInfo("bad_row", "m", None, "first " * 3), ErrorInfo("bad_row", "m", None, "x" * 20_000 + "the end")]
    ended = [TaskEnded(0, i, StepState.FAILED, None, error) for i, error in enumerate(errors)]
    assert await desk.write(job, DIRTY, TaskStarted(0, 0, "h"), TaskStarted(0, 1, "h"), *ended)
    first, second = [task["error_traceback"] for task in await desk.rows("tasks")]
    assert first == errors[0].traceback
    assert len(second) == MOST_TRACEBACK
    assert second.startswith("…x")
    assert second.endswith("the end")
    assert await desk.write(job, TaskStarted(0, 0, "h"))
    assert [task["error_traceback"] for task in await desk.rows("tasks")] == [None, second]
