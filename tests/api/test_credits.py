"""What a job used: by the time that it ran and the bytes that it moved, at the rates of its type."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, update

from jobdeck.core.jobtype import credits_of
from jobdeck.jobs.import_ import Import
from jobdeck.store.schema import jobs, lineage
from jobdeck.store.sql.database import Tx
from jobdeck.store.views import job_views
from tests.api.harness import Api

HOUR = 3_600_000_000


def test_each_part_counts_at_its_rate() -> None:
    assert credits_of(7200, 3_000_000_000, per_hour=2.0, per_gb=0.5) == 4 + 1.5
    assert credits_of(0, 0, per_hour=2.0, per_gb=0.5) == 0


async def test_running_and_moving_cost_and_waiting_does_not(api: Api) -> None:
    job = (await api.submit())["id"]
    assert (await api.get(f"jobs/{job}"))["credits"] == 0

    async def work(tx: Tx) -> None:
        spent = {"running_us": 2 * HOUR, "queued_us": 9 * HOUR, "paused_us": 9 * HOUR, "type": "import"}
        await tx.connection.execute(update(jobs).where(jobs.c.id == job).values(**spent))
        for direction, size in (("input", 3_000_000_000), ("input", 1_000_000_000), ("output", 500_000_000)):
            touched = {"attempt": 1, "direction": direction, "object": f"file:{size}", "bytes": size, "at": tx.now}
            await tx.connection.execute(insert(lineage).values(job_id=job, **touched))

    await api.core.database.transact(work)
    expected = 2 * Import.credits_per_hour + 4 * Import.credits_per_gb
    assert (await api.get(f"jobs/{job}"))["credits"] == pytest.approx(expected)
    assert (await api.get("jobs?fields=id,credits"))["items"][0]["credits"] == pytest.approx(expected)


async def test_a_type_that_is_gone_costs_what_types_cost(api: Api) -> None:
    job = (await api.submit())["id"]

    async def work(tx: Tx) -> None:
        await tx.connection.execute(update(jobs).where(jobs.c.id == job).values(type="gone", running_us=HOUR))

    await api.core.database.transact(work)
    assert (await api.get(f"jobs/{job}"))["credits"] == pytest.approx(1.0)


async def test_objects_that_are_not_shown_count_too(api: Api) -> None:
    job = (await api.submit())["id"]

    async def work(tx: Tx) -> None:
        await tx.connection.execute(update(jobs).where(jobs.c.id == job).values(type="import"))
        files = [
            {"job_id": job, "attempt": 1, "direction": "input", "object": f"file:{n}", "bytes": 10**9, "at": tx.now}
            for n in range(job_views.SHOWN_OBJECTS + 50)
        ]
        await tx.connection.execute(insert(lineage), files)

    await api.core.database.transact(work)
    assert (await api.get(f"jobs/{job}"))["credits"] == pytest.approx(150 * Import.credits_per_gb)
