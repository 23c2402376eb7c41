"""What runs in the background: one that dies is noticed, started again after a pause that grows, and told of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jobdeck.core.errors import Unavailable
from jobdeck.engine import loops
from jobdeck.engine.loops import Backoff, Loops, LoopState, RepeatedLoop
from tests.engine.harness import Engine, reached, running, script


@pytest.fixture
async def engine(url: str, home: Path) -> AsyncIterator[Engine]:
    async with running(url, home, lease_seconds=2.0) as engine:
        yield engine


class Mortal:
    """Dies as often as it is told to, then runs until it is stopped."""

    name = "mortal"

    def __init__(self, *deaths: Exception | None) -> None:
        self._deaths = list(deaths)
        self.runs = 0
        self.runs_well = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        self.runs += 1
        if self._deaths:
            death = self._deaths.pop(0)
            if death is not None:
                raise death
            return
        self.runs_well.set()
        await stop.wait()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were waited before a service was started again; nothing waits for them here."""
    taken: list[float] = []

    async def at_once(stop: asyncio.Event, seconds: float) -> None:
        taken.append(seconds)

    monkeypatch.setattr(loops, "sleep_unless", at_once)
    return taken


async def test_one_that_dies_is_started_again(pauses: list[float]) -> None:
    mortal = Mortal(ValueError("bad"), None, RuntimeError("worse"))
    services = Loops([mortal])
    await services.start()
    await mortal.runs_well.wait()
    state = services.states["mortal"]
    assert (mortal.runs, state.restarts, state.works) == (4, 3, True)
    assert state.last_error == "RuntimeError: worse"
    assert services.one_died.is_set()
    assert pauses == [0.5, 1.0, 2.0]
    await services.stop()
    assert mortal.runs == 4


async def test_one_that_waits_to_be_started_again_is_told_of_and_stops_at_once() -> None:
    services = Loops([Mortal(ValueError("bad"))])
    await services.start()
    await services.one_died.wait()
    state = services.states["mortal"]
    assert (state.works, state.last_error) == (False, "ValueError: bad")
    await services.stop()


async def test_pauses_do_not_grow_for_ever(pauses: list[float]) -> None:
    mortal = Mortal(*[ValueError("bad")] * 12)
    services = Loops([mortal])
    await services.start()
    await mortal.runs_well.wait()
    assert pauses[-1] == loops.LONGEST_RESTART
    assert pauses == sorted(pauses)
    await services.stop()


async def test_a_loop_that_fails_again_and_again_does_not_work() -> None:
    failing, mended, twice = asyncio.Event(), asyncio.Event(), asyncio.Event()
    turns = good = 0

    async def turn() -> None:
        nonlocal turns, good
        turns += 1
        if turns > loops.TROUBLED_AFTER:
            failing.set()
        if not mended.is_set():
            raise KeyError("threads")
        good += 1
        if good == 2:
            twice.set()

    services = Loops([RepeatedLoop("scheduler", 0.0, turn)])
    await services.start()
    await failing.wait()
    state = services.states["scheduler"]
    assert (state.works, state.last_error) == (False, "KeyError: 'threads'")
    mended.set()
    await twice.wait()
    assert state.works
    await services.stop()


def test_a_database_that_is_away_is_no_fault_of_the_loop() -> None:
    state = LoopState()
    loops._STATE.set(state)
    backoff = Backoff("duty")
    for _ in range(20):
        backoff.failed(Unavailable("away"))
    assert state.works
    for _ in range(loops.TROUBLED_AFTER):
        backoff.failed(ValueError("bad"))
    assert not state.works
    backoff.succeeded()
    assert state.works


async def test_a_worker_that_died_goes_on_as_another(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job that was under way comes back when its lease is over, and others are taken at once."""
    (hand,) = engine.hands
    worker, first = hand.service, hand.service.me.id
    plot = script()
    gate = plot.hold("s0/0/0")
    begun = await engine.submit(key=plot.key)
    await reached(gate)

    async def fail() -> None:
        raise ValueError("what nobody foresaw")

    async def fail_again(stop: asyncio.Event, seconds: float) -> None:
        monkeypatch.undo()
        raise MemoryError("no more")

    monkeypatch.setattr(worker, "reconcile", fail)
    monkeypatch.setattr("jobdeck.engine.worker.worker.sleep_unless", fail_again)
    worker._poke.set()
    await hand.services.one_died.wait()
    gate.opened.set()
    later = await engine.submit()
    await engine.until(later, "succeeded")
    await engine.until(begun, "succeeded")
    assert worker.me.id != first
    assert hand.services.states[worker.name].restarts == 1
