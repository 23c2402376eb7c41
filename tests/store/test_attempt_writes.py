"""The writes of running attempts: fenced by their epoch, in order, many jobs at once."""

from __future__ import annotations

import json

import pytest

from jobdeck.core.errors import ErrorInfo
from jobdeck.core.life.endings import Broke, Finished, Halted, RetryLater
from jobdeck.core.life.operations import Operation
from jobdeck.core.life.records import (
    JobAdvanced,
    JobLeft,
    JobUndone,
    PlannedTask,
    Record,
    StepClosed,
    StepOpened,
    TaskAdvanced,
    TaskEnded,
    TaskStarted,
)
from jobdeck.core.life.states import State, StepState
from jobdeck.core.life.transitions import replace
from jobdeck.core.tasks import Touched
from jobdeck.store.running import attempt_writes, steps
from jobdeck.store.running.attempt_writes import AttemptWrite
from tests.store.desk import Desk

ERROR = ErrorInfo("bad_row", "row 3 is bad", "mend it", "trace", place="a.load")
OPEN = StepOpened(0, "load", 2.0, (PlannedTask(0, "a.csv", '{"f":1}'), PlannedTask(1, "b.csv")), dirties=True)
DONE = TaskEnded(0, 0, StepState.SUCCEEDED, '"r"', None, (Touched("output", "lake/t", "3", 5, 60),), warnings=2)
EVERYTHING: tuple[Record, ...] = (
    OPEN, TaskStarted(0, 0, "h:1"), TaskAdvanced(0, 0, '"c"', 1, 2, "rows"), DONE,
    TaskEnded(0, 1, StepState.FAILED, None, ERROR), StepClosed(0, StepState.FAILED, ERROR), JobAdvanced(0.5, 1, 2, "u"),
    JobUndone(),
)  # fmt: skip


async def test_a_stale_write_changes_nothing_and_is_told(desk: Desk) -> None:
    """Of a batch with one stale and one live writer, the live one's records land and no trace of the other's."""
    lost, alive = await desk.running(), await desk.running()
    await desk.expire()
    alive = await desk.job(alive.id)
    assert await desk.assign(lost.id, alive.id) == {lost.id, alive.id}
    fresh, alive = await desk.job(lost.id), await desk.job(alive.id)
    assert fresh.epoch == lost.epoch + 1
    before = await desk.dump()
    for records in (*((r,) for r in EVERYTHING), EVERYTHING, (JobLeft(Finished("9")),)):
        assert not await desk.write(lost, *records)
    assert not await desk.write(replace(fresh, epoch=fresh.epoch + 1), *EVERYTHING)
    assert await desk.dump() == before
    stale = await attempt_writes.write(
        desk.database,
        [AttemptWrite(lost.id, lost.epoch, EVERYTHING), AttemptWrite(alive.id, alive.epoch, EVERYTHING)],
    )
    assert stale == {(lost.id, lost.epoch)}
    after = await desk.dump()
    for table in ("steps", "tasks", "lineage"):
        assert {row["job_id"] for row in after[table]} == {alive.id}
    assert [r for r in after["jobs"] if r["id"] == lost.id] == [r for r in before["jobs"] if r["id"] == lost.id]
    assert {e["job_id"] for e in after["events"][len(before["events"]) :]} == {alive.id}


async def test_nobody_writes_to_a_job_that_is_gone_or_free(desk: Desk) -> None:
    job = await desk.running()
    job_left = await desk.leave(job, RetryLater(ERROR, 5))
    assert job_left.state is State.PENDING
    before = await desk.dump()
    assert not await desk.write(job, *EVERYTHING)
    assert not await desk.write(job, JobLeft(Finished()))
    assert await desk.dump() == before
    await desk.operate(Operation.CANCEL, job.id)
    await desk.operate(Operation.DELETE, job.id)
    assert not await desk.write(job, *EVERYTHING)


async def test_leaving_twice_is_told_and_changes_nothing(desk: Desk) -> None:
    job = await desk.running()
    await desk.leave(job, Finished("1"))
    before = await desk.dump()
    assert before["leases"] == []
    assert not await desk.write(job, JobLeft(Broke(ERROR)))
    assert await desk.dump() == before


