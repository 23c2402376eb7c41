"""Events are kept by the database itself: none is changed, none goes before its time but with its job."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from jobdeck.core.life.endings import Finished
from jobdeck.store.scheduling import due
from jobdeck.store.schema import events
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.events import NewEvent
from tests.store.desk import Desk


async def told(desk: Desk, kind: str) -> int:
    """An event that is not a job's; its id."""

    async def work(tx: Tx) -> None:
        tx.emit(NewEvent(kind, 1, None, "ann", {"token": 7}))

    await desk.database.transact(work)
    return (await desk.events())[-1].id


async def refused(desk: Desk, statement: str) -> None:
    before = await desk.events()
    with pytest.raises(DBAPIError) as error:
        await desk.database.transact(lambda tx: tx.connection.execute(text(statement)))
    assert "event" in str(error.value.orig)
    assert await desk.events() == before


@pytest.mark.parametrize(
    "change", ["actor = 'eve'", "data = '{}'", "at = 0", "kind = 'x'", "project_id = 2", "job_id = 9", "id = id + 1000"]
)
async def test_no_event_changes(desk: Desk, change: str) -> None:
    event = await told(desk, "token.created")
    await refused(desk, f"UPDATE events SET {change} WHERE id = {event}")
    await refused(desk, f"UPDATE events SET {change}")


async def test_no_young_event_goes(desk: Desk) -> None:
    event = await told(desk, "token.created")
    job = await desk.one()
    await refused(desk, f"DELETE FROM events WHERE id = {event}")
    await refused(desk, f"DELETE FROM events WHERE job_id = {job}")
    await refused(desk, "DELETE FROM events")


async def test_those_of_a_deleted_job_go_but_for_the_last(desk: Desk) -> None:
    job = (await desk.running()).id
    await desk.leave(await desk.job(job), Finished())
    await desk.delete(job)
    (last,) = [e for e in await desk.events() if e.job_id == job]
    assert last.kind == "deleted"
    await refused(desk, f"DELETE FROM events WHERE job_id = {job}")


async def test_only_what_is_older_than_its_retention_goes(desk: Desk) -> None:
    old = await told(desk, "token.created")
    desk.clock.advance(3600)
    young = await told(desk, "token.revoked")
    border = desk.clock.time - 1_000_000
    while await desk.database.transact(lambda tx: due.remove_events(tx, border, 100)):
        continue
    kinds = {e.id: e.kind for e in await desk.events()}
    assert old not in kinds
    assert kinds[young] == "token.revoked"
    await refused(desk, f"DELETE FROM {events.name} WHERE id = {young}")
