"""The environments of projects as a worker hands them to its jobs: asked for once, for all the jobs of a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from jobdeck.core.environment import Environment

FRESH_SECONDS = 1.0


class Surroundings:
    """Calls `look_up` at most once per project and second; jobs that ask at the same moment share one call."""

    def __init__(self, look_up: Callable[[str], Awaitable[Environment]]) -> None:
        self._look_up = look_up
        self._known: dict[str, tuple[float, asyncio.Future[Environment]]] = {}

    async def of(self, project: str) -> Environment:
        """The environment of the project, at most a second old; raises what `look_up` raises."""
        now = asyncio.get_running_loop().time()
        asked, answer = self._known.get(project, (0.0, None))
        good = answer is not None and answer.done() and not answer.cancelled() and answer.exception() is None
        fresh = now - asked <= FRESH_SECONDS
        if good and fresh and answer is not None:
            return answer.result()
        if answer is None or answer.done() or not fresh:
            answer = asyncio.ensure_future(self._look_up(project))
            self._known[project] = (now, answer)
        return await asyncio.shield(answer)
