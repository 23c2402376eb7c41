"""Which records of a running job are committed together, and which must not wait for others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from jobdeck import JobType
from jobdeck.core.jobtype import step
from jobdeck.core.life.records import JobLeft, Record, StepOpened, TaskEnded, TaskStarted
from jobdeck.core.tasks import Run
from jobdeck.engine.worker.recorder import Recorder
from tests.engine.harness import Engine, at_gate, running, script
from tests.engine.scripted import Scripted


class Four(JobType):
    """Four steps; the parts of the third are made by code of the type's own."""

    name = "four"
    isolation = "thread"

    @step
    def first(self, run: Run) -> int:
        return 1

    @step
    def second(self, run: Run) -> list[int]:
        return [1, 2]

    @step(each=lambda _: [1, 2])
    def third(self, run: Run, part: int) -> int:
        return part

    @step
    def fourth(self, run: Run) -> int:
        return 4


class Messy(JobType):
    """One step that could leave something about."""

    name = "messy"
    isolation = "thread"

    @step
    def make(self, run: Run) -> None:
        return None

    def undo(self, run: Run) -> None:
        return None


@pytest.fixture
async def engine(url: str, home: Path) -> AsyncIterator[Engine]:
    async with running(url, home, types=[Scripted, Four, Messy]) as engine:
        yield engine


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Record, ...]]:
    """What each write of any job said."""
    seen: list[tuple[Record, ...]] = []
    plain = Recorder.write

    async def noted(self: Recorder, job: int, epoch: int, records: tuple[Record, ...]) -> None:
        seen.append(records)
        await plain(self, job, epoch, records)

    monkeypatch.setattr(Recorder, "write", noted)
    return seen


def place_of(writes: list[tuple[Record, ...]], kind: type[Any], **values: Any) -> int:
    """The number of the one write that says this."""
    found = [
        number
        for number, records in enumerate(writes)
        for record in records
        if isinstance(record, kind) and all(getattr(record, name) == value for name, value in values.items())
    ]
    assert len(found) == 1, (kind, values, writes)
    return found[0]


async def test_the_end_of_a_task_waits_only_for_what_follows_at_once(
    engine: Engine, writes: list[tuple[Record, ...]]
) -> None:
    job = await engine.submit("four")
    await engine.until(job, "succeeded")
    assert place_of(writes, TaskEnded, step=0) == place_of(writes, StepOpened, index=1)
    assert place_of(writes, TaskEnded, step=1) < place_of(writes, StepOpened, index=2)
    assert max(place_of(writes, TaskEnded, step=2, index=i) for i in (0, 1)) <= place_of(writes, StepOpened, index=3)
    assert place_of(writes, TaskEnded, step=3) < place_of(writes, JobLeft)
    assert [(t["state"], t["attempts"]) for t in await engine.tasks(job)] == [("succeeded", 1)] * 5


async def test_the_first_step_opens_with_its_first_task(engine: Engine, writes: list[tuple[Record, ...]]) -> None:
    plot = script()
    plot.hold("s0/0/0").opened.set()
    job = await engine.submit(key=plot.key)
    await engine.until(job, "succeeded")
    assert place_of(writes, StepOpened) == place_of(writes, TaskStarted)
    (task,) = await engine.tasks(job)
    (opened,) = await engine.steps(job)
    assert opened["started_at"] <= task["started_at"] <= task["ended_at"]


async def test_what_may_have_to_be_undone_is_written_before_it_begins(
    engine: Engine, writes: list[tuple[Record, ...]]
) -> None:
    job = await engine.submit("messy")
    await engine.until(job, "succeeded")
    assert place_of(writes, StepOpened, dirties=True) < place_of(writes, TaskStarted)


async def test_a_start_is_told_though_the_task_says_nothing(engine: Engine, writes: list[tuple[Record, ...]]) -> None:
    job, gate, _ = await at_gate(engine, "s0/0/0")

    async def runs() -> bool:
        return any(task["state"] == "running" for task in await engine.tasks(job))

    await engine.true(runs)
    gate.opened.set()
    await engine.until(job, "succeeded")
    (task,) = await engine.tasks(job)
    (opened,) = await engine.steps(job)
    assert place_of(writes, TaskStarted) < place_of(writes, TaskEnded)
    assert opened["started_at"] <= task["started_at"] <= task["ended_at"]
