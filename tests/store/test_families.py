"""Parents and children: a parent ends last, its policy decides what failed children do, cancel takes all."""

from __future__ import annotations

import asyncio

import pytest

from jobdeck.core.errors import ErrorInfo, NotLeader
from jobdeck.core.life.endings import Broke, Finished, Halted
from jobdeck.core.life.job import ChildPolicy
from jobdeck.core.life.operations import Operation
from jobdeck.core.life.records import JobLeft
from jobdeck.core.life.states import ENDED, State
from jobdeck.store.scheduling import families, queue
from tests.store.desk import Desk, new_job

ERROR = ErrorInfo("bad", "bad")


async def settle(desk: Desk, *ids: int) -> list[int]:
    return await families.settle(desk.database, desk.leader, ids)


async def test_a_parent_ends_after_its_last_child(desk: Desk) -> None:
    parent = await desk.running()
    one, other = await desk.submit(new_job(parent=parent.id), new_job(parent=parent.id))
    waiting = await desk.leave(parent, Finished('"mine"'))
    assert (waiting.state, waiting.waits_for_children, waiting.has_children) == (State.PENDING, True, True)
    async with desk.database.read() as connection:
        assert await queue.unended_children(connection, [parent.id]) == {parent.id: [one, other]}
    for child in (one, other):
        assert await settle(desk, parent.id, 999) == []
        await desk.assign(child)
        await desk.leave(await desk.job(child), Finished())
    assert await settle(desk, parent.id, one) == [parent.id]
    done = await desk.job(parent.id)
    assert (done.state, done.result) == (State.SUCCEEDED, '"mine"')
    assert await settle(desk, parent.id) == []


@pytest.mark.parametrize(
    ("policy", "state", "warnings"),
    [
        (ChildPolicy.FAIL, State.FAILED, 0),
        (ChildPolicy.WARN, State.SUCCEEDED, 2),
        (ChildPolicy.IGNORE, State.SUCCEEDED, 0),
    ],
)
async def test_policies(desk: Desk, policy: ChildPolicy, state: State, warnings: int) -> None:
    parent = await desk.running(policy=policy)
    failed, canceled, _ = await desk.submit(*[new_job(parent=parent.id) for _ in range(3)])
    await desk.leave(parent, Finished())
    await desk.assign(failed)
    await desk.leave(await desk.job(failed), Broke(ERROR))
    await desk.operate(Operation.CANCEL, canceled)
    await desk.assign(canceled + 1)
    await desk.leave(await desk.job(canceled + 1), Finished())
    assert await settle(desk, parent.id) == [parent.id]
    after = await desk.job(parent.id)
    assert (after.state, after.warnings) == (state, warnings)
    if state is State.FAILED:
        assert after.error is not None
        assert f"{failed}, {canceled}" in after.error.message


async def test_a_parent_that_failed_waits_for_its_children_too(desk: Desk) -> None:
    parent = await desk.running()
    child = await desk.one(parent=parent.id)
    assert (await desk.leave(parent, Broke(ERROR))).state is State.PENDING
    await desk.operate(Operation.CANCEL, child)
    await settle(desk, parent.id)
    after = await desk.job(parent.id)
    assert (after.state, after.error and after.error.code) == (State.FAILED, "bad")


async def test_cancel_takes_the_whole_family_and_the_parent_ends_last(desk: Desk) -> None:
    top = await desk.running()
    middle = await desk.one(parent=top.id)
    await desk.assign(middle)
    leaf, idle = await desk.submit(new_job(parent=middle), new_job(parent=middle))
    await desk.assign(leaf)
    await desk.operate(Operation.CANCEL, top.id)
    jobs = [await desk.job(i) for i in (top.id, middle, leaf, idle)]
    assert [(j.state, j.cause) for j in jobs] == [
        (State.CANCELING, "user"), (State.CANCELING, "parent"), (State.CANCELING, "parent"), (State.CANCELED, "parent"),
    ]  # fmt: skip
    assert {row["ask"] for row in await desk.rows("leases")} == {"cancel"}
    for job in jobs[:2]:
        assert (await desk.leave(job, Halted(undone=True))).state is State.CANCELING
    assert await settle(desk, top.id, middle) == []
    assert (await desk.leave(jobs[2], Halted(undone=True))).state is State.CANCELED
    assert await settle(desk, middle) == [middle]
    assert await settle(desk, top.id) == [top.id]
    assert (await desk.job(top.id)).state is State.CANCELED


async def test_a_restart_under_way_does_not_save_a_child_from_its_parents_cancel(desk: Desk) -> None:
    parent = await desk.running()
    child = await desk.one(parent=parent.id)
    await desk.assign(child)
    await desk.operate(Operation.RESTART, child)
    await desk.operate(Operation.CANCEL, parent.id)
    after = await desk.leave(await desk.job(child), Halted(undone=True))
    assert (after.state, after.cause) == (State.CANCELED, "parent")


async def test_child_and_parent_end_at_the_same_moment(desk: Desk) -> None:
    """Whichever is first, the parent ends, and after its child."""
    for _ in range(4):
        parent = await desk.running()
        child_id = await desk.one(parent=parent.id)
        await desk.assign(child_id)
        child = await desk.job(child_id)
        await asyncio.gather(desk.write(parent, JobLeft(Finished())), desk.write(child, JobLeft(Finished())))
        await settle(desk, parent.id)
        assert (await desk.job(parent.id)).state is State.SUCCEEDED
        ended = [e.job_id for e in await desk.events() if e.kind == "succeeded" and e.job_id in (parent.id, child_id)]
        assert ended == [child_id, parent.id]


async def test_a_child_submitted_while_its_parent_ends_is_waited_for_or_refused(desk: Desk) -> None:
    """The parent's row is the lock: the child comes before the end, or sees that there was one."""
    for _ in range(4):
        parent = await desk.running()
        ended, child = await asyncio.gather(desk.write(parent, JobLeft(Finished())), _late_child(desk, parent.id))
        assert ended
        after = await desk.job(parent.id)
        assert (after.state is State.SUCCEEDED) == (child is None)
        if child is not None:
            assert (after.state, after.waits_for_children) == (State.PENDING, True)


async def _late_child(desk: Desk, parent: int) -> int | None:
    """Submit as engine/submitting does, which refuses when the locked parent has ended."""
    from jobdeck.core.life.waiting import order_key
    from jobdeck.store.jobs import jobs, submissions
    from jobdeck.store.sql.database import Tx

    async def work(tx: Tx) -> int | None:
        if (await jobs.lock(tx, [parent]))[parent].state in ENDED:
            return None
        (child,) = ids = await submissions.next_ids(tx, 1)
        await submissions.insert_many(tx, [new_job(parent=parent)], [order_key(tx.now, 5)], ids)
        await submissions.mark_parents(tx, [parent])
        return child

    return await desk.database.transact(work)


async def test_an_old_leader_settles_nothing(desk: Desk) -> None:
    parent = await desk.running()
    child = await desk.one(parent=parent.id)
    await desk.leave(parent, Finished())
    await desk.operate(Operation.CANCEL, child)
    desk.clock.advance(7)
    await desk.lead("s2")
    with pytest.raises(NotLeader):
        await settle(desk, parent.id)
    assert (await desk.job(parent.id)).state is State.PENDING
