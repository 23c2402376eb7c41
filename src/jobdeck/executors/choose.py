"""One executor out of several: each task goes where its job type wants to be isolated."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from jobdeck.core.tasks import Executor, TaskRequest, TaskRun


class ByIsolation:
    """Routes by `request.isolation`: `ByIsolation({"process": ProcessExecutor(4), "thread": ThreadExecutor(16)})`.

    Without an executor for what is to run `aside`, that runs among the other processes."""

    def __init__(self, executors: Mapping[str, Executor]) -> None:
        self._executors = dict(executors)

    async def start(self, request: TaskRequest) -> TaskRun:
        """Start it where it belongs; waits for a free place there only."""
        executor = self._executors.get(request.isolation) or self._executors["process"]
        return await executor.start(request)

    def extend(self, deadline: float) -> None:
        for executor in self._executors.values():
            executor.extend(deadline)

    @property
    def shortage(self) -> str | None:
        return next((e.shortage for e in self._executors.values() if e.shortage), None)

    async def aclose(self) -> None:
        await asyncio.gather(*(executor.aclose() for executor in self._executors.values()))
