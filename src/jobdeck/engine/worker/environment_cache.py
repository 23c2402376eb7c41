"""The environments of projects as a worker hands them to its jobs: asked for once, for all the jobs of a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from jobdeck.core.environment import Environment

FRESH_SECONDS = 1.0
ANEW_SECONDS = 0.5
"""Of this age one is looked up anew, while jobs go on with the one that is known."""


@dataclass(slots=True)
class _Known:
    """What is known of one project."""

    answer: Environment | None = None
    asked: float = 0.0
    """When the answer was asked for, by the clock of the event loop, in seconds."""
    asking: asyncio.Task[Environment] | None = None


class EnvironmentCache:
    """Looks up a project's environment at most every half second; jobs that ask at the same moment share one call."""

    def __init__(self, look_up: Callable[[str], Awaitable[Environment]]) -> None:
        self._look_up = look_up
        self._known: dict[str, _Known] = {}

    async def of(self, project: str) -> Environment:
        """The environment of the project, at most a second old; raises what `look_up` raises."""
        known = self._known.setdefault(project, _Known())
        age = asyncio.get_running_loop().time() - known.asked
        if (known.answer is None or age > ANEW_SECONDS) and known.asking is None:
            known.asking = asyncio.create_task(self._ask(project, known), name=f"environment of {project}")
            known.asking.add_done_callback(_heard)
        if known.answer is not None and age <= FRESH_SECONDS:
            return known.answer
        assert known.asking is not None
        return await asyncio.shield(known.asking)

    async def _ask(self, project: str, known: _Known) -> Environment:
        asked = asyncio.get_running_loop().time()
        try:
            known.answer = await self._look_up(project)
            known.asked = asked
            return known.answer
        finally:
            known.asking = None


def _heard(asking: asyncio.Task[Environment]) -> None:
    """Whoever waits for it is told how it ended; nobody may."""
    if not asking.cancelled():
        asking.exception()
