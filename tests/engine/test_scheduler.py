"""The scheduler keeps the queue in memory: when it cannot be sure of it any more, it looks at the database anew."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import delete, select, update

from jobdeck.core.errors import Unavailable
from jobdeck.engine.loops import Loops
from jobdeck.engine.scheduling.scheduler import Scheduler
from jobdeck.store.schema import leadership, paused_scopes, workers
from jobdeck.store.sql.database import Database, Tx
from jobdeck.store.sql.statements import BatchQuery
from tests.engine.harness import Engine

T = TypeVar("T")


class _Moody(Database):
    """A database that does not answer when something is to be written, so many times."""

    silent = 3

    async def transact(
        self, work: Callable[[Tx], Awaitable[T]], *opening: BatchQuery, often: bool = False, by_key: bool = False
    ) -> T:
        if self.silent:
            self.silent -= 1
            raise Unavailable("The database does not answer.")
        return await super().transact(work, *opening, often=often, by_key=by_key)


async def test_what_could_not_be_assigned_is_decided_again(engine: Engine) -> None:
    """What is decided counts as held from then on; if it could not be written, nobody holds it."""
    await engine.set_limit("instance", 1)
    await engine._deciding.stop()
    moody = _Moody(engine.database.url, clock=engine.database.clock, wakeups=engine.database.wakeups)
    deciding = Loops([Scheduler(moody, engine.leadership, project_limit=10)])
    jobs = [await engine.submit() for _ in range(3)]
    await deciding.start()
    try:
        for job in jobs:
            row = await engine.until(job, "succeeded")
            assert row["epoch"] == 1
        assert moody.silent == 0
    finally:
        await deciding.stop()
        await moody.close()


async def test_one_decision_fills_half_of_the_places(engine: Engine) -> None:
    """So that its workers work while the next one is made, instead of both taking turns."""
    await engine.set_limit("project:default", 100)
    await engine.settled()
    await engine._deciding.stop()
    (there,) = await engine.rows(select(workers.c.slots, workers.c.light_slots))
    half = (there["slots"] + there["light_slots"]) // 2
    jobs = await engine.submit_all(*[engine.submission("scripted", {}) for _ in range(half + 1)])
    before = (await engine.events())[-1].id
    assert await engine.scheduler.turn(), "there is more to do at once"
    started = [event.job_id for event in await engine.events(after=before) if event.kind == "started"]
    assert started == jobs[:half]


async def test_who_leads_anew_looks_at_everything_anew(engine: Engine) -> None:
    """Between two leads of the same server anything may have happened, and its events may be gone already."""
    leader = engine.leadership.current
    assert leader is not None
    await engine.pause_scope("instance")
    await engine.settled()
    job = await engine.submit()
    await engine.waits_for(job, "paused_scope")
    await engine.settled()

    async def untold(tx: Tx) -> None:
        await tx.connection.execute(delete(paused_scopes))
        await tx.connection.execute(update(leadership).values(epoch=leadership.c.epoch + 1))

    await engine.database.transact(untold)
    await engine.until(job, "succeeded")
    now = engine.leadership.current
    assert now is not None
    assert now.epoch == leader.epoch + 1
