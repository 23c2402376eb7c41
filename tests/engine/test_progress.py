"""Progress never goes back and is whole only at the end; the times of a life add up."""

from __future__ import annotations

import asyncio

import pytest

from jobdeck.core.life.operations import Operation
from tests.engine.harness import Engine, at_gate, reached, script
from tests.engine.scripted import Told, ToldForGood
from tests.engine.test_workers import expire


async def watched(engine: Engine, job: int) -> list[tuple[float, str]]:
    """The fraction after every commit, until the job has succeeded."""
    seen: list[tuple[float, str]] = []
    wakeup = engine.database.wakeups.subscribe()
    while not seen or seen[-1][1] != "succeeded":
        row = await engine.job(job)
        seen.append((row["fraction"], row["state"]))
        await wakeup.wait(0.05)
    wakeup.close()
    return seen


async def test_never_back_whatever_happens(engine: Engine) -> None:
    plot = script()
    gates = {unit: plot.hold(f"s1/0/{unit}") for unit in (1, 3, 4)}
    plot.fail("s0/0/2", Told("once"))
    plot.fail("s1/0/5", ToldForGood("for good"))
    job = await engine.submit(key=plot.key, steps=3, units=6, retries=1)
    watching = asyncio.create_task(watched(engine, job))
    await reached(gates[1])
    await engine.done(Operation.PAUSE, job)
    await engine.until(job, "paused")
    gates[1].opened.set()
    await engine.done(Operation.RESUME, job)
    await reached(gates[3])
    await expire(engine, job)
    await engine.until_event("worker_lost")
    gates[3].opened.set()
    await reached(gates[4])
    await engine.fire(engine.hands[0])
    gates[4].opened.set()
    await engine.hire()
    await engine.until(job, "failed")
    await engine.done(Operation.RESUME, job)
    row = await engine.until(job, "succeeded")
    seen = await asyncio.wait_for(watching, 60)
    fractions = [fraction for fraction, _ in seen]
    assert sorted(set(fractions)) == list(dict.fromkeys(fractions))
    assert all((fraction == 1.0) == (state == "succeeded") for fraction, state in seen)
    assert (row["done"], row["total"], row["unit"]) == (6, 6, "units")
    assert {"retrying", "paused", "worker_lost", "failed"} <= set(await engine.kinds(job))


async def test_times_add_up(engine: Engine) -> None:
    job, gate, _ = await at_gate(engine, "s0/0/0")
    await engine.done(Operation.PAUSE, job)
    await engine.until(job, "paused")
    await asyncio.sleep(0.3)  # how long it is paused
    await engine.done(Operation.RESUME, job)
    gate.opened.set()
    row = await engine.until(job, "succeeded")
    assert row["paused_us"] >= 300_000
    assert min(row["queued_us"], row["running_us"]) > 0
    assert row["queued_us"] + row["running_us"] + row["paused_us"] == row["ended_at"] - row["created_at"]


async def test_tasks_and_steps_agree_with_the_job(engine: Engine) -> None:
    job, gate, _ = await at_gate(engine, "s1/1/1", steps=2, tasks=2, units=2, parallel=1)
    await engine.done(Operation.PAUSE, job)
    await engine.until(job, "paused")
    assert [s["state"] for s in await engine.steps(job)] == ["succeeded", "running"]
    tasks = await engine.tasks(job)
    assert [(t["state"], t["done"], t["total"]) for t in tasks] == [
        ("succeeded", 2, 2), ("succeeded", 2, 2), ("succeeded", 2, 2), ("pending", 1, 2),
    ]  # fmt: skip
    row = await engine.job(job)
    assert 0.5 <= row["fraction"] <= 0.875
    gate.opened.set()
    await engine.done(Operation.RESUME, job)
    await engine.until(job, "succeeded")
    assert [s["state"] for s in await engine.steps(job)] == ["succeeded"] * 2


async def test_the_last_report_is_told_also_when_silence_follows(engine: Engine) -> None:
    plot = script()
    gates = [plot.hold(f"s0/{part}") for part in (0, 1)]
    job = await engine.submit("silent", key=plot.key, units=99, tasks=2)
    for gate in gates:
        await reached(gate)

    async def told() -> bool:
        tasks, row = await engine.tasks(job), await engine.job(job)
        return [(t["done"], t["rows"]) for t in tasks] == [(99, 99)] * 2 and (row["done"], row["total"]) == (198, 396)

    await engine.true(told)
    assert (await engine.job(job))["fraction"] == pytest.approx(0.5)
    gates[0].opened.set()

    async def one_ended() -> bool:
        return bool((await engine.job(job))["fraction"] == pytest.approx(0.75))

    await engine.true(one_ended)
    gates[1].opened.set()
    await engine.until(job, "succeeded")


async def test_a_restart_shows_nothing_done(engine: Engine) -> None:
    plot = script()
    plot.fail("s0/0/3", ToldForGood("no"))
    job = await engine.submit(key=plot.key, units=4)
    await engine.until(job, "failed")
    hold = plot.hold("s0/0/0")
    await engine.done(Operation.RESTART, job)
    await reached(hold)
    row = await engine.job(job)
    assert row["fraction"] == 0.0
    hold.opened.set()
    row = await engine.until(job, "succeeded")
    assert (row["fraction"], row["done"]) == (1.0, 4)
