"""Job types whose course a test writes: where they wait, where they fail, what they claim; and what they then did.

They run in threads of the test's own process, so that a test and its jobs share `SCRIPTS`."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel

from jobdeck import JobType
from jobdeck.core.claims import Claim, Mode
from jobdeck.core.errors import TaskFailure
from jobdeck.core.jobtype import StepSpec, declared_steps, step
from jobdeck.core.retry import RetryPolicy
from jobdeck.core.tasks import Run

LONG = 60.0
"""Seconds after which a wait in a test has failed."""


class Told(TaskFailure, code="told_to_fail"):
    """The script said so."""


class ToldForGood(Told, retryable=False):
    """The script said so, and that another try cannot help."""


class Gate:
    """A place where a job waits until the test lets it go on."""

    def __init__(self, *, heeds_stop: bool = True) -> None:
        self.reached = threading.Event()
        self.asked = threading.Event()
        """The job that waits here, and does not heed it, has been asked to stop."""
        self.opened = threading.Event()
        self.heeds_stop = heeds_stop


@dataclass
class Script:
    """What one job is to do, and what it did. Places are `step/task/unit`: `s0/0/2`."""

    key: str
    gates: dict[str, Gate] = field(default_factory=dict)
    failures: dict[str, list[Exception]] = field(default_factory=dict)
    did: list[str] = field(default_factory=list)

    def hold(self, place: str, *, heeds_stop: bool = True) -> Gate:
        return self.gates.setdefault(place, Gate(heeds_stop=heeds_stop))

    def fail(self, place: str, *errors: Exception) -> None:
        self.failures[place] = list(errors)

    def reach(self, place: str, run: Run) -> None:
        self.did.append(place)
        gate = self.gates.get(place)
        if gate is not None:
            gate.reached.set()
            while not gate.opened.wait(0.002):
                if gate.heeds_stop:
                    run.stop_here()
                elif run.should_stop:
                    gate.asked.set()
        if self.failures.get(place):
            raise self.failures[place].pop(0)


SCRIPTS: dict[str, Script] = {}


class Course(BaseModel):
    """What the parameters may say."""

    key: str = ""
    steps: int = 1
    tasks: int = 1
    units: int = 1
    retries: int = 0
    backoff: float = 0.0
    parallel: int | None = None
    claims: list[tuple[str, int, str]] = []
    payload: Any = None
    label: str | None = None


class Scripted(JobType):
    """Does what its script says, in threads."""

    name = "scripted"
    isolation = "thread"
    grace = 1.0
    Params = Course

    def description(self) -> str:
        return self.params.label or "scripted"

    def claims(self) -> Iterable[Claim]:
        modes = {"x": Mode.EXCLUSIVE, "s": Mode.SHARED}
        return [Claim(name, units, modes[mode]) for name, units, mode in self.params.claims]

    def plan(self) -> list[StepSpec]:
        course: Course = self.params
        retry = RetryPolicy(course.retries + 1, course.backoff)
        (spec,) = declared_steps(Scripted)
        return [replace(spec, name=f"s{i}", retry=retry, parallel=course.parallel) for i in range(course.steps)]

    @step(each=lambda params: range(params.tasks))
    def work(self, run: Run, part: int) -> Any:
        course: Course = self.params
        script = SCRIPTS.setdefault(course.key, Script(course.key))
        for unit in range(run.cursor or 0, course.units):
            script.reach(f"{run.step}/{part}/{unit}", run)
            run.log(f"{run.step}/{part}/{unit}")
            run.progress(unit + 1, course.units, "units")
            run.checkpoint(unit + 1)
        return course.payload if course.payload is not None else part


class Undoable(Scripted):
    """As `scripted`, and leaves something about that has to be undone."""

    name = "undoable"

    def undo(self, run: Run) -> None:
        SCRIPTS.setdefault(self.params.key, Script(self.params.key)).reach(f"undo/{run.attempt}", run)


class Finisher(Scripted):
    """As `scripted`, and never looks whether it is to stop."""

    name = "finisher"

    def work(self, run: Run, part: int) -> Any:
        SCRIPTS[self.params.key].reach(f"{run.step}/{part}/0", run)
        return part


class Boaster(Scripted):
    """Tells of more progress than there is room for."""

    name = "boaster"

    def work(self, run: Run, part: int) -> Any:
        run.progress(2**80, 2**81, "stars")
        return part


class Silent(Scripted):
    """Tells of all its units in a moment, and then works on without a word."""

    name = "silent"

    def work(self, run: Run, part: int) -> Any:
        script = SCRIPTS.setdefault(self.params.key, Script(self.params.key))
        for unit in range(self.params.units):
            run.progress(unit + 1, 2 * self.params.units, "rows", rows=unit + 1)
        script.reach(f"{run.step}/{part}", run)
        return part


class Chatty(Scripted):
    """Says `payload` lines, the `label` in each."""

    name = "chatty"

    def work(self, run: Run, part: int) -> Any:
        for number in range(self.params.payload):
            run.log(f"{self.params.label} {number}")
        SCRIPTS.setdefault(self.params.key, Script(self.params.key)).reach("said", run)
        return part


TYPES: list[type[JobType]] = [Scripted, Undoable, Finisher, Boaster, Silent, Chatty]
