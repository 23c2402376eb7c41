"""Job types whose look at themselves goes wrong; small to load, because they are loaded in a process of their own."""

from __future__ import annotations

import os
import time
from typing import Any

from jobdeck.core.errors import InvalidInput
from jobdeck.core.jobtype import JobType, step
from jobdeck.core.preview import Preview


class Hangs(JobType):
    """A type whose look never ends."""

    may_be_empty = True

    def preview(self, run: Any) -> Preview:
        while True:
            time.sleep(0.1)


class HangsEarly(JobType):
    """A type that does not even come to its steps."""

    def plan(self) -> list[Any]:
        while True:
            time.sleep(0.1)


class Refuses(JobType):
    """A type whose look finds a reason."""

    may_be_empty = True

    def preview(self, run: Any) -> Preview:
        raise InvalidInput("The moon is full.", hint="Wait a week.")


class Dies(JobType):
    """A type whose look takes its process with it."""

    may_be_empty = True

    def preview(self, run: Any) -> Preview:
        os._exit(3)


class Nonsense(JobType):
    """A type whose look makes something else."""

    may_be_empty = True

    def preview(self, run: Any) -> Any:
        return {"text": 5}


class StepCalledPreview(JobType):
    """A step of this name is no look."""

    @step
    def preview(self, run: Any) -> None:
        raise AssertionError("a dry run must not run a step")
