"""Duty: ended jobs come into segments while the engine runs, and lists of both say the same."""

from __future__ import annotations

from sqlalchemy import func, insert, literal, select, update

from jobdeck.engine.duties.seal import seal
from jobdeck.engine.scheduling.scheduler import Leadership
from jobdeck.store.schema import jobs, segments
from jobdeck.store.segments.job_filter import JobFilter
from jobdeck.store.segments.sealing import QUIET, Sealer
from jobdeck.store.segments.spans import SIZE
from jobdeck.store.sql.database import Tx
from jobdeck.store.views.job_lists import JobLists
from tests.engine.harness import Engine


async def _as_if_long_ago(engine: Engine, job: int) -> None:
    """The job is old, and one of the next segment is there."""

    async def work(tx: Tx) -> None:
        earlier = update(jobs).where(jobs.c.id == job).values(created_at=jobs.c.created_at - 2 * QUIET)
        await tx.connection.execute(earlier)
        others = [literal(SIZE + 5) if c.name == "id" else c for c in jobs.c]
        await tx.connection.execute(insert(jobs).from_select(jobs.c.keys(), select(*others).where(jobs.c.id == job)))

    await engine.database.transact(work)


async def test_what_has_ended_is_sealed_by_the_one_that_leads(engine: Engine) -> None:
    job = await engine.submit()
    await engine.until(job, "succeeded")
    await engine.settled()
    await _as_if_long_ago(engine, job)
    await seal(Leadership(engine.database, "another"), Sealer(engine.database))
    assert await engine.rows(select(segments.c.id)) == []
    await seal(engine.leadership, Sealer(engine.database))
    assert [row["id"] for row in await engine.rows(select(segments.c.id))] == [0]
    async with engine.database.read() as connection:
        assert (await JobLists().counts(connection, JobFilter()))["succeeded"] == 2
        assert (await connection.execute(select(func.count()).select_from(jobs))).scalar() == 2
