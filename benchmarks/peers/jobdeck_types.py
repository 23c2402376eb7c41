"""A job type of Jobdeck's that notes when its code runs, as the jobs of the peers do."""

from __future__ import annotations

from typing import Any, ClassVar

import tally
from pydantic import BaseModel

from jobdeck.core.jobtype import Isolation, JobType, step

_counted: list[tally.Tally] = []


class Tallied(JobType):
    """A light job that only notes the moment."""

    name = "tallied"
    isolation: ClassVar[Isolation] = "thread"

    class Params(BaseModel):
        """`at`: when the call that submitted it began (time.monotonic), or 0."""

        at: float = 0.0

    params: Params

    @step
    def note(self, run: Any) -> None:
        assert run is not None
        if not _counted:
            _counted.append(tally.Tally())
        _counted[0].ran(self.params.at)
