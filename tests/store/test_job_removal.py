"""Deleting and pruning: nothing about a job remains but the word that it was deleted."""

from __future__ import annotations

from jobdeck.core.life.endings import Broke, Finished
from jobdeck.core.life.operations import Operation
from jobdeck.store.jobs import submissions
from jobdeck.store.scheduling import due
from jobdeck.store.schema import metadata
from tests.store.desk import Desk, new_job
from tests.store.test_attempt_writes import ERROR, EVERYTHING

HOUR = 3600.0


async def finished(desk: Desk, **more: int) -> int:
    job = await desk.running(**more)
    assert await desk.write(job, *EVERYTHING)
    await desk.leave(job, Finished("1"))
    return job.id


def mentions(rows: list[dict[str, object]], ids: set[int]) -> list[dict[str, object]]:
    return [r for r in rows if {r.get("job_id"), r.get("parent_id")} & ids]


async def test_every_table_forgets_a_deleted_job(desk: Desk) -> None:
    kept, parent = await finished(desk), (await desk.running()).id
    child = await finished(desk, parent=parent)
    assert await desk.write(await desk.job(parent), *EVERYTHING)
    await desk.leave(await desk.job(parent), Finished())
    gone = {parent, child}
    before = await desk.dump()
    full = {name for name, rows in before.items() if mentions(rows, gone)}
    assert full == {"jobs", "attempts", "steps", "tasks", "events", "lineage"}
    results = await desk.delete(parent)
    assert [r.changed for r in results] == [True]
    after = await desk.dump()
    assert {r["id"] for r in after["jobs"]} == {kept}
    for name in metadata.tables.keys() - {"events", "loose_jobs"}:  # test_segments.py shows that this one forgets, too
        assert not mentions(after[name], gone), name
    told = [(e["job_id"], e["kind"]) for e in mentions(after["events"], gone)]
    assert sorted(told) == [(i, "deleted") for i in sorted(gone)]
    assert mentions(after["events"], {kept}) == mentions(before["events"], {kept})


async def test_a_family_chosen_together_is_deleted_and_told_once(desk: Desk) -> None:
    parent = (await desk.running()).id
    child = await finished(desk, parent=parent)
    await desk.leave(await desk.job(parent), Finished())
    results = await desk.operate(Operation.DELETE, parent, child)
    assert [r.changed for r in results] == [True, True]
    told = [e.job_id for e in await desk.events() if e.kind == "deleted"]
    assert sorted(i for i in told if i is not None) == [parent, child]


async def test_what_can_still_run_is_not_deleted(desk: Desk) -> None:
    parent = (await desk.running()).id
    child = await desk.one(parent=parent)
    before = await desk.dump()
    for job_id in (parent, child, 999):
        (result,) = await desk.operate(Operation.DELETE, job_id)
        assert not result.changed
        assert result.error is not None
    assert await desk.dump() == before


async def ended(desk: Desk, seconds_ago: float) -> list[int]:
    async with desk.database.read() as connection:
        return await due.ended_jobs(connection, desk.clock.time - int(seconds_ago * 1_000_000), 0, 100)


async def test_retention_takes_only_what_ended_for_good_long_ago(desk: Desk) -> None:
    old = await finished(desk)
    parent = (await desk.running()).id
    await finished(desk, parent=parent)
    failed = await desk.running()
    await desk.leave(failed, Broke(ERROR))
    desk.clock.advance(HOUR)
    await finished(desk)
    assert await ended(desk, 1800) == sorted([old, failed.id])
    assert await ended(desk, HOUR * 2) == []


async def test_paused_jobs_are_due_at_their_time(desk: Desk) -> None:
    ids = await desk.submit(*[new_job() for _ in range(3)])
    await desk.operate(Operation.PAUSE, *ids[:2], resume_at=desk.clock.time + 5_000_000)
    await desk.operate(Operation.PAUSE, ids[2])

    async def to_resume() -> list[int]:
        async with desk.database.read() as connection:
            return await due.to_resume(connection, desk.clock.time)

    assert await to_resume() == []
    desk.clock.advance(5)
    assert await to_resume() == ids[:2]
    await desk.operate(Operation.CANCEL, ids[0])
    assert await to_resume() == [ids[1]]


async def test_old_events_and_keys_go(desk: Desk) -> None:
    await desk.one()
    await desk.database.transact(lambda tx: submissions.remember(tx, 1, "old", "r", [1]))
    desk.clock.advance(HOUR)
    await desk.one()
    await desk.database.transact(lambda tx: submissions.remember(tx, 1, "new", "r", [2]))
    border = desk.clock.time - 1_000_000
    events = await desk.events()
    old = [e for e in events if e.at < border]
    assert await desk.database.transact(lambda tx: due.remove_events(tx, border, 1)) == 1
    assert await desk.database.transact(lambda tx: due.remove_events(tx, border, 100)) == len(old) - 1
    assert await desk.events() == [e for e in events if e.at >= border]
    await desk.database.transact(lambda tx: due.forget_keys(tx, border))
    assert [r["key"] for r in await desk.rows("idempotency")] == ["new"]
