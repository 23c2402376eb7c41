"""Job types whose tasks do what their parameters say, and the random writing of such parameters."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

from pydantic import BaseModel

from jobdeck.core.claims import Claim, Mode
from jobdeck.core.jobtype import JobType, StepSpec
from jobdeck.core.registry import RegisteredType, TypeRegistry
from jobdeck.core.retry import RetryPolicy

OBJECTS = ("object:a", "object:b", "object:c")


class StepScript(BaseModel):
    """What each task of a step does; times in seconds."""

    tasks: int = 1
    units: int = 1
    pace: float = 0.5
    checkpoints: bool = True
    fails: int = 0
    """Failures before it succeeds, in the life of the job."""
    fatal: bool = False
    """A failure is not to be tried again."""
    dies: int = 0
    """Times its process dies on its own."""
    deaf: bool = False
    """Does not stop when asked; has to be killed."""
    retries: int = 0
    backoff: float = 0.5
    parallel: int | None = None
    split_by_step: bool = False
    """Its parts are the result of the step before."""


class Script(BaseModel):
    """The parameters of all types here."""

    steps: list[StepScript] = []
    claims: list[tuple[str, int, str]] = []
    undo_fails: int = 0


class Plain(JobType):
    """Leaves nothing behind."""

    name = "plain"
    grace = 3.0
    Params = Script

    def claims(self) -> Iterable[Claim]:
        return [Claim(resource, units, Mode(mode)) for resource, units, mode in self.params.claims]

    def plan(self) -> list[StepSpec]:
        return [self._spec(i, s) for i, s in enumerate(self.params.steps)]

    def _spec(self, index: int, script: StepScript) -> StepSpec:
        each: Any = lambda _params, count=script.tasks: list(range(count))  # noqa: E731
        if script.split_by_step and index:
            each = f"s{index - 1}"
        return StepSpec(
            f"s{index}", "work", None if script.tasks == 1 and not script.split_by_step else each,
            RetryPolicy(script.retries + 1, script.backoff), None, 1.0, script.parallel,
        )  # fmt: skip

    def work(self, run: Any) -> None: ...


class Dirty(Plain):
    """Leaves half made things about, which `undo` removes."""

    name = "dirty"

    def undo(self, run: Any) -> None: ...


class Light(Plain):
    """Runs in a thread: nothing can kill it."""

    name = "light"
    isolation = "thread"


TYPES = {t.name: t for t in (Plain, Dirty, Light)}
REGISTRY = TypeRegistry([RegisteredType(name, f"simulation:{name}", t) for name, t in TYPES.items()])


def write_script(random: Random, type_name: str, *, large: bool) -> dict[str, Any]:
    """Parameters of a job: mostly short and well-behaved, now and then long, failing, dying or deaf."""
    count = random.choice((0, 1, 1, 1, 2, 2, 3) if large else (0, 1, 1, 1, 1, 2))
    steps = [_write_step(random, i, light=type_name == "light", large=large) for i in range(count)]
    claims = [
        [name, *random.choice(((1, "exclusive"), (1, "shared"), (2, "shared")))]
        for name in random.sample(OBJECTS, random.choice((0, 0, 0, 1, 1, 2)))
    ]
    return {"steps": steps, "claims": claims, "undo_fails": int(random.random() < 0.03)}


def _write_step(random: Random, index: int, *, light: bool, large: bool) -> dict[str, Any]:
    step: dict[str, Any] = {
        "tasks": random.choice((1, 1, 1, 2, 3, 5) if large else (1, 1, 2)),
        "units": random.choice((0, 1, 1, 2, 4) if large else (0, 1, 1, 2)),
        "pace": round(random.uniform(0.05, 1.5), 3),
        "checkpoints": random.random() < 0.8,
    }
    if random.random() < 0.2:
        step |= {"fails": random.randint(1, 3), "retries": random.randint(0, 3), "fatal": random.random() < 0.1}
    if random.random() < 0.1:
        step |= {"dies": random.randint(1, 4)}
    if random.random() < 0.12:
        step |= {"units": 1, "pace": round(random.uniform(3, 9), 3), "checkpoints": False}
    if random.random() < 0.1 and not light:
        step |= {"deaf": True}
    if random.random() < 0.2:
        step |= {"parallel": 1}
    if index and random.random() < 0.2:
        step |= {"split_by_step": True}
    return step
