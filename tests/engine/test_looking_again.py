"""A step that looks again when a person resumes a job: what is the same stays done, all else is done anew."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from jobdeck import JobType, step
from jobdeck.core.life.operations import Operation
from jobdeck.core.tasks import Run
from jobdeck.jobs.declared import InvalidJobType, check_type
from tests.engine.harness import Engine, reached, running, script
from tests.engine.scripted import SCRIPTS, Course, ToldForGood

FOUND: dict[str, list[str]] = {}
"""What a look finds, by the job's key."""


class Looker(JobType):
    """Looks what there is, and does each of it."""

    name: ClassVar[str] = "looker"
    isolation = "thread"
    looks_again: ClassVar[str | None] = "look"
    Params = Course

    @step
    def look(self, run: Run) -> list[dict[str, str]]:
        try:
            before = [part["name"] for part in run.result("look")]
        except Exception:  # noqa: BLE001  (the first look)
            before = []
        SCRIPTS[self.params.key].reach(f"look/{','.join(before)}", run)
        return [{"name": name} for name in FOUND[self.params.key]]

    @step(each="look")
    def do(self, run: Run, part: dict[str, str]) -> str:
        SCRIPTS[self.params.key].reach(f"do/{part['name']}", run)
        return part["name"]

    @step
    def close(self, run: Run) -> list[str]:
        return list(run.result("do"))


@pytest.fixture
async def engine(url: str, home: Path) -> AsyncIterator[Engine]:
    async with running(url, home, types=[Looker]) as made:
        yield made


async def failed(engine: Engine, *names: str) -> tuple[int, Any]:
    """A job that did all of `names` but the last one."""
    plot = script()
    FOUND[plot.key] = list(names)
    plot.fail(f"do/{names[-1]}", ToldForGood("no"))
    job = await engine.submit("looker", key=plot.key, parallel=1)
    await engine.until(job, "failed")
    return job, plot


async def resumed(engine: Engine, job: int, plot: Any) -> list[str]:
    """What was done since."""
    plot.did.clear()
    await engine.done(Operation.RESUME, job)
    await engine.until(job, "succeeded")
    return sorted(plot.did)


async def result(engine: Engine, job: int) -> str:
    return str((await engine.job(job))["result"])


@pytest.mark.parametrize(
    ("now", "done"),
    [
        (["a", "B", "c"], ["do/B", "do/c"]),
        (["a", "b", "c", "d"], ["do/c", "do/d"]),
        (["b"], ["do/b"]),
        ([], []),
    ],
)
async def test_only_what_is_not_the_same_is_done(engine: Engine, now: list[str], done: list[str]) -> None:
    job, plot = await failed(engine, "a", "b", "c")
    FOUND[plot.key] = now
    assert await resumed(engine, job, plot) == [*done, "look/a,b,c"]
    assert await result(engine, job) == (json.dumps(now, separators=(",", ":")) if now else "None")
    assert [(row["index"], row["state"]) for row in await engine.tasks(job) if row["step_index"] == 1] == [
        (index, "succeeded") for index in range(len(now))
    ]


async def test_a_worker_that_dies_while_it_looks_again_or_does_what_is_new(engine: Engine) -> None:
    job, plot = await failed(engine, "a", "b", "c")
    FOUND[plot.key] = ["a", "B", "c"]
    for place in ("look/a,b,c", "do/B"):
        gate = plot.hold(place)
        if place.startswith("look"):
            await engine.done(Operation.RESUME, job)
        await reached(gate)
        await engine.fire(engine.hands[-1])
        del plot.gates[place]
        gate.opened.set()
        await engine.hire()
    await engine.until(job, "succeeded")
    assert await result(engine, job) == '["a","B","c"]'
    assert plot.did.count("do/a") == 1


async def test_without_a_person_it_does_not_look_again(engine: Engine) -> None:
    plot = script()
    FOUND[plot.key] = ["a"]
    gate = plot.hold("do/a")
    job = await engine.submit("looker", key=plot.key)
    await reached(gate)
    await engine.fire(engine.hands[-1])
    del plot.gates["do/a"]
    gate.opened.set()
    await engine.hire()
    await engine.until(job, "succeeded")
    assert [place for place in plot.did if place.startswith("look")] == ["look/"]


def test_it_must_be_a_step() -> None:
    class Wrong(Looker):
        """Names none."""

        looks_again = "lok"

    with pytest.raises(InvalidJobType, match="looks_again is 'lok'"):
        check_type(Wrong)
    check_type(Looker)
