"""The log of held claims can say no: to each thing it watches for, put into the database past all of Jobdeck."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from jobdeck.core.claims import Claim
from jobdeck.store.migrate import migrate
from jobdeck.store.sql.clock import SetClock
from jobdeck.store.sql.database import Database
from tests.faults.claims_log import ClaimsLog, claims_log
from tests.faults.installation import until
from tests.store.desk import Desk, furnished, new_job

LIMITS = {"project:p/licence": 2}
WRONG = {
    "3 units held of project:p/licence, which has 2": (
        "UPDATE jobs SET state = 'running', epoch = 1, leased = true WHERE id = 3",
        """INSERT INTO leases SELECT 3, worker_id, epoch, purpose, ask, claims, acquired_at, expires_at
           FROM leases WHERE job_id = 2""",
    ),
    "2 hold project:p/table, one of them for itself": (
        """UPDATE leases SET claims = '[["project:p/table", 1, "s"]]'""",
        """UPDATE leases SET claims = '[["project:p/table", 1, "x"]]' WHERE job_id = 2""",
    ),
    "job 1 is pending, which its lease contradicts": ("UPDATE jobs SET state = 'pending' WHERE id = 1",),
    "job 2 is running, which its lease contradicts": ("DELETE FROM leases WHERE job_id = 2",),
    "job 1 is running, which its lease contradicts": ("UPDATE leases SET epoch = 7 WHERE job_id = 1",),
}


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    """Two jobs hold the two licences that there are, and a third one waits."""
    database = Database(database_url, clock=SetClock())
    await migrate(database)
    await furnished(database)
    await database.close()
    async with Desk.at(database_url) as desk:
        jobs = await desk.submit(*[new_job(Claim("licence")) for _ in range(3)])
        assert jobs == [1, 2, 3]
        await desk.assign(1, 2)
        yield desk


def looked(log: ClaimsLog) -> None:
    until(lambda: log.samples > 10, "it has looked often")


async def test_each_thing_it_watches_for_is_told(desk: Desk, database_url: str) -> None:
    with claims_log(database_url, LIMITS) as log:
        looked(log)
    rows = {table: await desk.rows(table) for table in ("jobs", "leases")}
    for wrong, statements in WRONG.items():
        for statement in statements:
            await desk.sql(statement)
        with claims_log(database_url, LIMITS, judge=False) as log:
            looked(log)
        assert log.wrong == [wrong]
        with pytest.raises(AssertionError, match=wrong):
            log.assert_kept()
        await put_back(desk, rows)


async def put_back(desk: Desk, rows: dict[str, list[dict[str, object]]]) -> None:
    await desk.sql("DELETE FROM leases")
    for lease in rows["leases"]:
        columns = ", ".join(lease)
        await desk.sql(f"INSERT INTO leases ({columns}) VALUES (:{', :'.join(lease)})", **lease)
    for job in rows["jobs"]:
        await desk.sql("UPDATE jobs SET state = :state, epoch = :epoch, leased = :leased WHERE id = :id",
                       **{name: job[name] for name in ("id", "state", "epoch", "leased")})  # fmt: skip


async def test_a_log_that_could_not_have_told_is_none(desk: Desk, database_url: str) -> None:
    """A limit that nothing came near, and a database that was hardly looked at."""
    with pytest.raises(AssertionError, match=r"never reached.*licence': '2 of 3'"):  # noqa: SIM117
        with claims_log(database_url, {"project:p/licence": 3}) as log:
            looked(log)
    with pytest.raises(AssertionError, match="hardly an entry"):
        ClaimsLog(database_url, LIMITS).assert_kept()
