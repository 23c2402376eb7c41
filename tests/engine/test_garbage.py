"""Content whose row is gone is deleted, at once or later, whatever goes wrong in between; nothing else ever is."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from jobdeck.core.claims import Claim
from jobdeck.core.errors import Unavailable
from jobdeck.core.life.operations import Operation
from jobdeck.core.values import encode
from jobdeck.engine import leftovers
from jobdeck.engine.duties.collect_garbage import collect_garbage
from jobdeck.engine.garbage import GarbageCollector
from jobdeck.engine.scheduling.scheduler import Leadership
from jobdeck.storage.errors import StorageUnavailable
from jobdeck.store import garbage
from jobdeck.store.garbage import FIRST_PAUSE, LONGEST_PAUSE, Doomed, Garbage, Kind
from jobdeck.store.jobs.jobs import lock
from jobdeck.store.schema import jobs, storage_garbage
from tests.engine.harness import Engine, script
from tests.engine.scripted import ToldForGood


async def remembered(engine: Engine) -> list[Garbage]:
    async with engine.database.read() as connection:
        return await garbage.due(connection, 1 << 62, 1000)


def away(monkeypatch: pytest.MonkeyPatch, engine: Engine, *prefixes: str) -> None:
    """The storage deletes nothing below these (below nothing at all, when none is named)."""
    real = type(engine.blobs).delete_prefix

    async def refuse(self: object, prefix: str) -> None:
        if not prefixes or prefix in prefixes:
            raise StorageUnavailable("The object storage does not answer.")
        await real(self, prefix)  # type: ignore[arg-type]

    monkeypatch.setattr(type(engine.blobs), "delete_prefix", refuse)


async def enter(engine: Engine, *doomed: Doomed, wait: int = 0) -> list[int]:
    return await engine.database.transact(lambda tx: garbage.add(tx, doomed, wait=wait))


async def make_due(engine: Engine) -> None:
    await engine.database.transact(lambda tx: tx.connection.execute(update(storage_garbage).values(due_at=0)))


async def failed_job(engine: Engine) -> int:
    plot = script()
    plot.fail("s0/0/0", ToldForGood("no"))
    job = await engine.submit(key=plot.key)
    await engine.until(job, "failed")
    return job


async def test_what_cannot_be_deleted_is_deleted_later(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    job = await failed_job(engine)
    await engine.blobs.put(f"logs/{job}/0001/x", b"x")
    await engine.blobs.put(f"logs/{job}7/0001/x", b"x")
    with monkeypatch.context() as patched:
        away(patched, engine)
        (result,) = await engine.control.operate([job], Operation.DELETE, actor="me")
        assert result.changed
        (item,) = await remembered(engine)
        assert (item.prefix, item.tries, item.last_error) == (f"logs/{job}", 1, "The object storage does not answer.")
        await make_due(engine)
        await collect_garbage(engine.leadership, engine.garbage)
        (item,) = await remembered(engine)
        assert item.tries == 2
    await collect_garbage(engine.leadership, engine.garbage)
    assert len(await remembered(engine)) == 1, "its time has not come"
    await make_due(engine)
    await collect_garbage(engine.leadership, engine.garbage)
    assert await remembered(engine) == []
    assert [b.path for b in await engine.blobs.list("logs")] == [f"logs/{job}7/0001/x"]


async def test_a_crash_before_the_deletion_loses_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows and what is to be deleted are written in one transaction."""
    job = await failed_job(engine)
    await engine.blobs.put(f"logs/{job}/0001/x", b"x")

    async def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(GarbageCollector, "collect", die)
        with pytest.raises(KeyboardInterrupt):
            await engine.control.operate([job], Operation.DELETE, actor="me")
    assert [item.prefix for item in await remembered(engine)] == [f"logs/{job}"]
    await make_due(engine)
    await collect_garbage(engine.leadership, engine.garbage)
    assert await engine.blobs.list("logs") == []


