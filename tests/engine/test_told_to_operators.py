"""What an operator hears: a line for each job that fails, what a worker is short of, and that undraining works."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from jobdeck.core.life.operations import Operation
from jobdeck.engine.duties import tell_failures
from jobdeck.engine.duties.tell_failures import TellFailures
from jobdeck.engine.scheduling.scheduler import Leadership
from jobdeck.store.running import workers
from jobdeck.store.schema import workers as table
from tests.engine.harness import Engine, running, script
from tests.engine.scripted import ToldForGood


async def fail(engine: Engine, text: str) -> int:
    plot = script()
    plot.fail("s0/0/0", ToldForGood(text))
    job = await engine.submit(key=plot.key)
    await engine.until(job, "failed")
    return job


async def told(duty: TellFailures) -> list[tuple[Any, ...]]:
    with capture_logs() as lines:
        await duty()
    names = ("job", "type", "project", "code", "error")
    return [tuple(line[name] for name in names) for line in lines if line["event"] == "job_failed"]


@pytest.fixture(autouse=True)
def uncached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Earlier tests may have bound the logger to what they configured."""
    import structlog

    monkeypatch.setattr(tell_failures, "log", structlog.get_logger())


async def test_a_line_for_each_job_that_fails(engine: Engine) -> None:
    before = await fail(engine, "before it began")
    duty = TellFailures(engine.database, engine.leadership)
    assert await told(duty) == []
    first, second = await fail(engine, "one"), await fail(engine, "two\nlines\x1b[31m")
    fine = await engine.submit()
    await engine.until(fine, "succeeded")
    lines = await told(duty)
    assert [line[:3] for line in lines] == [(first, "scripted", "default"), (second, "scripted", "default")]
    assert all(code and text for *_, code, text in lines)
    assert "one" in lines[0][4]
    assert await told(duty) == []
    await engine.done(Operation.RESTART, first)
    await engine.until(first, "succeeded", "failed")
    assert before not in [line[0] for line in lines]


async def test_one_that_stands_by_tells_what_the_one_who_led_may_not_have_told(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tell_failures, "BATCH", 1)
    leads, stands_by = engine.leadership, Leadership(engine.database, "other")
    duty = TellFailures(engine.database, stands_by)
    assert await told(duty) == []
    jobs = [await fail(engine, "one"), await fail(engine, "two")]
    assert await told(duty) == []
    duty._leadership = leads
    assert [line[0] for line in await told(duty)] == jobs
    duty._leadership = stands_by
    await fail(engine, "told by the other one long ago")
    for _ in range(tell_failures._BEHIND + 1):
        assert await told(duty) == []
    duty._leadership = leads
    assert await told(duty) == []


async def test_a_drained_worker_takes_jobs_again(engine: Engine) -> None:
    me = engine.hands[0].id
    assert await workers.set_state(engine.database, me, workers.DRAINING, "boss")
    waiting = await engine.submit()
    await engine.waits_for(waiting, "no_worker")
    assert await workers.set_state(engine.database, me, workers.ACTIVE, "boss")
    await engine.until(waiting, "succeeded")
    event = await engine.until_event("worker.undrained")
    assert (event.actor, event.data) == ("boss", {"worker": me})


async def test_what_a_worker_is_short_of_travels_with_its_sign_of_life(url: str, home: Any) -> None:
    async with running(url, home, lease_seconds=2.0) as engine:
        threads = engine.hands[0].executor._executors["thread"]
        threads._shortage.what = "No process can be started now: " + "x" * 1000  # type: ignore[attr-defined]

        async def shortage() -> str | None:
            (row,) = await engine.rows(select(table.c.shortage))
            return str(row["shortage"]) if row["shortage"] else None

        await engine.true(shortage)
        assert len(await shortage() or "") == workers.MAX_SHORTAGE
        threads._shortage.over()  # type: ignore[attr-defined]

        async def over() -> bool:
            return await shortage() is None

        await engine.true(over)
