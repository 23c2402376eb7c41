"""A job type of Jobdeck's that notes when its code runs, as the jobs of the peers do."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, ClassVar

import tally
from pydantic import BaseModel

from jobdeck.core.jobtype import Isolation, JobType, step
from jobdeck.core.refs import ObjectRef

_counted: list[tally.Tally] = []
_one_at_a_time = threading.Lock()


class Tallied(JobType):
    """A light job of one step, which only notes the moment."""

    name = "tallied"
    isolation: ClassVar[Isolation] = "thread"

    class Params(BaseModel):
        """`at`: when the call that submitted it began (time.monotonic), or 0; `write`: what it claims as a writer."""

        at: float = 0.0
        write: ObjectRef | None = None

    params: Params

    def writes(self) -> Sequence[ObjectRef]:
        return () if self.params.write is None else (self.params.write,)

    @step
    def note(self, run: Any) -> None:
        assert run is not None
        with _one_at_a_time:
            if not _counted:
                _counted.append(tally.Tally())
            _counted[0].ran(self.params.at)