async def test_a_removal_that_is_rolled_back_dooms_nothing(engine: Engine) -> None:
    class Broken(Exception):
        pass

    async def work(tx: object) -> None:
        await garbage.add(tx, [Doomed("logs/1")])  # type: ignore[arg-type]
        raise Broken

    with pytest.raises(Broken):
        await engine.database.transact(work)
    assert await remembered(engine) == []


async def test_one_that_fails_keeps_no_other(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40):
        await engine.blobs.put(f"logs/{number}/x", b"x")
    away(monkeypatch, engine, "logs/3")
    ids = await enter(engine, *(Doomed(f"logs/{number}") for number in range(40)))
    await engine.garbage.collect(ids)
    assert [b.path for b in await engine.blobs.list("logs")] == ["logs/3/x"]
    assert [item.prefix for item in await remembered(engine)] == ["logs/3"]


async def test_pauses_grow_to_a_bound(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    away(monkeypatch, engine)
    (kept,) = await enter(engine, Doomed("logs/1"))
    pauses = []
    for _ in range(16):
        before = await engine.database.now()
        await engine.garbage.collect([kept])
        async with engine.database.read() as connection:
            due_at = (await connection.execute(select(storage_garbage.c.due_at))).scalar_one()
        pauses.append(due_at - before)
    assert FIRST_PAUSE <= pauses[0] < 2 * FIRST_PAUSE
    assert pauses[1] >= 2 * FIRST_PAUSE
    assert LONGEST_PAUSE <= pauses[-1] < LONGEST_PAUSE + FIRST_PAUSE


async def test_only_the_leader_collects(engine: Engine) -> None:
    await enter(engine, Doomed("logs/1"))
    await collect_garbage(Leadership(engine.database, "other"), engine.garbage)
    assert len(await remembered(engine)) == 1


async def test_many_are_collected_in_one_round(engine: Engine) -> None:
    await enter(engine, *(Doomed(f"logs/{number}") for number in range(1203)))
    await collect_garbage(engine.leadership, engine.garbage)
    assert await remembered(engine) == []


async def test_what_a_job_leaves(engine: Engine) -> None:
    """Logs; of each attempt the rejects; of those that were not undone the plans and what stands beside the table."""
    job = await failed_job(engine)
    claims = [
        Claim("instance"), Claim.exclusive("project:default/object:lake/a.b/ä t"),
        Claim("project:default/object:lake/r/r"), Claim.exclusive("project:default/object:other/b/t"),
    ]  # fmt: skip
    values = {"claims": encode([c.to_json() for c in claims]), "attempt": 3, "dirty_since": 2}
    query = update(jobs).where(jobs.c.id == job).values(values)
    await engine.database.transact(lambda tx: tx.connection.execute(query))

    async def look(tx: object) -> list[Doomed]:
        return await leftovers.of_jobs(tx, list((await lock(tx, [job])).values()))  # type: ignore[arg-type]

    assert set(await engine.database.transact(look)) == {
        Doomed(f"logs/{job}"),
        *(Doomed(f"projects/default/rejects/{job}-{n}") for n in (1, 2, 3)),
        *(Doomed(f"projects/default/plans/{job}-{n}") for n in (2, 3)),
        *(Doomed(f"projects/default/lake/a.b/=C3=A4=20t/jobs/{job}-{n}", Kind.STAGED) for n in (2, 3)),
    }


async def test_staged_files_are_left_to_who_knows_the_table(engine: Engine) -> None:
    asked: list[str] = []

    async def clean(prefix: str) -> None:
        asked.append(prefix)
        if len(asked) == 1:
            raise Unavailable("not now")

    collector = GarbageCollector(engine.database, engine.blobs, clean)
    await engine.blobs.put("projects/p/lake/b/t/jobs/1-1/x.parquet", b"x")
    (kept,) = await enter(engine, Doomed("projects/p/lake/b/t/jobs/1-1", Kind.STAGED))
    await collector.collect([kept])
    assert len(await remembered(engine)) == 1
    await collector.collect([kept])
    assert asked == ["projects/p/lake/b/t/jobs/1-1"] * 2
    assert await remembered(engine) == []
    assert len(await engine.blobs.list("projects/p/lake")) == 1, "nothing is deleted past it"
