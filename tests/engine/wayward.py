"""A job type of other people whose hooks do, in the place that its parameters name, what no hook should."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from pydantic import BaseModel, model_validator

from jobdeck import JobType
from jobdeck.core.claims import Claim
from jobdeck.core.environment import Environment
from jobdeck.core.errors import Conflict, InvalidInput
from jobdeck.core.jobtype import StepSpec, step
from jobdeck.core.tasks import Run

LOOK = 0.02


def misbehave(how: str, mark: str) -> None:
    """Do it; returns for what leaves traces and goes on."""
    if mark:
        with Path(mark).open("a") as file:
            file.write(f"{os.getpid()}\n")
    if how == "gate":
        while not Path(f"{mark}.open").exists():
            time.sleep(LOOK)
    elif how in WAYS:
        WAYS[how]()
    else:
        raise RuntimeError(how)


def _busy() -> None:
    while True:
        pass


def _deaf() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(600)


def _quit() -> None:
    raise SystemExit(3)


def _interrupt() -> None:
    raise KeyboardInterrupt


def _allocate() -> None:
    hoard = []
    while True:
        hoard.append(bytearray(16 * 1024 * 1024))


def _fork() -> None:
    if os.fork() == 0:
        time.sleep(600)


def _print() -> None:
    for line in range(20_000):
        os.write(1, f"line {line}\n".encode())


def _move() -> None:
    os.chdir("/")
    os.environ["LEFT"] = "behind"
    os.umask(0o777)


def _refuse() -> None:
    raise InvalidInput("The moon is full.", field="params.place", hint="Wait a week.", moon=1)


def _conflict() -> None:
    raise Conflict("Somebody is there already.")


WAYS: dict[str, Callable[[], None]] = {
    "sleep": lambda: time.sleep(600), "busy": _busy, "deaf": _deaf, "exit": lambda: os._exit(7), "quit": _quit,
    "interrupt": _interrupt, "allocate": _allocate, "fork": _fork, "print": _print, "move": _move, "refuse": _refuse,
    "conflict": _conflict,
}  # fmt: skip


class Mischief(BaseModel):
    """Where, how, and a file for those who want to know that it came there."""

    place: str = ""
    how: str = ""
    mark: str = ""

    @model_validator(mode="after")
    def _validated(self) -> Mischief:
        self.reach("params")
        return self

    def reach(self, place: str) -> None:
        """Misbehave if this is the place."""
        if self.place == place:
            misbehave(self.how, self.mark)


class Wayward(JobType):
    """Misbehaves in one of its hooks."""

    isolation = "thread"
    undo_timeout = 2.0
    Params = Mischief
    params: Mischief

    def check(self, environment: Environment) -> None:
        self.params.reach("check")

    def claims(self) -> list[Claim]:
        self.params.reach("claims")
        return [Claim("wayward", 2)]

    def writes(self) -> Iterable[object]:
        self.params.reach("writes")
        return ["lake/x/y"]

    def subject(self) -> str | None:
        self.params.reach("subject")
        return super().subject()

    def description(self) -> str:
        self.params.reach("description")
        return f"Goes astray in {os.getpid()}"

    def plan(self) -> list[StepSpec]:
        self.params.reach("plan")
        return super().plan()

    @step(each=lambda params: params.reach("each") or [1, 2])
    def work(self, run: Run, part: int) -> int:
        return part

    @step
    def wait(self, run: Run) -> None:
        while self.params.place == "undo":
            run.stop_here()
            time.sleep(LOOK)

    def undo(self, run: Run) -> None:
        self.params.reach("undo")


class Plain(JobType):
    """Has nothing of its own but a step, so that nothing of it is asked anywhere else."""

    isolation = "thread"

    @step
    def work(self, run: Run) -> int:
        return os.getpid()
