"""Which steps a job is to have, for those who look at it before they have begun."""

from __future__ import annotations

import asyncio
import math

from cachetools import TLRUCache

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


class Plans:
    """Asks types as their workers do; where there is no answer, nothing is known."""

    def __init__(self, hooks: HookProcesses | None = None) -> None:
        """Without `hooks` all types are asked in this process, which is for tests."""
        self._hooks = hooks
        self._known: TLRUCache[tuple[int, int], tuple[str, ...]] = TLRUCache(_MANY, _known_until)

    async def names(
        self, registered: RegisteredType, job: int, attempt: int, params: str, project: str
    ) -> tuple[str, ...]:
        """The names of the steps that the job's attempt has, in order; empty where its type does not tell."""
        key = job, attempt
        known = self._known.get(key)
        if known is None:
            known = tuple(spec.name for spec in await self._plan(registered, params, project))
            self._known[key] = known
        return known

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


def _known_until(_job: tuple[int, int], names: tuple[str, ...], now: float) -> float:
    return math.inf if names else now + _ASK_AGAIN