async def test_records_of_a_stay_become_rows(desk: Desk) -> None:
    job = await desk.running()
    assert await desk.write(job, OPEN)
    assert (await desk.job(job.id)).dirty_since == 1
    assert await desk.write(job, *EVERYTHING[1:-1])
    (step,) = await desk.rows("steps")
    assert (step["name"], step["state"], step["weight"], step["error_code"]) == ("load", "failed", 2.0, "bad_row")
    first, second = await desk.rows("tasks")
    assert (first["state"], first["host"], first["attempts"], first["result"]) == ("succeeded", "h:1", 1, '"r"')
    assert (first["cursor"], first["done"], first["total"], first["unit"]) == ('"c"', 1, 2, "rows")
    assert (second["state"], second["tries"], second["failures"]) == ("failed", 1, 1)
    assert second["error_message"] == "row 3 is bad"
    (lineage,) = await desk.rows("lineage")
    assert (lineage["object"], lineage["version"], lineage["rows"], lineage["bytes"]) == ("lake/t", "3", 5, 60)
    now = await desk.job(job.id)
    assert (now.warnings, now.fraction) == (2, 0.5)
    kinds = [e.kind for e in await desk.events()][-3:]
    assert kinds == ["task.warned", "task.failed", "step.failed"]


async def test_opening_again_keeps_what_was_done(desk: Desk) -> None:
    job = await desk.running()
    assert await desk.write(job, OPEN, TaskStarted(0, 0, "h"), DONE, StepClosed(0, StepState.FAILED, ERROR))
    assert await desk.write(job, StepOpened(0, "load", 2.0, ()))
    async with desk.database.read() as connection:
        (step,) = await steps.saved(connection, job.id, 1)
    assert step.state is StepState.RUNNING
    assert [(t.state, t.result, t.part) for t in step.tasks] == [
        (StepState.SUCCEEDED, '"r"', '{"f":1}'),
        (StepState.PENDING, None, None),
    ]
    (row,) = await desk.rows("steps")
    assert (row["error_code"], row["ended_at"]) == (None, None)


async def test_patches_of_one_task_merge_in_their_order(desk: Desk) -> None:
    job = await desk.running()
    assert await desk.write(
        job, OPEN, TaskStarted(0, 0, "h"), TaskAdvanced(0, 0, "1", 1, 9), TaskAdvanced(0, 0, None, 2),
        TaskAdvanced(0, 0, "2"),
    )  # fmt: skip
    first, _ = await desk.rows("tasks")
    assert (first["cursor"], first["done"], first["total"], first["state"]) == ("2", 2, 9, "running")


async def test_a_task_started_again_keeps_its_first_start_and_its_count(desk: Desk) -> None:
    job = await desk.running()
    assert await desk.write(job, OPEN, TaskStarted(0, 0, "h:1"))
    began = desk.clock.time
    desk.clock.advance(1)
    assert await desk.write(job, TaskEnded(0, 0, StepState.FAILED, None, ERROR))
    assert await desk.write(job, TaskStarted(0, 0, "h:2"))
    first, _ = await desk.rows("tasks")
    assert (first["started_at"], first["attempts"], first["tries"], first["host"]) == (began, 2, 1, "h:2")
    assert (first["error_code"], first["ended_at"], first["state"]) == (None, None, "running")


async def test_failures_are_counted_over_attempts_and_tries_anew(desk: Desk) -> None:
    job = await desk.running()
    assert await desk.write(job, OPEN, TaskStarted(0, 0, "h"), TaskEnded(0, 0, StepState.FAILED, None, ERROR))
    await desk.leave(job, Broke(ERROR))
    await desk.operate(Operation.RESUME, job.id)
    first, _ = await desk.rows("tasks")
    assert (first["tries"], first["failures"]) == (0, 1)
    await desk.operate(Operation.PAUSE, job.id)
    await desk.operate(Operation.RESTART, job.id)
    async with desk.database.read() as connection:
        assert await steps.failures_before(connection, job.id, 2, 0) == {0: 1, 1: 0}
        assert await steps.saved(connection, job.id, 2) == []


async def test_progress_shown_never_goes_back(desk: Desk) -> None:
    job = await desk.running()
    shown = []
    for fraction in (0.2, 0.6, 0.4):
        assert await desk.write(job, JobAdvanced(fraction, 1, None, "rows"))
        shown.append((await desk.job(job.id)).fraction)
    assert shown == [0.2, 0.6, 0.6]
    assert (await desk.leave(job, RetryLater(ERROR, 5))).fraction == 0.6


