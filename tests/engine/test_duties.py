"""Retention: ended jobs with their logs, files and events go by age, and nothing else does."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, select, update

from jobdeck.core.life.operations import Operation
from jobdeck.engine.duties.prune import DAY, Prune, Retention
from jobdeck.storage.places import file_path
from jobdeck.store.schema import events, files, idempotency, jobs
from jobdeck.store.sql.database import Tx
from tests.engine.harness import Engine, script
from tests.engine.scripted import ToldForGood
from tests.engine.test_operations import FAR


def prune_of(engine: Engine, **days: float | None) -> Prune:
    return Prune(engine.database, engine.leadership, engine.control, Retention(**days), engine.garbage)  # type: ignore[arg-type]


async def age(engine: Engine, job: int, days: float) -> None:
    query = update(jobs).where(jobs.c.id == job).values(ended_at=jobs.c.ended_at - int(days * DAY))
    await engine.database.transact(lambda tx: tx.connection.execute(query))


async def there(engine: Engine) -> set[int]:
    return {row["id"] for row in await engine.rows(select(jobs.c.id))}


async def test_old_jobs_go_with_their_logs(engine: Engine) -> None:
    plot = script()
    plot.fail("s0/0/0", ToldForGood("no"))
    old, young = await engine.submit(), await engine.submit()
    failed = await engine.submit(key=plot.key)
    for job, state in ((old, "succeeded"), (young, "succeeded"), (failed, "failed")):
        await engine.until(job, state)
    parent = await engine.submit_with("scripted", {}, not_before=FAR)
    child = await engine.submit_with("scripted", {}, parent=parent)
    await engine.until(child, "succeeded")
    waiting = await engine.submit_with("scripted", {}, not_before=FAR)
    paused = await engine.submit_with("scripted", {}, not_before=FAR)
    await engine.done(Operation.PAUSE, paused)
    for job in (old, failed, child):
        await age(engine, job, 8)
    await prune_of(engine, jobs=None, events=None)()
    assert await there(engine) == {old, young, failed, parent, child, waiting, paused}
    await prune_of(engine, jobs=7, events=None)()
    assert await there(engine) == {young, parent, child, waiting, paused}
    assert await engine.log(old) == []
    assert await engine.log(failed) == []
    assert await engine.log(young) == ["s0/0/0"]
    assert [e.kind for e in await engine.events(old)] == ["deleted"]


async def test_files_events_and_keys(engine: Engine) -> None:
    job = await engine.submit_all(engine.submission("scripted", {}), idempotency=("k", "h"))
    await engine.until(job[0], "succeeded")
    await engine.settled()
    now = await engine.database.now()
    paths = {}

    async def make(tx: Tx) -> None:
        for number, expires in ((1, now - 1), (2, now + DAY), (3, None)):
            row: dict[str, Any] = {"id": number, "name": "f", "size": 1, "sha256": "", "tags": "[]", "created_at": 1}
            owners = {"project_id": engine.project_id, "created_by": engine.principal, "expires_at": expires}
            await tx.connection.execute(insert(files).values(**row, **owners))
            paths[number] = file_path("default", number, "f")
        past = {"at": now - 100 * DAY, "kind": "submitted", "job_id": job[0], "data": "{}"}
        await tx.connection.execute(insert(events).values(**past))
        await tx.connection.execute(update(idempotency).values(created_at=now - 3 * DAY))

    await engine.database.transact(make)
    for path in paths.values():
        await engine.blobs.put(path, b"x")
    before = len(await engine.events())
    await prune_of(engine)()
    assert [r["id"] for r in await engine.rows(select(files.c.id).order_by(files.c.id))] == [2, 3]
    assert [b.path for b in await engine.blobs.list("projects")] == [paths[2], paths[3]]
    assert len(await engine.events()) == before - 1
    assert await engine.rows(select(idempotency.c.key)) == []


async def test_only_the_leader_prunes(engine: Engine) -> None:
    job = await engine.submit()
    await engine.until(job, "succeeded")
    await age(engine, job, 8)
    from jobdeck.engine.scheduling.scheduler import Leadership

    standby = Prune(
        engine.database, Leadership(engine.database, "other"), engine.control, Retention(jobs=1), engine.garbage
    )
    await standby()
    assert await there(engine) == {job}
