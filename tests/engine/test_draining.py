"""A worker that is told to take nothing more while it has jobs: it finishes them, and then it can be stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jobdeck.access.caller import Caller, Role
from jobdeck.services.admin.workers import Workers
from jobdeck.services.core import Core, Installation
from tests.engine.harness import Engine, reached, running, script
from tests.engine.stubborn import Patient
from tests.engine.test_processes import begun


@pytest.fixture
async def engine(url: str, home: Path) -> AsyncIterator[Engine]:
    async with running(url, home, types=[Patient]) as engine:
        yield engine


def workers_of(engine: Engine) -> tuple[Workers, Caller]:
    """What the command line and the API call, and an administrator."""
    parts = engine.database, engine.registry, engine.blobs, engine.submitter, engine.control, engine.feed, engine.logs
    core = Core(*parts, Installation("0", engine.blobs.url), engine.garbage)
    return Workers(core), Caller("boss", engine.principal, 1, Role.ADMIN)


async def test_what_runs_is_finished_and_nothing_more_is_taken(engine: Engine, tmp_path: Path) -> None:
    plot = script()
    gate = plot.hold("s0/0/1")
    light = await engine.submit(key=plot.key, units=3, steps=2)
    heavy = await engine.submit("patient", folder=str(tmp_path))
    await reached(gate)
    await begun(engine, tmp_path)
    service, boss = workers_of(engine)
    drained = await service.drain(boss, engine.hands[0].id)
    assert (drained.state, sorted(drained.running)) == ("draining", [light, heavy])
    waiting = await engine.submit()
    await engine.waits_for(waiting, "no_worker")
    gate.opened.set()
    (tmp_path / "go").touch()
    for job in (light, heavy):
        row = await engine.until(job, "succeeded")
        assert (row["epoch"], row["losses"]) == (1, 0)
    assert plot.did == [f"s{step}/0/{unit}" for step in range(2) for unit in range(3)]
    await engine.settled()
    assert (await engine.waits_for(waiting, "no_worker")).holders == ()
    assert "started" not in await engine.kinds(waiting)
    await engine.fire(engine.hands[0])
    (gone,) = [worker for worker in (await service.page(boss, None, 10)).items if worker.id == drained.id]
    assert (gone.state, gone.running) == ("gone", [])
    await engine.hire()
    await engine.until(waiting, "succeeded")


async def test_a_drained_worker_that_is_stopped_hands_back_what_it_has_not_finished(
    engine: Engine, tmp_path: Path
) -> None:  # fmt: skip
    plot = script()
    gate = plot.hold("s0/0/1")
    light = await engine.submit(key=plot.key, units=3)
    heavy = await engine.submit("patient", folder=str(tmp_path))
    await reached(gate)
    await begun(engine, tmp_path)
    service, boss = workers_of(engine)
    await service.drain(boss, engine.hands[0].id)
    await engine.fire(engine.hands[0])
    assert await engine.leased() == set()
    for job in (light, heavy):
        row = await engine.job(job)
        assert (row["state"], row["losses"]) == ("pending", 0)
        assert (await engine.kinds(job))[-1] == "handed_back"
    gate.opened.set()
    (tmp_path / "go").touch()
    await engine.hire()
    for job in (light, heavy):
        row = await engine.until(job, "succeeded")
        assert (row["epoch"], row["losses"]) == (2, 0)
    assert plot.did == ["s0/0/0", "s0/0/1", "s0/0/1", "s0/0/2"]