async def test_the_amounts_of_a_task_that_runs_again_do_not_go_back(desk: Desk) -> None:
    """It goes on at its last checkpoint, behind what was shown; only its end may say that there was less."""
    job = await desk.running()

    async def shown(*records: Record) -> tuple[int, int | None, int | None, str]:
        assert await desk.write(job, *records)
        task = next(row for row in (await desk.dump())["tasks"] if row["index"] == 0)
        return task["done"], task["rows"], task["bytes"], task["unit"]

    started = TaskStarted(0, 0, "h:1")
    first = TaskAdvanced(0, 0, '"c"', 50, 100, "rows", 50, 500)
    assert await shown(OPEN, started, first) == (50, 50, 500, "rows")
    assert await shown(started, TaskAdvanced(0, 0, None, 20, 100, "rows", 20, 200)) == (50, 50, 500, "rows")
    assert await shown(TaskAdvanced(0, 0, None, 60, 100, "rows", 60, 600)) == (60, 60, 600, "rows")
    assert await shown(TaskAdvanced(0, 0, None, 3, 9, "files")) == (3, 60, 600, "files")
    last = TaskAdvanced(0, 0, None, 40, 40, "rows", 40, 400)
    assert await shown(last, DONE) == (40, 40, 400, "rows")


async def test_progress_and_the_end_in_one_write(desk: Desk) -> None:
    job = await desk.running()
    assert await desk.write(job, JobAdvanced(0.7, 7, 10, "rows"), JobLeft(Halted()))
    row = (await desk.rows("jobs"))[0]
    assert (row["fraction"], row["done"], row["total"], row["state"]) == (0.7, 7, 10, "pending")


async def test_the_end_is_decided_from_what_was_asked_meanwhile(desk: Desk) -> None:
    job = await desk.running()
    assert await desk.write(job, OPEN)
    await desk.operate(Operation.CANCEL, job.id, reason="enough")
    after = await desk.leave(job, Halted(undone=True))
    assert (after.state, after.reason, after.cause, after.dirty_since) == (State.CANCELED, "enough", "user", 0)


async def test_undone_leftovers_are_no_more(desk: Desk) -> None:
    job = await desk.running()
    assert await desk.write(job, OPEN)
    assert await desk.write(job, JobUndone())
    assert (await desk.job(job.id)).dirty_since == 0


@pytest.mark.parametrize("steps_forward", [TaskAdvanced(0, 0, '"c"'), DONE])
async def test_progress_ends_a_row_of_losses(desk: Desk, steps_forward: Record) -> None:
    job = await desk.running()
    for losses in (1, 2):
        await desk.expire()
        assert (await desk.job(job.id)).losses == losses
        await desk.assign(job.id)
    job = await desk.job(job.id)
    assert await desk.write(job, OPEN, TaskAdvanced(0, 0, None, 5), JobAdvanced(0.1, 1, 1, ""))
    assert (await desk.job(job.id)).losses == 2
    assert await desk.write(job, steps_forward)
    assert (await desk.job(job.id)).losses == 0


async def test_any_character_and_any_integer_survive(desk: Desk) -> None:
    """JSON travels as text inside JSON: nothing in it may be taken for something else on the way."""
    strange = 'NUL \0 "quotes" \\u0000 \\ / % \u2028 😀 ' + str(2**70)
    text = json.dumps([strange, 2**70], ensure_ascii=False)
    job = await desk.running()
    assert await desk.write(job, StepOpened(0, "Schritt ä'\"", 1.0, (PlannedTask(0, "k'\"😀", text),)))
    assert await desk.write(job, TaskAdvanced(0, 0, text), TaskEnded(0, 0, StepState.SUCCEEDED, text))
    await desk.leave(job, Finished(text))
    task = (await desk.rows("tasks"))[0]
    assert (task["part"], task["cursor"], task["result"], task["key"]) == (text, text, text, "k'\"😀")
    assert (await desk.job(job.id)).result == text


@pytest.mark.parametrize(("bad", "shown"), [("a\0b", "a␀b"), ("a\ud800b", "a?b")])
async def test_text_that_no_database_takes_does_not_keep_a_job_from_failing(desk: Desk, bad: str, shown: str) -> None:
    job = await desk.running()
    after = await desk.leave(job, Broke(ErrorInfo("bad_name", f"file {bad} \\u0000 is bad", None, bad)))
    assert after.state is State.FAILED
    assert after.error is not None
    assert after.error.message == f"file {shown} \\u0000 is bad"
