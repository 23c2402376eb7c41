"""A type that hangs or breaks where its job is planned, split or undone: that job ends, and nothing else notices."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jobdeck.core.life.operations import Operation
from jobdeck.engine.hooks import HookProcesses
from tests.engine.harness import Engine, running
from tests.engine.test_hooks_submit import alive, until_marked
from tests.engine.wayward import Plain, Wayward

SECONDS = 3.0
MEMORY = 200 * 1024 * 1024


@pytest.fixture
async def site(url: str, home: Path) -> AsyncIterator[Engine]:
    hooks = HookProcesses(4, check_seconds=20, plan_seconds=SECONDS, memory_limit=MEMORY)
    async with running(url, home, types=[Wayward, Plain], hooks=hooks) as engine:
        yield engine


async def beats(site: Engine) -> float:
    """The longest that this loop was held up while a job of another type ran."""
    job, last, longest = await site.submit("plain"), time.monotonic(), 0.0
    while await site.state(job) != "succeeded":
        await asyncio.sleep(0.01)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    return longest


@pytest.mark.parametrize("place", ["plan", "each", "params"])
@pytest.mark.parametrize("how", ["sleep", "busy", "deaf"])
async def test_a_plan_that_hangs_fails_its_job(site: Engine, tmp_path: Path, place: str, how: str) -> None:
    mark = tmp_path / "mark"
    job = await _submitted(site, place, how, mark)
    await until_marked(mark)
    assert await beats(site) < SECONDS, "the hook would hold it up for so long"
    row = await site.until(job, "failed")
    assert row["error_code"] == "plan_timed_out"
    assert "'wayward'" in row["error_message"]
    assert "plan_seconds" in row["error_hint"]
    assert alive(mark) == []
    assert await site.leased() == set()


async def _submitted(site: Engine, place: str, how: str, mark: Path) -> int:
    """A validator would hang at submit already: there it is made to hang later, as when a type is changed."""
    if place != "params":
        return await site.submit("wayward", place=place, how=how, mark=str(mark))
    from sqlalchemy import update

    from jobdeck.core.values import encode
    from jobdeck.store.schema import jobs

    await site.pause_scope("instance")
    job = await site.submit("wayward")
    params = encode({"place": place, "how": how, "mark": str(mark)})
    await site.database.transact(
        lambda tx: tx.connection.execute(update(jobs).where(jobs.c.id == job).values(params=params))
    )
    await site.resume_scope("instance")
    return job


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("exit", "plan_died"), ("quit", "unexpected_error"), ("interrupt", "unexpected_error"),
        ("allocate", "out_of_memory"), ("other", "unexpected_error"), ("refuse", "invalid_input"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["plan", "each"])
async def test_a_plan_that_breaks_fails_its_job(site: Engine, place: str, how: str, code: str) -> None:
    job = await site.submit("wayward", place=place, how=how)
    row = await site.until(job, "failed")
    assert row["error_code"] == code
    beside = await site.submit("wayward")
    await site.until(beside, "succeeded")


@pytest.mark.parametrize("how", ["fork", "print", "move"])
async def test_a_plan_that_leaves_traces_is_a_plan(site: Engine, tmp_path: Path, how: str) -> None:
    job = await site.submit("wayward", place="plan", how=how, mark=str(tmp_path / "mark"))
    await site.until(job, "succeeded")
    assert [t["part"] for t in await site.tasks(job)] == ["1", "2", None]
    assert how != "fork" or alive(tmp_path / "mark") == []


@pytest.mark.parametrize("place", ["plan", "each"])
@pytest.mark.parametrize(
    ("operation", "state"), [(Operation.CANCEL, "canceled"), (Operation.PAUSE, "paused")]
)  # fmt: skip
async def test_a_job_that_hangs_in_its_plan_heeds_at_once(
    sqlite_url: str, home: Path, tmp_path: Path, place: str, operation: Operation, state: str
) -> None:
    mark = tmp_path / "mark"
    async with running(sqlite_url, home, types=[Wayward], hooks=HookProcesses(4, plan_seconds=600)) as site:
        job = await site.submit("wayward", place=place, how="deaf", mark=str(mark))
        await until_marked(mark)
        began = time.monotonic()
        await site.done(operation, job)
        await site.until(job, state)
        assert time.monotonic() - began < 60, "its plan may take ten minutes"
        assert alive(mark) == []


async def test_a_worker_that_leaves_hands_back_what_hangs_in_its_plan(
    sqlite_url: str, home: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    async with running(sqlite_url, home, types=[Wayward], hooks=HookProcesses(4, plan_seconds=600)) as site:
        job = await site.submit("wayward", place="plan", how="gate", mark=str(mark))
        await until_marked(mark)
        began = time.monotonic()
        await site.fire(site.hands[0])
        assert time.monotonic() - began < 60, "its plan may take ten minutes"
        assert await site.state(job) == "pending"
        (tmp_path / "mark.open").touch()
        await site.hire()
        await site.until(job, "succeeded")


@pytest.mark.parametrize("how", ["sleep", "busy", "deaf"])
async def test_an_undo_that_hangs_is_killed_and_told(site: Engine, tmp_path: Path, how: str) -> None:
    mark = tmp_path / "mark"
    job = await site.submit("wayward", place="undo", how=how, mark=str(mark))
    await site.until(job, "running")
    await site.true(lambda: _has_step(site, job, "wait"))
    await site.done(Operation.CANCEL, job)
    await until_marked(mark)
    await site.done(Operation.CANCEL, job)  # again: it is under way
    assert await site.state(job) == "canceling"
    row = await site.until(job, "canceled")
    assert row["warnings"] == 1
    (ended,) = [e for e in await site.events(job) if e.kind == "canceled"]
    assert "`undo` took longer than 2 seconds and was killed" in ended.data["leftovers"]
    assert alive(mark) == []
    assert await site.leased() == set()


async def _has_step(site: Engine, job: int, name: str) -> bool:
    return name in [row["name"] for row in await site.steps(job)]


async def test_the_setting_bounds_what_a_type_allows_its_undo(sqlite_url: str, home: Path, tmp_path: Path) -> None:
    hooks = HookProcesses(4)
    async with running(sqlite_url, home, types=[Wayward], hooks=hooks, undo_seconds=0.5) as site:
        job = await site.submit("wayward", place="undo", how="sleep", mark=str(tmp_path / "mark"))
        await site.true(lambda: _has_step(site, job, "wait"))
        await site.done(Operation.CANCEL, job)
        await site.until(job, "canceled")
        (ended,) = [e for e in await site.events(job) if e.kind == "canceled"]
        assert "longer than 0.5 seconds" in ended.data["leftovers"]


async def test_an_undo_that_dies_is_told(site: Engine, tmp_path: Path) -> None:
    job = await site.submit("wayward", place="undo", how="exit", mark=str(tmp_path / "mark"))
    await site.true(lambda: _has_step(site, job, "wait"))
    await site.done(Operation.CANCEL, job)
    row = await site.until(job, "canceled")
    assert row["warnings"] == 1
    (ended,) = [e for e in await site.events(job) if e.kind == "canceled"]
    assert "status 7" in ended.data["leftovers"]
