"""The log of failures: written with the failure, closed when the job goes on, gone with the job; and its groups."""

from __future__ import annotations

from typing import Any

import pytest

from jobdeck.core.errors import ErrorInfo
from jobdeck.core.life.endings import Broke, Finished
from jobdeck.core.life.job import Job
from jobdeck.core.life.operations import Operation
from jobdeck.store.failures import groups
from jobdeck.store.failures.groups import FailureFilter, StoredFailureGroup
from tests.store.desk import Desk
from tests.store.test_plans import plans

SECOND = 1_000_000


def error(text: str = "Row 3 is bad.", code: str = "bad_row") -> ErrorInfo:
    return ErrorInfo(code, text, "Mend it.", place="a.load")


async def failed(desk: Desk, text: str = "Row 3 is bad.", **more: Any) -> Job:
    return await desk.leave(await desk.running(**more), Broke(error(text)))


async def resumed(desk: Desk, job: Job) -> Job:
    await desk.operate(Operation.RESUME, job.id)
    assert await desk.assign(job.id)
    return await desk.job(job.id)


async def page(desk: Desk, where: FailureFilter | None = None, *more: Any) -> list[StoredFailureGroup]:
    async with desk.database.read() as connection:
        return await groups.page(connection, where or FailureFilter(), *(more or ("count", None, 100)))


async def test_each_failure_is_noted_and_closed_when_the_job_goes_on(desk: Desk) -> None:
    job = await failed(desk)
    (row,) = await desk.rows("failures")
    assert (row["job_id"], row["code"], row["message"], row["hint"], row["place"]) == (
        job.id, "bad_row", "Row 3 is bad.", "Mend it.", "a.load",
    )  # fmt: skip
    assert row["fingerprint"] == error().fingerprint
    assert row["left_at"] is None
    desk.clock.advance(5)
    job = await resumed(desk, job)
    desk.clock.advance(5)
    await desk.leave(job, Broke(error("Row 9 is bad.")))
    first, second = await desk.rows("failures")
    assert first["left_at"] - first["at"] == 5 * SECOND
    assert (second["left_at"], second["at"] - first["at"]) == (None, 10 * SECOND)
    (group,) = await page(desk)
    assert (group.count, group.failed_now) == (2, 1)
    assert group.last_seen - group.first_seen == 10 * SECOND


@pytest.mark.parametrize("operation", [Operation.RESUME, Operation.RESTART, Operation.CANCEL])
async def test_whatever_leads_out_of_failure_closes_it(desk: Desk, operation: Operation) -> None:
    job = await failed(desk)
    other = await failed(desk)
    await desk.operate(operation, job.id)
    open_ones = [row["job_id"] for row in await desk.rows("failures") if row["left_at"] is None]
    assert open_ones == [other.id]


async def test_a_success_is_no_failure_and_a_deleted_job_takes_its_failures_along(desk: Desk) -> None:
    await desk.leave(await desk.running(), Finished(None))
    assert await desk.rows("failures") == []
    job = await failed(desk)
    await desk.operate(Operation.DELETE, job.id)
    assert await desk.rows("failures") == []


async def test_a_message_of_any_length_and_any_characters_is_kept(desk: Desk) -> None:
    await failed(desk, "\0 \ud800 " + "x" * 50_000)
    (row,) = await desk.rows("failures")
    assert len(row["message"]) == 2000


async def test_groups_filters_orders_and_pages(desk: Desk) -> None:
    for text in ("Row 1 is bad.", "Row 2 is bad.", "The file is gone."):
        desk.clock.advance(3600)
        await failed(desk, text, type="b" if "file" in text else "a")
    many, few = await page(desk)
    assert (many.count, few.count) == (2, 1)
    assert [g.fingerprint for g in await page(desk, None, "last_seen", None, 5)] == [few.fingerprint, many.fingerprint]
    assert await page(desk, None, "count", None, 1) == [many]
    assert await page(desk, None, "count", (many.count, many.fingerprint), 5) == [few]
    assert await page(desk, None, "last_seen", (few.last_seen, few.fingerprint), 5) == [many]
    assert await page(desk, FailureFilter(types=("b",))) == [few]
    assert await page(desk, FailureFilter(project_ids=(2,))) == []
    assert [g.count for g in await page(desk, FailureFilter(since=many.last_seen, until=few.last_seen))] == [1]
    async with desk.database.read() as connection:
        assert await groups.totals(connection, FailureFilter()) == (2, 3, many.first_seen)
        assert await groups.totals(connection, FailureFilter(types=("none",))) == (0, 0, None)
        assert await groups.searched(connection, FailureFilter(), "FILE is") == (few.fingerprint,)
        assert await groups.searched(connection, FailureFilter(types=("a",)), "FILE is") == ()
        assert await groups.searched(connection, FailureFilter(), "100%") == ()


async def test_details_tell_types_projects_trend_and_the_latest_words(desk: Desk) -> None:
    first = await failed(desk, "Row 1 is bad.")
    desk.clock.advance(3600)
    second = await failed(desk, "Row 22 is bad.")
    again = await resumed(desk, first)
    await desk.leave(again, Broke(error("Row 333 is bad.")))
    (group,) = await page(desk)
    async with desk.database.read() as connection:
        found = await groups.details(connection, FailureFilter(), [group.fingerprint], 3600 * SECOND)
        assert await groups.details(connection, FailureFilter(), [], 1) == {}
    told = found[group.fingerprint]
    assert (told.types, told.projects) == ({"a": 3}, {1: 3})
    hour = group.first_seen // (3600 * SECOND)
    assert told.trend == {hour: 1, hour + 1: 2}
    assert told.latest == [first.id, second.id]
    assert (told.message, told.hint, told.place, told.code) == ("Row 333 is bad.", "Mend it.", "a.load", "bad_row")


async def test_groups_are_made_from_the_index_alone(sqlite_desk: Desk) -> None:
    await failed(sqlite_desk)
    async with plans(sqlite_desk) as told:
        await page(sqlite_desk, FailureFilter(project_ids=(1,), types=("a",), since=1))
    assert any("COVERING INDEX ix_failures_groups" in plan for plan in told), told
