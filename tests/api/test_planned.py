"""The steps that a job is to have, before they have begun."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from jobdeck.core.jobtype import JobType, StepSpec, step
from jobdeck.core.registry import RegisteredType
from jobdeck.core.tasks import Run
from jobdeck.engine.planned import Plans
from tests.api.harness import Api


class Params(BaseModel):
    steps: int = 2


class Declared(JobType):
    """Steps of a class."""

    name: ClassVar[str] = "declared"
    Params = Params

    @step
    def first(self, run: Run) -> None:
        """First."""

    @step
    def second(self, run: Run) -> None:
        """Second."""


class Planning(Declared):
    """Steps by parameters, unless there are too many."""

    name: ClassVar[str] = "planning"
    params: Params
    asked: ClassVar[int] = 0

    def plan(self) -> list[StepSpec]:
        Planning.asked += 1
        if self.params.steps > 9:
            raise RuntimeError("no")
        return [StepSpec(f"part-{i}", "first") for i in range(self.params.steps)]


def registered(kind: type[JobType]) -> RegisteredType:
    return RegisteredType(kind.type_name(), f"{kind.__module__}:{kind.__qualname__}", kind)


@pytest.mark.parametrize(("kind", "params", "names"), [
    (Declared, "{}", ("first", "second")), (Planning, '{"steps": 3}', ("part-0", "part-1", "part-2")),
    (Planning, '{"steps": 10}', ()), (Planning, "no JSON", ()),
])  # fmt: skip
async def test_names_of_steps(kind: type[JobType], params: str, names: tuple[str, ...]) -> None:
    assert await Plans().names(registered(kind), 1, 1, params, "default") == names


async def test_a_type_is_asked_once_for_each_attempt() -> None:
    plans, before = Plans(), Planning.asked
    for attempt in (1, 1, 2, 1):
        await plans.names(registered(Planning), 7, attempt, "{}", "default")
    assert Planning.asked == before + 2


async def planned(api: Api, job: int, query: str = "") -> list[str]:
    found: dict[str, Any] = await api.get(f"jobs/{job}/timeline{query}")
    return [step["name"] for step in found["planned"]]


async def test_timeline_tells_what_is_planned(small: Api) -> None:
    job = (await small.submit("sleep", {"seconds": 1, "steps": 3}))["id"]
    assert await planned(small, job) == ["sleep-0", "sleep-1", "sleep-2"]
    await small.put_job(job, state="succeeded", attempt=2)
    assert await planned(small, job) == []
    assert await planned(small, job, "?attempt=1") == []
