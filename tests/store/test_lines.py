"""At which place a job stands among those that need the same, as people are told."""

from __future__ import annotations

from jobdeck.core.claims import Claim
from jobdeck.core.life.waiting import Reason
from tests.store.desk import LEASE, Desk, new_job

TABLE, SIMILAR = Claim.exclusive("object:lake/a/b_1"), Claim.exclusive("object:lake/A/b_1")
HOUR = 3600 * 1_000_000


async def numbers(desk: Desk, project_limit: int | None = None) -> dict[int, int | None]:
    """By job, the place of the first thing that it needs and cannot have."""
    told = await desk.told(LEASE, project_limit)
    return {job: next((r.number for r in why if r.reason is Reason.CLAIM), None) for job, why in told.items()}


async def test_who_needs_a_table_stands_in_the_order_of_the_queue(desk: Desk) -> None:
    """By priority and age; who needs another table, or may not start yet, stands in no one's way."""
    later = desk.clock.time + HOUR
    holder, other, low, high, same, held, free = await desk.submit(
        new_job(TABLE), new_job(SIMILAR), new_job(TABLE, priority=1), new_job(TABLE, priority=9), new_job(TABLE),
        new_job(TABLE, priority=9, not_before=later), new_job(),
    )  # fmt: skip
    await desk.assign(holder, other)
    found = await numbers(desk)
    assert {job: found[job] for job in (high, same, low)} == {high: 1, same: 2, low: 3}
    assert found[free] is None
    assert held in found
    another = await desk.one(priority=9)
    assert (await numbers(desk))[another] is None


async def test_a_full_project_has_one_line_and_what_all_share_has_none(desk: Desk) -> None:
    first, second, third = await desk.submit(new_job(), new_job(), new_job(priority=9))
    await desk.assign(first)
    assert await numbers(desk, project_limit=1) == {third: 1, second: 2}
