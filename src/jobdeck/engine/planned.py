"""Which steps a job is to have, for those who look at it before they have begun."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from typing import NamedTuple

from jobdeck.core.hooks.answers import checked_plan
from jobdeck.core.hooks.foreign import plans_here
from jobdeck.core.jobtype import JobType, StepSpec, declared_steps
from jobdeck.core.registry import RegisteredType
from jobdeck.engine.hooks import HookFailed, HookProcesses, HooksClosed

PATIENCE = 2.0
"""Seconds that somebody who looks waits for a type's own plan."""
_MANY = 1000
"""Jobs whose plans are kept: a page asks again whenever something happens."""


_ASK_AGAIN = 30.0
"""Seconds until a type that did not answer is asked again: it may have been busy."""


class _Known(NamedTuple):
    names: tuple[str, ...]
    until: float


class Plans:
    """Asks types as their workers do; where there is no answer, nothing is known."""

    def __init__(self, hooks: HookProcesses | None = None) -> None:
        """Without `hooks` all types are asked in this process, which is for tests."""
        self._hooks = hooks
        self._known: OrderedDict[tuple[int, int], _Known] = OrderedDict()

    async def names(
        self, registered: RegisteredType, job: int, attempt: int, params: str, project: str
    ) -> tuple[str, ...]:
        """The names of the steps that the job's attempt has, in order; empty where its type does not tell."""
        key = job, attempt
        found = self._known.get(key)
        if found is None or time.monotonic() > found.until:
            names = tuple(spec.name for spec in await self._plan(registered, params, project))
            found = self._known[key] = _Known(names, math.inf if names else time.monotonic() + _ASK_AGAIN)
            while len(self._known) > _MANY:
                self._known.popitem(last=False)
        return found.names

    async def _plan(self, registered: RegisteredType, params: str, project: str) -> list[StepSpec]:
        kind = registered.job_type
        if kind.plan is JobType.plan:  # says the same for all parameters, and runs nothing of the type's own
            return declared_steps(kind)
        try:
            if self._hooks is not None and not plans_here(kind):
                return await asyncio.wait_for(self._hooks.plan(registered, params, project), PATIENCE)
            return checked_plan(kind, kind(kind.Params.model_validate_json(params)).plan())
        except (HookFailed, HooksClosed, TimeoutError):
            return []
        except Exception:  # noqa: BLE001  (the type's own code; the job itself will say what is wrong)
            return []
